// SPDX-License-Identifier: Apache-2.0
/*
 * The external addresses of Services, where they are an endpoint's or a node's.
 *
 * Whoever may write a Service may name any address: nodes', since traffic that
 * comes to them is meant, or another tenant's pod's. A proxy on every node
 * takes what is sent to that address at the Service's ports, and gives it to
 * the Service's backends. So at these ports, and at no others, such an address
 * is not offered SMC: a row without transports, which the verdict asks before
 * the endpoint's. (At any other address nothing is offered without a row.) The
 * pod itself stays armed, and an endpoint to whom it connects: its address is
 * not taken for a Service's as a ClusterIP is, or one Service would disarm it.
 *
 * Rows that find no room must not be left out, and all the ports of one address
 * alone could fill the map. EXTERNALS_MAX rows are for this; where more are
 * wanted, the addresses that want most get none, and are offered SMC at no port
 * instead: SMC_ENDPOINT_ANSWER_ONLY. So who names few ports of an address does
 * not lose by others who name many of theirs. An address with a Service whose
 * ports were not all understood is one of these, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "mesh/parts.h"

struct claimed_port {
	size_t endpoint; /* index into plan.endpoints */
	__u16 port;	 /* 0: all of them */
	const struct mesh_service *service;
	size_t seq; /* makes the order total */
};

struct claimed_ports {
	struct claimed_port *v; /* sorted, each port of an endpoint once */
	size_t n;
};

static void claimed_free(struct claimed_ports *c)
{
	free(c->v);
}

/* ---- collecting -----------------------------------------------------------
 */

static int add_claim(struct claimed_ports *claimed, size_t endpoint, __u16 port,
		     const struct mesh_service *service)
{
	struct claimed_port *c = array_push(claimed->v, claimed->n);

	if (!c)
		return -ENOMEM;
	*c = (struct claimed_port){endpoint, port, service, claimed->n};
	return 0;
}

static int collect_service(const struct mesh_plan *plan,
			   const struct mesh_service *s,
			   struct claimed_ports *claimed)
{
	int err = 0;

	for (size_t i = 0; i < s->externals.n && !err; i++) {
		const struct plan_endpoint *e =
			mesh_endpoint_find(plan, &s->externals.v[i]);

		if (!e)
			continue;
		if (s->broken)
			err = add_claim(claimed, e - plan->endpoints, 0, s);
		for (size_t k = 0; k < s->n_ports && !err; k++)
			err = add_claim(claimed, e - plan->endpoints,
					s->ports[k].port, s);
	}
	return err;
}

static int claimed_cmp(const void *a, const void *b)
{
	const struct claimed_port *x = a, *y = b;

	if (x->endpoint != y->endpoint)
		return x->endpoint < y->endpoint ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

static int collect(const struct draft *d, struct claimed_ports *claimed)
{
	const struct mesh_world *w = d->world;
	struct claimed_port *v;
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < w->n_services && !err; i++)
		err = collect_service(&d->plan, &w->services[i], claimed);
	if (err || !claimed->n)
		return err;
	v = claimed->v;
	qsort(v, claimed->n, sizeof(*v), claimed_cmp);
	for (size_t i = 1; i < claimed->n; i++)
		if (v[kept].endpoint != v[i].endpoint ||
		    v[kept].port != v[i].port)
			v[++kept] = v[i];
	claimed->n = kept + 1;
	return 0;
}

/* ---- room -----------------------------------------------------------------
 */

/* How many from @i on are of its endpoint? */
static size_t run_of(const struct claimed_ports *claimed, size_t i)
{
	size_t end = i;

	while (end < claimed->n &&
	       claimed->v[end].endpoint == claimed->v[i].endpoint)
		end++;
	return end - i;
}

static bool has_rows(const struct claimed_ports *claimed, size_t i, size_t run,
		     size_t share)
{
	return run <= share && claimed->v[i].port;
}

/* The rows that there are if no address has more than @share. */
static size_t rows_at(const struct claimed_ports *claimed, size_t share)
{
	size_t total = 0, run;

	for (size_t i = 0; i < claimed->n; i += run) {
		run = run_of(claimed, i);
		if (has_rows(claimed, i, run, share))
			total += run;
	}
	return total;
}

static size_t share_of(const struct claimed_ports *claimed)
{
	size_t share = EXTERNALS_MAX;

	while (share && rows_at(claimed, share) > EXTERNALS_MAX)
		share /= 2;
	return share;
}

/* ---- rows -----------------------------------------------------------------
 */

static int add_row(struct draft *d, const struct claimed_port *c)
{
	const struct plan_endpoint *e = &d->plan.endpoints[c->endpoint];
	struct plan_service *row =
		array_push(d->plan.services, d->plan.n_services);

	if (!row)
		return -ENOMEM;
	row->key = addr_port(&e->addr, c->port);
	row->why = MESH_SERVICE_EXTERNAL;
	row->ns = c->service->ns;
	row->service = c->service->name;
	return 0;
}

/* Of a node's address the listeners' rows offer. */
static void drop_listeners(struct mesh_plan *plan, const struct smc_addr *addr)
{
	const struct smc_addr_port first = addr_port(addr, 0);
	size_t kept = 0;

	for (size_t i = 0; i < plan->n_services; i++)
		if (memcmp(plan->services[i].key.ip, first.ip,
			   sizeof(first.ip)))
			plan->services[kept++] = plan->services[i];
	plan->n_services = kept;
}

static int give_up(struct draft *d, const struct claimed_port *c)
{
	struct plan_endpoint *e = &d->plan.endpoints[c->endpoint];
	char text[ADDR_STRLEN];

	if (e->value.flags & SMC_ENDPOINT_ANSWER_ONLY)
		drop_listeners(&d->plan, &e->addr);
	e->value.flags |= SMC_ENDPOINT_ANSWER_ONLY;
	return draft_warn(
		d,
		"address %s of pod %s/%s is an external one of Service "
		"%s/%s, %s: it is offered SMC at no port",
		addr_format(&e->addr, text), e->ns, e->pod, c->service->ns,
		c->service->name,
		c->port ? "and of more ports than there is room for"
			: "of which not all ports were understood");
}

int draft_externals(struct draft *d)
{
	_cleanup_(claimed_free) struct claimed_ports claimed = {0};
	int err = collect(d, &claimed);
	size_t share, run;

	if (err)
		return err;
	share = share_of(&claimed);
	for (size_t i = 0; i < claimed.n && !err; i += run) {
		run = run_of(&claimed, i);
		if (!has_rows(&claimed, i, run, share))
			err = give_up(d, &claimed.v[i]);
		else
			for (size_t k = i; k < i + run && !err; k++)
				err = add_row(d, &claimed.v[k]);
	}
	return err;
}
