/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a hostNetwork pod listens with SMC sockets. It shares the node's
 * addresses with other programs: only at these ports may clients offer it SMC.
 */
#pragma once

#include "node/netns.h"

/*
 * listens_find - The ports at which only SMC sockets of a cgroup listen.
 * @ref: the namespace they are in.
 * @cgroup: the pod's directory in cgroup v2; those below it count too.
 * @out: its old content is freed; the new one is the caller's.
 *
 * Return: 0 or a negative errno, *@out untouched.
 */
must_check int listens_find(const struct netns_ref *ref, const char *cgroup,
			    struct mesh_ports *out);

/* The ids of a pod's cgroups: its own, its containers', and those they made
 * below. */
struct cgroup_ids {
	__u64 *v;
	size_t n;
};

/* cgroup_ids_find - Those of the directory @cgroup and all below it. Return: 0
 * or a negative errno. Free with cgroup_ids_free(), also after an error. */
must_check int cgroup_ids_find(const char *cgroup, struct cgroup_ids *ids);
void cgroup_ids_free(struct cgroup_ids *ids);

/* cgroup_ids_has - Is @id among them? */
bool cgroup_ids_has(const struct cgroup_ids *ids, __u64 id);

/*
 * listens_choose - The decision (the pure part of listens_find()): a port
 * counts if it can be reached from outside, and every listener at it is an SMC
 * socket's inner one and was made in one of the cgroups @ids. Sorts @tcp.
 * Return: how many ports; they are at @out, which has room for @n_tcp.
 */
size_t listens_choose(struct netns_listener *tcp, size_t n_tcp,
		      const struct diag_smc *smc, size_t n_smc,
		      const struct cgroup_ids *ids, __u16 *out);
