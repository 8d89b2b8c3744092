/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of what all share in the kernel's SMC a pod, and a node, may hold at
 * a time, and how long offers outlive the agent: the allowed values (the
 * defaults are in model.h), and how their texts are read.
 */
#pragma once

#include "base/cleanup.h"
#include "mesh/model.h"

/* smc_hs_wq runs 1,024 works per CPU, and a program may pin itself to one CPU:
 * half of that, whatever the number of CPUs, leaves room for works that are not
 * counted. It is the default, too. */
#define MESH_PENDING_MAX 512
#define MESH_CONNECTIONS_MAX 65536
/* No cgroup pays for SMC's buffers: half of the memory is a lot. */
#define MESH_MEMORY_PERCENT_MAX 50
/* The agent gives a sign of life with each resync, every 5 s: two may fail. */
#define MESH_LEASE_MIN_S 15
#define MESH_LEASE_MAX_S 86400

/*
 * mesh_lease_parse - "300s", "5m", "1h" to seconds; "0", "0s": 0, no end.
 * Return: 0, or -EINVAL (another unit, none, or beyond MESH_LEASE_MIN_S and
 * MESH_LEASE_MAX_S) with *@seconds untouched.
 */
must_check int mesh_lease_parse(const char *text, __u32 *seconds);

/* A pod's own bounds; 0: not said. */
struct mesh_pod_limits {
	__u32 pending, connections;
};

/*
 * mesh_pod_limits_parse - "pending=64,connections=200" (blanks allowed), both
 * or one of them, each once and from 1 on.
 * @bad: on failure the first part that is not understood, up to 31 characters.
 * Return: 0, or -EINVAL with *@out untouched.
 */
must_check int mesh_pod_limits_parse(const char *text,
				     struct mesh_pod_limits *out, char bad[32]);
