/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses that a namespace keeps for itself: packets to them end in it,
 * and no proxy translates them. The routing table "local" has them: every
 * address of its interfaces, and prefixes that somebody added.
 *
 * An address at which IPVS has a TCP service is not one: IPVS needs its
 * addresses to be local (kube-proxy's and kube-router's keep them on a device
 * that leads nowhere), and gives packets there to its backends before any
 * socket gets them (its hooks at NF_INET_LOCAL_IN,
 * net/netfilter/ipvs/ip_vs_core.c).
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
 * local_find - Find those of the caller's network namespace.
 * Return: 0, or a negative errno with nothing in @out. Free with local_free().
 */
must_check int local_find(struct local *out);

/* local_free - Safe on a zeroed struct; zeroes it. */
void local_free(struct local *l);

struct nlmsghdr;

/* local_take_route, local_take_service - One message of a list of routes, and
 * of IPVS services, to @arg, a struct local, whose addresses need not be in
 * order. Return: MNL_CB_OK, or MNL_CB_ERROR with errno set. */
int local_take_route(const struct nlmsghdr *h, void *arg);
int local_take_service(const struct nlmsghdr *h, void *arg);

/* local_without - Take @those out of @l's addresses; sorts both. */
void local_without(struct local *l, struct local *those);
