/* SPDX-License-Identifier: Apache-2.0 */
/* A pod's UIDs as the host counts them. */
#pragma once

#include <linux/types.h>
#include "base/cleanup.h"
#include "node/helper.h"

/*
 * uidmap_translate - @uid of a user namespace, through its map.
 * @map: path of a PROC/PID/uid_map. Read from the host's user namespace, its
 *       second column is the host's UIDs whatever the nesting
 *       (uid_m_show(), kernel/user_namespace.c).
 * Return: 0; -ERANGE: the namespace has no such UID; or another errno.
 */
int uidmap_translate(const char *map, __u32 uid, __u32 *out) must_check;

/*
 * uidmap_to_host - @uid inside the pod whose network namespace is @netns, as
 * the host counts.
 *
 * The user namespace is that of processes in the network namespace: the one
 * that owns it where such a process is found, else the one all of them share.
 * A pod without one of its own is not fooled by a sandbox that some program in
 * it made: its other processes are in the host's. No process: identity.
 *
 * All of @netns->proc is searched for these, unless @netns->path is
 * PROC/PID/ns/net of one that is in the owning user namespace.
 *
 * Return: as uidmap_translate(); -ENOENT: the path leads nowhere, or to another
 * namespace than @netns says.
 */
int uidmap_to_host(const struct netns_ref *netns, __u32 uid,
		   __u32 *out) must_check;
