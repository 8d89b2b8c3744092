/* SPDX-License-Identifier: Apache-2.0 */
/* Other people's BPF programs where ours are: on the same functions of the
 * kernel, and those of type sock_ops on cgroups. For advice; changes nothing.
 */
#pragma once

#include <stdbool.h>
#include "datapath/datapath.h"

struct hook_user {
	__u32 id; /* the kernel's, of the program */
	char name[16];
	/* The link's id, or the cgroup's path below the mount. */
	char where[128];
	/* It decides which protocol a socket gets, as the converter does:
	 * fmod_ret/update_socket_protocol. */
	bool decides;
	bool sockops; /* on a cgroup; else on a function where one of ours is */
	bool sockmap; /* it has a map that holds sockets */
};

/*
 * hook_users_each - Call @fn for each that is not ours. Ours are those that the
 * pins of any ABI below @opt's bpffs hold.
 * Return: 0, or a negative errno: not all are known (-EPERM without rights).
 */
typedef void (*hook_user_fn)(const struct hook_user *user, void *arg);
must_check int hook_users_each(const struct datapath_options *opt,
			       hook_user_fn fn, void *arg);
