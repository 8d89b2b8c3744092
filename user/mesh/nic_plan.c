// SPDX-License-Identifier: Apache-2.0
#include "mesh/nic_plan.h"

#include <errno.h>
#include <stdint.h>

static bool same_subnet(const struct cidr *a, const struct cidr *b)
{
	return a->prefixlen == b->prefixlen && !addr_cmp(&a->addr, &b->addr);
}

/* Of a subnet that a NIC is in, by IPv4. */
static bool is_connected(const struct nic_route *r)
{
	return r->table == NIC_TABLE_MAIN && r->direct &&
	       addr_is_v4(&r->dst.addr) && r->dst.prefixlen < 128 &&
	       !nic_is_default(&r->dst);
}

/* The connected route of @nic for @subnet that the kernel takes; NULL: none. */
static const struct nic_route *route_of(const struct nic_view *v,
					const struct nic *nic,
					const struct cidr *subnet)
{
	const struct nic_route *best = NULL;

	for (size_t i = 0; i < v->n_routes; i++) {
		const struct nic_route *r = &v->routes[i];

		if (r->ifindex == nic->ifindex && is_connected(r) &&
		    same_subnet(&r->dst, subnet) &&
		    (!best || r->metric < best->metric))
			best = r;
	}
	return best;
}

/* Of the primary NIC: its own route for that subnet, else the one of the
 * highest metric. */
static const struct nic_route *model_route(const struct nic_view *v,
					   const struct nic *primary,
					   const struct cidr *subnet)
{
	const struct nic_route *best = route_of(v, primary, subnet);

	for (size_t i = 0; !best && i < v->n_routes; i++)
		if (v->routes[i].ifindex == primary->ifindex &&
		    is_connected(&v->routes[i]))
			best = &v->routes[i];
	for (size_t i = 0; best && i < v->n_routes; i++) {
		const struct nic_route *r = &v->routes[i];

		if (!same_subnet(&best->dst, subnet) &&
		    r->ifindex == primary->ifindex && is_connected(r) &&
		    r->metric > best->metric)
			best = r;
	}
	return best;
}

static int metric_for(const struct nic_view *v, const struct nic *primary,
		      const struct cidr *subnet, __u32 *out, struct buf *why)
{
	const struct nic_route *model = model_route(v, primary, subnet);

	if (!model) {
		buf_printf(
			why,
			"the primary NIC %s has no connected IPv4 route whose metric tells this one's",
			primary->name);
		return -ENONET;
	}
	if (model->metric == UINT32_MAX) {
		buf_printf(
			why,
			"the connected route of the primary NIC %s has the metric %u, and there is none higher",
			primary->name, model->metric);
		return -EEXIST;
	}
	*out = model->metric + 1;
	return 0;
}

/* ---- what stands against it ---------------------------------------------- */

static struct nic_want want_of(const struct nic_addr *a)
{
	return (struct nic_want){.addr = a->addr, .bits = a->prefixlen - 96};
}

/* Somebody else's address on it, where ours is missing; or ours elsewhere. */
static int check_addresses(const struct nic_view *v, const struct nic *nic,
			   const struct nic_want *want, bool has,
			   struct buf *why)
{
	char text[ADDR_STRLEN], wanted[ADDR_STRLEN];

	nic_want_format(want, wanted);
	for (size_t i = 0; i < v->n_addrs; i++) {
		const struct nic_addr *a = &v->addrs[i];
		struct nic_want other = want_of(a);
		const struct nic *of = nic_of(v, a->ifindex);

		if (!addr_is_v4(&a->addr) || !of)
			continue;
		nic_want_format(&other, text);
		if (of != nic && !addr_cmp(&a->addr, &want->addr)) {
			buf_printf(why, "%s has the address %s already",
				   of->name, text);
			return -EADDRINUSE;
		}
		if (of == nic && !has) {
			buf_printf(
				why,
				"somebody else holds %s: it has the address %s, not %s (a CNI's, as of Terway? Then take the NIC from it)",
				nic->name, text, wanted);
			return -EBUSY;
		}
	}
	return 0;
}

/* A part of a subnet that another NIC is in, but not all of it: the longer
 * prefix would win. */
