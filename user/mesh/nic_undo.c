// SPDX-License-Identifier: Apache-2.0
/* What setup did: how its record is written, and what of it to take back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "mesh/nic_plan.h"

#define ALL_STEPS (NIC_STEP_UP | NIC_STEP_ADDRESS | NIC_STEP_ROUTE)

int nic_record_format(const struct nic_record *r, struct buf *out)
{
	char address[ADDR_STRLEN];

	return buf_printf(
		out,
		"boot=%s ifindex=%u mac=%s name=%s steps=%u address=%s metric=%u\n",
		r->boot, r->ifindex, *r->mac ? r->mac : "-", r->name, r->steps,
		nic_want_format(&r->want, address), r->metric);
}

int nic_record_parse(const char *line, struct nic_record *out)
{
	struct nic_record r = {};
	_buf_ struct buf why = {};
	char address[ADDR_STRLEN];
	int end = 0, n;

	n = sscanf(
		line,
		"boot=%39s ifindex=%9u mac=%17s name=%15s steps=%1u address=%47s metric=%10u%n",
		r.boot, &r.ifindex, r.mac, r.name, &r.steps, address, &r.metric,
		&end);
	if (n != 7 || line[end] || !r.steps || r.steps & ~ALL_STEPS ||
	    nic_want_given(&r.want, address, &why) ||
	    nic_want_check(&r.want, &why))
		return -EINVAL;
	if (!strcmp(r.mac, "-"))
		*r.mac = '\0';
	*out = r;
	return 0;
}

bool nic_record_is(const struct nic_record *r, const struct nic *nic)
{
	return r->ifindex == nic->ifindex && !strcmp(r->mac, nic->mac);
}

/* ---- taking back --------------------------------------------------------- */

static bool is_wanted(const struct nic_record *r, const struct nic_addr *a)
{
	return a->ifindex == r->ifindex && a->prefixlen == 96 + r->want.bits &&
	       !addr_cmp(&a->addr, &r->want.addr);
}

static bool is_our_address(const struct nic_record *r, const struct nic_addr *a)
{
	return r->steps & NIC_STEP_ADDRESS && is_wanted(r, a);
}

static bool is_our_route(const struct nic_record *r, const struct nic_route *e)
{
	struct cidr subnet = nic_want_subnet(&r->want);

	return r->steps & NIC_STEP_ROUTE && e->ifindex == r->ifindex &&
	       e->table == NIC_TABLE_MAIN && e->direct && !e->automatic &&
	       e->metric == r->metric && e->dst.prefixlen == subnet.prefixlen &&
	       !addr_cmp(&e->dst.addr, &subnet.addr);
}

/* The wanted address, where setup did not make it, was there when the link was
 * down. */
static bool others_address(const struct nic_view *v, const struct nic *nic,
			   const struct nic_record *r, struct buf *why)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < v->n_addrs; i++) {
		const struct nic_addr *a = &v->addrs[i];

		if (a->ifindex != nic->ifindex || is_wanted(r, a))
			continue;
		buf_printf(
			why,
			"the link stays up: %s has the address %s, which setup did not make",
			nic->name, addr_format(&a->addr, text));
		return true;
	}
	return false;
}

static bool others_route(const struct nic_view *v, const struct nic *nic,
			 const struct nic_record *r, struct buf *why)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < v->n_routes; i++) {
		const struct nic_route *e = &v->routes[i];

		if (e->ifindex != nic->ifindex || e->automatic ||
		    is_our_route(r, e))
			continue;
		buf_printf(
			why,
			"the link stays up: the route %s, metric %u, leads out of %s, and setup did not make it",
			cidr_format(&e->dst, text), e->metric, nic->name);
		return true;
	}
	return false;
}

static bool is_in_use(const struct nic_view *v, const struct nic *nic,
		      const struct nic_record *r, struct buf *why)
{
	_buf_ struct buf sign = {};

	if (nic_held(v, nic, &sign)) {
		buf_printf(why, "the link stays up: %s", sign.data ?: "");
		return true;
	}
	return others_address(v, nic, r, why) || others_route(v, nic, r, why);
}

unsigned int nic_undo(const struct nic_view *v, const struct nic *nic,
		      const struct nic_record *r, struct buf *why)
{
	unsigned int steps = 0;

	for (size_t i = 0; i < v->n_addrs; i++)
		if (is_our_address(r, &v->addrs[i]))
			steps |= NIC_STEP_ADDRESS;
	for (size_t i = 0; i < v->n_routes; i++)
		if (is_our_route(r, &v->routes[i]))
			steps |= NIC_STEP_ROUTE;
	if (r->steps & NIC_STEP_UP && nic->up && !is_in_use(v, nic, r, why))
		steps |= NIC_STEP_UP;
	return steps;
}
