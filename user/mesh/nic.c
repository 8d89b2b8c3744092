// SPDX-License-Identifier: Apache-2.0
#include "mesh/nic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of linux/rtnetlink.h. */
#define TABLE_DEFAULT 253
#define TABLE_LOCAL 255

/* Terway adds this to a NIC's number (GetRouteTableID() in its plugin). */
#define TERWAY_TABLES 1000

void nic_view_free(struct nic_view *v)
{
	free(v->nics);
	free(v->addrs);
	free(v->routes);
	free(v->children);
	memset(v, 0, sizeof(*v));
}

const struct nic *nic_of(const struct nic_view *v, unsigned int ifindex)
{
	for (size_t i = 0; i < v->n_nics; i++)
		if (v->nics[i].ifindex == ifindex)
			return &v->nics[i];
	return NULL;
}

const struct nic *nic_named(const struct nic_view *v, const char *name)
{
	for (size_t i = 0; i < v->n_nics; i++)
		if (!strcmp(v->nics[i].name, name))
			return &v->nics[i];
	return NULL;
}

static const char *name_of(const struct nic_view *v, unsigned int ifindex)
{
	const struct nic *nic = nic_of(v, ifindex);

	return nic ? nic->name : "a NIC that is gone";
}

/* ---- the primary one ----------------------------------------------------- */

bool nic_is_default(const struct cidr *dst)
{
	return dst->prefixlen == (addr_is_v4(&dst->addr) ? 96 : 0);
}

/* The default route of the lowest metric of one family; @rival: another NIC's
 * of the same metric. */
static const struct nic_route *best_default(const struct nic_view *v, bool v4,
					    const struct nic_route **rival)
{
	const struct nic_route *best = NULL;

	for (size_t i = 0; i < v->n_routes; i++) {
		const struct nic_route *r = &v->routes[i];

		if (r->table != NIC_TABLE_MAIN || !nic_is_default(&r->dst) ||
		    addr_is_v4(&r->dst.addr) != v4)
			continue;
		if (!best || r->metric < best->metric) {
			best = r;
			*rival = NULL;
		} else if (r->metric == best->metric &&
			   r->ifindex != best->ifindex) {
			*rival = r;
		}
	}
	return best;
}

static int no_primary(const struct nic_view *v, struct buf *why)
{
	const struct nic_route *rival, *v6 = best_default(v, false, &rival);

	if (!v6) {
		buf_printf(
			why,
			"no default route: the NIC that holds it is the primary one, and which that is cannot be told; run it when the network is up");
		return -ENOENT;
	}
	buf_printf(
		why,
		"this node is IPv6-only: its one default route is IPv6's, by %s; SMC-R needs IPv4 addresses",
		name_of(v, v6->ifindex));
	return -EAFNOSUPPORT;
}

int nic_primary(const struct nic_view *v, const struct nic **out,
		struct buf *why)
{
	const struct nic_route *rival = NULL,
			       *best = best_default(v, true, &rival);
	const struct nic *nic = best ? nic_of(v, best->ifindex) : NULL;

	if (!nic)
		return no_primary(v, why);
	if (rival) {
		buf_printf(
			why,
			"two primary NICs: %s and %s both hold a default route of metric %u; give the auxiliary one's a higher metric",
			nic->name, name_of(v, rival->ifindex), best->metric);
		return -ENOTUNIQ;
	}
	*out = nic;
	return 0;
}

const struct nic_route *nic_other_default(const struct nic_view *v,
					  const struct nic *nic)
{
	for (size_t i = 0; i < v->n_routes; i++)
		if (v->routes[i].ifindex == nic->ifindex &&
		    v->routes[i].table == NIC_TABLE_MAIN &&
		    nic_is_default(&v->routes[i].dst))
			return &v->routes[i];
	return NULL;
}

bool nic_barred(const struct nic *primary, const struct nic *nic,
		struct buf *why)
{
	if (nic == primary)
		buf_printf(
			why,
			"%s is the primary NIC: it holds the default route, and is never touched",
			nic->name);
	else if (nic->loopback)
		buf_printf(why, "%s is the loopback device", nic->name);
	return nic == primary || nic->loopback;
}

/* ---- other owners -------------------------------------------------------- */

static bool has_master(const struct nic_view *v, const struct nic *nic,
		       struct buf *why)
{
	if (!nic->master)
		return false;
	buf_printf(why, "%s is a port of %s, which owns its traffic", nic->name,
		   name_of(v, nic->master));
	return true;
}

static bool has_child(const struct nic_view *v, const struct nic *nic,
		      struct buf *why)
{
	for (size_t i = 0; i < v->n_children; i++) {
		const struct nic_child *c = &v->children[i];

		if (c->parent != nic->ifindex)
			continue;
		buf_printf(
			why,
			"a CNI holds %s: it is the parent of the %s device %s%s%s",
			nic->name, c->kind, c->name,
			*c->where ? " in the namespace " : "", c->where);
		return true;
	}
	return false;
}

static bool is_own_table(__u32 table)
{
	return table == NIC_TABLE_MAIN || table == TABLE_LOCAL ||
	       table == TABLE_DEFAULT;
}

static bool has_policy(const struct nic_view *v, const struct nic *nic,
		       struct buf *why)
{
	for (size_t i = 0; i < v->n_routes; i++) {
		const struct nic_route *r = &v->routes[i];

		if (r->ifindex != nic->ifindex || is_own_table(r->table))
			continue;
		if (r->table == TERWAY_TABLES + nic->ifindex)
			buf_printf(
				why,
				"Terway holds %s: the routing table %u (1000 + its number) leads out of it; put the NIC on Terway's ENI white list",
				nic->name, r->table);
		else
			buf_printf(
				why,
				"somebody holds %s: the routing table %u leads out of it",
				nic->name, r->table);
		return true;
	}
	return false;
}

bool nic_held(const struct nic_view *v, const struct nic *nic, struct buf *why)
{
	return has_master(v, nic, why) || has_child(v, nic, why) ||
	       has_policy(v, nic, why);
}