static int check_overlap(const struct nic_view *v, const struct nic *nic,
			 const struct cidr *subnet, struct buf *why)
{
	char ours[ADDR_STRLEN], theirs[ADDR_STRLEN];

	for (size_t i = 0; i < v->n_routes; i++) {
		const struct nic_route *r = &v->routes[i];
		const struct nic *of = nic_of(v, r->ifindex);

		if (!of || of == nic || !is_connected(r) ||
		    r->dst.prefixlen >= subnet->prefixlen ||
		    !cidr_has(&r->dst, &subnet->addr))
			continue;
		buf_printf(
			why,
			"the subnet %s is a part of %s, which is reached by %s: its traffic would leave by %s",
			cidr_format(subnet, ours), cidr_format(&r->dst, theirs),
			of->name, nic->name);
		return -EEXIST;
	}
	return 0;
}

/* The connected route that @nic has, or will get with the link, must lose
 * against the primary NIC's. */
static int check_metric(const struct nic_view *v, const struct nic *primary,
			const struct nic *nic, const struct cidr *subnet,
			__u32 metric, struct buf *why)
{
	const struct nic_route *theirs = route_of(v, primary, subnet);
	char text[ADDR_STRLEN];

	if (!theirs || metric > theirs->metric)
		return 0;
	buf_printf(
		why,
		"the connected route %s of %s has the metric %u, which does not lose against %u of the primary NIC %s: somebody else made it; take its address away and run this again",
		cidr_format(subnet, text), nic->name, metric, theirs->metric,
		primary->name);
	return -EEXIST;
}

/* ---- the plan ------------------------------------------------------------ */

static const struct nic_addr *address_on(const struct nic_view *v,
					 const struct nic *nic,
					 const struct smc_addr *addr)
{
	for (size_t i = 0; i < v->n_addrs; i++)
		if (v->addrs[i].ifindex == nic->ifindex &&
		    !addr_cmp(&v->addrs[i].addr, addr))
			return &v->addrs[i];
	return NULL;
}

static int check_prefix(const struct nic *nic, const struct nic_addr *has,
			const struct nic_want *want, struct buf *why)
{
	struct nic_want other = want_of(has);
	char text[ADDR_STRLEN], wanted[ADDR_STRLEN];

	if (other.bits == want->bits)
		return 0;
	buf_printf(why, "somebody else holds %s: it has the address %s, not %s",
		   nic->name, nic_want_format(&other, text),
		   nic_want_format(want, wanted));
	return -EBUSY;
}

/* The metric of the route that is there, or comes without a step of ours. */
static bool coming_metric(const struct nic *nic, const struct nic_addr *has,
			  const struct nic_route *route, __u32 *metric)
{
	if (route)
		*metric = route->metric;
	else if (has && !nic->up && !has->routeless)
		*metric = has->metric;
	else
		return false;
	return true;
}

static int plan_steps(const struct nic_view *v, const struct nic *primary,
		      const struct nic *nic, struct nic_plan *p,
		      struct buf *why)
{
	struct cidr subnet = nic_want_subnet(&p->want);
	const struct nic_addr *has = address_on(v, nic, &p->want.addr);
	const struct nic_route *route = route_of(v, nic, &subnet);
	bool coming;
	int err;

	err = has ? check_prefix(nic, has, &p->want, why) : 0;
	err = err ?: check_addresses(v, nic, &p->want, has, why);
	err = err ?: check_overlap(v, nic, &subnet, why);
	err = err ?: metric_for(v, primary, &subnet, &p->metric, why);
	if (err)
		return err;
	p->steps = nic->up ? 0 : NIC_STEP_UP;
	coming = coming_metric(nic, has, route, &p->metric);
	if (!has)
		p->steps |= NIC_STEP_ADDRESS;
	else if (!coming)
		p->steps |= NIC_STEP_ROUTE;
	return check_metric(v, primary, nic, &subnet, p->metric, why);
}

int nic_plan(const struct nic_view *v, const struct nic *primary,
	     const struct nic *nic, const struct nic_want *want,
	     struct nic_plan *out, struct buf *why)
{
	struct nic_plan p = {.want = *want, .carrier = nic->running};
	int err;

	if (nic_barred(primary, nic, why))
		return -EPERM;
	if (nic_held(v, nic, why))
		return -EBUSY;
	err = plan_steps(v, primary, nic, &p, why);
	if (!err)
		*out = p;
	return err;
}
