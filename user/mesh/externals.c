// SPDX-License-Identifier: Apache-2.0
/*
 * The external addresses of Services, where they are an endpoint's or a node's.
 *
 * A user who may write a Service may name any address: nodes', for traffic that
 * comes to them, or another tenant's pod's. A proxy on every node takes packets
 * to that address at the Service's ports, and forwards them to the Service's
 * backends. So at these ports, and at no others, such an address is not offered
 * SMC: a row without transports, which the verdict asks before the endpoint's.
 * (At any other address nothing is offered without a row.) The pod itself stays
 * armed, and an endpoint to whom it connects: its address is not taken for a
 * Service's as a ClusterIP is, or one Service would disarm it.
 *
 * Rows that find no room must not be left out, and one Service can name every
 * port of every pod. There are EXTERNALS_MAX rows for this. If more are wanted,
 * the addresses that want most get none, and are offered SMC at no port
 * instead: SMC_ENDPOINT_ANSWER_ONLY. So an address with few named ports does
 * not suffer from one with many. An address is treated like that, too, if a
 * Service's ports were not all understood. The plan counts first, so that time
 * and memory do not grow with the product of addresses and ports.
 *
 * If the address is also another Service's ClusterIP the proxy decides which of
 * the two gets the connection: the ClusterIP's row then denies, and there is no
 * second one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "mesh/draft.h"

/* What Services claim of an endpoint's address, beside plan.endpoints. */
struct claimed {
	size_t ports;		       /* a port of two Services counts twice */
	bool all;		       /* any port may be meant */
	const struct mesh_service *by; /* one of those Services, or NULL */
};

/* find() returns this if the address is no endpoint's. */
#define NO_ENDPOINT SIZE_MAX

static size_t find(const struct mesh_plan *plan, const struct smc_addr *addr)
{
	const struct plan_endpoint *e = mesh_endpoint_find(plan, addr);

	return e ? (size_t)(e - plan->endpoints) : NO_ENDPOINT;
}

/* ---- room -----------------------------------------------------------------
 */

/* Return: is there any such address? */
static bool count(const struct draft *d, struct claimed *claimed)
{
	const struct mesh_world *w = d->world;
	bool any = false;

	for (size_t i = 0; i < w->n_services; i++) {
		const struct mesh_service *s = &w->services[i];

		for (size_t k = 0; k < s->externals.n; k++) {
			size_t at = find(&d->plan, &s->externals.v[k]);

			if (at == NO_ENDPOINT || (!s->n_ports && !s->broken))
				continue;
			claimed[at].ports += s->n_ports;
			claimed[at].all |= s->broken;
			claimed[at].by = s;
			any = true;
		}
	}
	return any;
}

static bool has_rows(const struct claimed *c, size_t share)
{
	return !c->all && c->ports <= share;
}

/* The number of rows if no address has more than @share. */
static size_t rows_at(const struct draft *d, const struct claimed *claimed,
		      size_t share)
{
	size_t total = 0;

	for (size_t i = 0; i < d->plan.n_endpoints; i++)
		if (has_rows(&claimed[i], share))
			total += claimed[i].ports;
	return total;
}

static size_t share_of(const struct draft *d, const struct claimed *claimed)
{
	size_t share = EXTERNALS_MAX;

	while (share && rows_at(d, claimed, share) > EXTERNALS_MAX)
		share /= 2;
	return share;
}

/* ---- addresses that are given up ------------------------------------------
 */

/* At a node's address it is the listeners' rows that offer. */
static void drop_listeners(struct mesh_plan *plan, const struct smc_addr *addr)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->n_services; i++)
		if (memcmp(plan->services[i].key.ip, addr->ip,
			   sizeof(addr->ip)))
			plan->services[kept++] = plan->services[i];
	plan->n_services = kept;
}

static int give_up(struct draft *d, size_t at, const struct claimed *c)
{
	struct plan_endpoint *e = &d->plan.endpoints[at];
	char text[ADDR_STRLEN];

	if (e->value.flags & SMC_ENDPOINT_ANSWER_ONLY)
		drop_listeners(&d->plan, &e->addr);
	e->value.flags |= SMC_ENDPOINT_ANSWER_ONLY;
	return draft_warn(
		d,
		"address %s of pod %s/%s is an external one of Service "
		"%s/%s, %s: it is offered SMC at no port",
		addr_format(&e->addr, text), e->ns, e->pod, c->by->ns,
		c->by->name,
		c->all ? "of which not all ports were understood"
		       : "and of more ports than there is room for");
}

