/* SPDX-License-Identifier: Apache-2.0 */
/* Translates a pod's UIDs and GIDs into the host's. */
#pragma once

#include <linux/types.h>
#include <smcmesh/abi.h>
#include "base/cleanup.h"
#include "node/helper.h"

/*
 * uidmap_translate - Translate @id of a user namespace by its map.
 * @map: path of a PROC/PID/uid_map or gid_map. Read from the host's user
 *       namespace, its second column is the host's whatever the nesting
 *       (uid_m_show() and gid_m_show(), kernel/user_namespace.c).
 * Return: 0; -ERANGE: the namespace has no such ID; or another errno.
 */
must_check int uidmap_translate(const char *map, __u32 id, __u32 *out);

/*
 * uidmap_owners - Translate @v from IDs of the pod whose network namespace is
 * @netns to the host's. SMC_ID_ANY stays.
 *
 * The user namespace is that of processes in the network namespace: the one
 * that owns it where such a process is found, else the one all of them share.
 * In a pod without its own one, a sandbox that a program made does not mislead
 * this: the other processes are in the host's. No process: identity.
 *
 * It searches all of @netns->proc for these, unless @netns->path is
 * PROC/PID/ns/net of one that is in the owning user namespace.
 *
 * @n: SMC_OWNERS at most.
 * Return: as uidmap_translate(); @v is undefined after an error. -ENOENT: the
 * path leads nowhere, or to another namespace than @netns says.
 */
must_check int uidmap_owners(const struct netns_ref *netns, struct smc_owner *v,
			     size_t n);
