/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a selector is left with that stays because namespaces still hold SMC
 * sockets: the maps that its verdict reads, saying no to everything.
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
 * deny_everything - With the switch off every verdict is "bypass"; and no
 * namespace nor cgroup stays armed for an agent that comes later. A cgroup's
 * entry denies, since beside it, in the host's namespace, sockets are none of
 * our business.
 * Return: 0 or the first negative errno, logged.
 */
must_check int deny_everything(const struct abi_dir *at);