static int give_up_all(struct draft *d, const struct claimed *claimed,
		       size_t share)
{
	int err = 0;

	for (size_t i = 0; i < d->plan.n_endpoints && !err; i++)
		if (claimed[i].by && !has_rows(&claimed[i], share))
			err = give_up(d, i, &claimed[i]);
	return err;
}

/* ---- rows -----------------------------------------------------------------
 */

static int add_rows(struct draft *d, const struct mesh_service *s,
		    const struct smc_addr *addr)
{
	for (size_t i = 0; i < s->n_ports; i++) {
		struct plan_service *row =
			array_push(d->plan.services, d->plan.n_services);

		if (!row)
			return -ENOMEM;
		row->key = addr_port(addr, s->ports[i].port);
		row->why = MESH_SERVICE_EXTERNAL;
		row->ns = s->ns;
		row->service = s->name;
	}
	return 0;
}

static int add_service(struct draft *d, const struct claimed *claimed,
		       size_t share, const struct mesh_service *s)
{
	int err = 0;

	for (size_t i = 0; i < s->externals.n && !err; i++) {
		size_t at = find(&d->plan, &s->externals.v[i]);

		if (at != NO_ENDPOINT && has_rows(&claimed[at], share))
			err = add_rows(d, s, &s->externals.v[i]);
	}
	return err;
}

int draft_externals(struct draft *d)
{
	const struct mesh_world *w = d->world;
	_free_ struct claimed *claimed =
		calloc(d->plan.n_endpoints + 1, sizeof(*claimed));
	size_t share;
	int err;

	if (!claimed)
		return -ENOMEM;
	if (!count(d, claimed))
		return 0;
	share = share_of(d, claimed);
	err = give_up_all(d, claimed, share);
	for (size_t i = 0; i < w->n_services && !err; i++)
		err = add_service(d, claimed, share, &w->services[i]);
	return err;
}

/* ---- ClusterIPs -----------------------------------------------------------
 */

#define PORT_BYTES (65536 / 8)

static void ports_of(const struct mesh_service *s,
		     unsigned char bits[PORT_BYTES])
{
	memset(bits, s->broken ? 0xff : 0, PORT_BYTES);
	for (size_t i = 0; i < s->n_ports; i++)
		bits[s->ports[i].port / 8] |= 1 << s->ports[i].port % 8;
}

/* The first row at or after @addr; they are in order. */
static size_t first_row(const struct mesh_plan *plan,
			const struct smc_addr *addr)
{
	const struct smc_addr_port key = addr_port(addr, 0);
	size_t lo = 0, hi = plan->n_services;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr_port_cmp(&plan->services[mid].key, &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void deny_rows(struct mesh_plan *plan, const struct smc_addr *addr,
		      const struct mesh_service *by,
		      const unsigned char bits[PORT_BYTES])
{
	for (size_t i = first_row(plan, addr); i < plan->n_services; i++) {
		struct plan_service *row = &plan->services[i];

		if (memcmp(row->key.ip, addr->ip, sizeof(addr->ip)))
			return;
		if (!(bits[row->key.port / 8] & 1 << row->key.port % 8))
			continue;
		*row = (struct plan_service){.key = row->key,
					     .ns = by->ns,
					     .service = by->name,
					     .why = MESH_SERVICE_EXTERNAL};
	}
}

void draft_shared_addrs(struct draft *d)
{
	const struct mesh_world *w = d->world;
	unsigned char bits[PORT_BYTES];

	for (size_t i = 0; i < w->n_services; i++) {
		const struct mesh_service *s = &w->services[i];
		bool made = false;

		for (size_t k = 0; k < s->externals.n; k++) {
			if (!draft_is_service(d, &s->externals.v[k]))
				continue;
			if (!made)
				ports_of(s, bits);
			made = true;
			deny_rows(&d->plan, &s->externals.v[k], s, bits);
		}
	}
}
