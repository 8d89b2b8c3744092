/* SPDX-License-Identifier: Apache-2.0 */
/* The SmcNode object of this node, as JSON: what it tells the other nodes. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "mesh/plan.h"

struct kube_rdma {
	const char *device, *netdev;
	unsigned int port;
	const char *subnet; /* "10.244.0.0/16", NULL: not known */
};

/* Nothing is owned. NULL strings are left out. */
struct kube_node {
	const char *name;
	const char *kernel, *boot_id;
	const char *converter, *selector; /* or "none" */
	__u32 transports;		  /* enum smc_transport bits */
	const char *const *ueids;
	size_t n_ueids;
	const struct kube_rdma *rdma;
	size_t n_rdma;
	const struct mesh_plan *plan; /* what its pods publish; NULL: nothing */
	bool ready;
	const char *reason, *message; /* of the condition Ready */
	long long transition;	      /* when `ready` last changed, seconds */
};

/*
 * kube_encode_node - Append the object to @out.
 *
 * The same state gives the same text, whatever the order of pods, so that
 * comparing two texts tells whether there is news. A hostNetwork pod's endpoint
 * carries `ports`, an empty list: nobody offers to a node's address.
 * kube_decode_list() reads it back.
 *
 * Return: 0 or -ENOMEM.
 */
must_check int kube_encode_node(const struct kube_node *n, struct buf *out);
