/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A selector must stay while namespaces still hold SMC sockets: by the maps
 * that its verdict reads it is made to deny everything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "datapath/abis.h"

struct kept {
	__u32 *v; /* ids of maps */
	size_t n;
};

/* kept_find - The maps that programs of our selectors use. Return: 0 or a
 * negative errno. Free with kept_free(), also after an error. */
must_check int kept_find(struct kept *out);
void kept_free(struct kept *kept);
bool is_kept(const struct kept *kept, __u32 map_id);

/*
 * deny_everything - Turn the switch off, so that every verdict is "bypass"; and
 * disarm all namespaces and cgroups, for an agent that comes later. A cgroup's
 * row stays and denies, since in the host's namespace sockets without a row
 * pass.
 * Return: 0 or the first negative errno, logged.
 */
must_check int deny_everything(const struct abi_dir *at);
