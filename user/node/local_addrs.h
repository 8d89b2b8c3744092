/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a namespace takes for itself: packets to there end in it, and no proxy's
 * translation is asked. Known by the routing table "local", where the kernel
 * keeps every address of its interfaces, and whatever prefixes somebody had it
 * take besides.
 *
 * An address that IPVS has a TCP service at is none: IPVS needs its addresses
 * to be local (kube-proxy's and kube-router's keep them on a device that leads
 * nowhere), and gives what comes there to its backends before anybody's socket
 * is asked (its hooks at NF_INET_LOCAL_IN, net/netfilter/ipvs/ip_vs_core.c).
 */
#pragma once

#include <stddef.h>
#include "base/cleanup.h"
#include "mesh/model.h"

struct local {
	struct mesh_addrs addrs; /* sorted, no doubles */
	struct cidr *nets;	 /* of more than one address */
	size_t n_nets;
};

/*
 * local_find - Those of the caller's network namespace, to @out.
 * Return: 0, or a negative errno with nothing in @out. Free with local_free().
 */
must_check int local_find(struct local *out);

/* local_free - Safe on a zeroed struct; zeroes it. */
void local_free(struct local *l);

struct nlmsghdr;

/* local_take_route, local_take_service - One message of a list of routes, and
 * of IPVS services, to @arg, a struct local of which only addresses are in any
 * order. Return: MNL_CB_OK, or MNL_CB_ERROR with errno set. */
int local_take_route(const struct nlmsghdr *h, void *arg);
int local_take_service(const struct nlmsghdr *h, void *arg);

/* local_without - Take @those out of @l's addresses; sorts both. */
void local_without(struct local *l, struct local *those);
