// SPDX-License-Identifier: Apache-2.0
/*
 * Which address:port, beside the endpoints, may be offered SMC.
 *
 * - A TCP port of a ClusterIP. Its SYN leaves with that address, and a proxy
 *   rewrites it to one of the backends, which the agent cannot foresee: so all
 *   of them must be endpoints, and the transports are those that all have. A
 *   backend counts while it is ready or serving, whatever hints and policies
 *   say of it; and it must not be excluded itself, since the exclusions are
 *   asked about the ClusterIP only. No backend, no row. Nor may there be others
 *   than the slices list: backends in other clusters, a proxy that is not the
 *   node's own, or a program on this node, which holds the address itself.
 * - A port of a node's address at which an SMC socket of an armed hostNetwork
 *   pod listens, unless it is some Service's NodePort, an external address's
 *   (externals.c), or the hostPort of a pod there: a proxy comes first.
 *
 * Any other port has a row with transports 0: the verdict then says
 * mixed-service instead of not-endpoint.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "mesh/draft.h"

/* ---- ClusterIPs -----------------------------------------------------------
 */

static int collect_addrs(struct draft *d, const struct mesh_service *s)
{
	for (size_t i = 0; i < s->addrs.n; i++) {
		struct smc_addr *slot =
			array_push(d->service_addrs, d->n_service_addrs);

		if (!slot)
			return -ENOMEM;
		*slot = s->addrs.v[i];
	}
	return 0;
}

static int collect_node_ports(struct draft *d)
{
	const struct mesh_world *w = d->world;
	_free_ __u16 *v = NULL;
	__u16 *slot;
	size_t n = 0;

	for (size_t i = 0; i < w->n_services; i++)
		for (size_t k = 0; k < w->services[i].node_ports.n; k++) {
			slot = array_push(v, n);
			if (!slot)
				return -ENOMEM;
			*slot = w->services[i].node_ports.v[k];
		}
	return mesh_ports_set(&d->node_ports, v, n);
}

int draft_service_addrs(struct draft *d)
{
	const struct mesh_world *w = d->world;
	int err = 0;

	for (size_t i = 0; i < w->n_services && !err; i++)
		err = collect_addrs(d, &w->services[i]);
	if (!err && d->n_service_addrs)
		qsort(d->service_addrs, d->n_service_addrs,
		      sizeof(*d->service_addrs), addr_order);
	return err ?: collect_node_ports(d);
}

/* ---- hostPorts ------------------------------------------------------------
 */

static int collect_host_ports(struct draft *d)
{
	_free_ __u16 *v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < d->plan.n_pods; i++) {
		const struct mesh_pod *pod = d->plan.pods[i].pod;

		for (size_t k = 0; !pod->ended && k < pod->host_ports.n; k++) {
			__u16 *slot = array_push(v, n);

			if (!slot)
				return -ENOMEM;
			*slot = pod->host_ports.v[k];
		}
	}
	return mesh_ports_set(&d->host_ports, v, n);
}

/* Other nodes learn only of these: they do not know our pods' hostPorts. */
int draft_listens(struct draft *d)
{
	int err = collect_host_ports(d);

	for (size_t i = 0; i < d->plan.n_pods && !err; i++) {
		const struct mesh_seen *seen = d->own[i].seen;
		struct mesh_ports *listens = &d->own[i].listens;
		size_t kept = 0;

		if (!seen)
			continue;
		err = mesh_ports_set(listens, seen->listens.v, seen->listens.n);
		for (size_t k = 0; k < listens->n; k++)
			if (!mesh_ports_has(&d->host_ports, listens->v[k]))
				listens->v[kept++] = listens->v[k];
		listens->n = kept;
	}
	return err;
}

/* ---- rows -----------------------------------------------------------------
 */

/* By key; then by transports and why: rows that are equal in these are
 * alike. */
static int row_cmp(const void *a, const void *b)
{
	const struct plan_service *x = a, *y = b;
	int order = addr_port_cmp(&x->key, &y->key);

	if (order)
		return order;
	if (x->transports != y->transports)
		return x->transports < y->transports ? -1 : 1;
	return (x->why < y->why) - (x->why > y->why);
}

/* Merge two rows for one key into what both allow. */
static void rows_merge(struct mesh_plan *plan)
{
	struct plan_service *v = plan->services;
	size_t kept = 0;

	if (!plan->n_services)
		return;
	qsort(v, plan->n_services, sizeof(*v), row_cmp);
	for (size_t i = 1; i < plan->n_services; i++) {
		if (addr_port_cmp(&v[kept].key, &v[i].key))
			v[++kept] = v[i];
		else
			v[kept].transports &= v[i].transports;
	}
	plan->n_services = kept + 1;
}

/* Does it keep an endpoint's address:port from what the endpoint's row allows?
 * All other rows without transports only explain: a ClusterIP is no endpoint.
 */
static bool guards(const struct draft *d, const struct plan_service *row)
{
	struct smc_addr addr;

	memcpy(addr.ip, row->key.ip, sizeof(addr.ip));
	return row->why == MESH_SERVICE_EXTERNAL && !draft_is_service(d, &addr);
}

/* If there is no room for all, drop those that only explain first, then those
 * that offer. */
static int rows_fit(struct draft *d)
{
	struct mesh_plan *plan = &d->plan;
	size_t n_guards = 0, kept = 0, offered = 0, left = 0;

	if (plan->n_services <= SERVICES_MAX)
		return 0;
	for (size_t i = 0; i < plan->n_services; i++)
		n_guards += guards(d, &plan->services[i]);
	for (size_t i = 0; i < plan->n_services; i++) {
		const struct plan_service *row = &plan->services[i];
		bool stays = guards(d, row);

		if (!stays && !row->transports)
			continue;
		if (!stays && n_guards + offered >= SERVICES_MAX) {
			left++;
			continue;
		}
		offered += !stays;
		plan->services[kept++] = *row;
	}
	plan->n_services = kept;
	return !left ? 0
		     : draft_warn(d,
				  "%zu ports of Services found no room in "
				  "smc_service: they are not offered SMC",
				  left);
}

int draft_listeners(struct draft *d, const struct plan_endpoint *e,
		    __u32 transports, const struct mesh_ports *ports)
{
	for (size_t i = 0; i < ports->n; i++) {
		struct plan_service *row;

		if (mesh_ports_has(&d->node_ports, ports->v[i]))
			continue;
		row = array_push(d->plan.services, d->plan.n_services);
		if (!row)
			return -ENOMEM;
		row->key = addr_port(&e->addr, ports->v[i]);
		row->transports = transports;
		row->ns = e->ns;
		row->pod = e->pod;
	}
	return 0;
}

/* ---- backends -------------------------------------------------------------
 */

static bool excluded(const struct mesh_config *c, const struct smc_addr *addr,
		     __u16 port)
{
	for (size_t i = 0; i < c->n_exclude_cidrs; i++)
		if (cidr_has(&c->exclude_cidrs[i], addr))
			return true;
	return mesh_ranges_has(&c->exclude_ports, port);
}

struct services {
	struct draft *d;
	const struct mesh_slice **slices; /* by Service */
	size_t n_slices;
	size_t n_before; /* sorted rows from before */
};

/* By which transports may this backend be offered SMC? 0: none. */
static __u32 backend_transports(const struct services *s,
				const struct smc_addr *addr, __u16 port)
{
	const struct mesh_plan *plan = &s->d->plan;
	const struct plan_endpoint *e = mesh_endpoint_find(plan, addr);
	const struct smc_addr_port key = addr_port(addr, port);
	const struct plan_service *row;

	if (!e || excluded(&s->d->world->config, addr, port))
		return 0;
	/* Its port has a row of its own: a proxy on its node comes first. */
	row = services_find(plan->services, s->n_before, &key);
	if (row)
		return row->transports;
	return e->value.flags & SMC_ENDPOINT_ANSWER_ONLY ? 0
							 : e->value.transports;
}

/* What all backends of one port of a ClusterIP allow. */
struct shared {
	__u32 transports;
	size_t backends;
	bool unread; /* there may be other backends */
	struct smc_addr stranger;
};

static void share(const struct services *s, const struct smc_addr *backend,
		  __u16 port, struct shared *all)
{
	__u32 transports = backend_transports(s, backend, port);

	all->backends++;
	if (!(all->transports & transports) && all->transports)
		all->stranger = *backend;
	all->transports &= transports;
}

/* A proxy stays in the family of the address that was dialled. */
static void share_slice(const struct services *s,
			const struct mesh_slice *slice,
			const struct smc_addr *addr, const char *port,
			struct shared *all)
{
	if (slice->broken) {
		all->backends++;
		all->unread = true;
	}
	for (size_t i = 0; i < slice->n_ports; i++) {
		if (strcmp(slice->ports[i].name, port))
			continue;
		for (size_t k = 0; k < slice->backends.n; k++)
			if (addr_is_v4(&slice->backends.v[k]) ==
			    addr_is_v4(addr))
				share(s, &slice->backends.v[k],
				      slice->ports[i].port, all);
	}
}

/* ---- Services -------------------------------------------------------------
 */

static int slice_cmp(const void *a, const void *b)
{
	const struct mesh_slice *const *x = a, *const *y = b;
	int order = strcmp((*x)->ns, (*y)->ns);

	return order ? order : strcmp((*x)->service, (*y)->service);
}

static int index_slices(struct services *s)
{
	const struct mesh_world *w = s->d->world;

	s->slices = calloc(w->n_slices + 1, sizeof(*s->slices));
	if (!s->slices)
		return -ENOMEM;
	for (size_t i = 0; i < w->n_slices; i++)
		if (*w->slices[i].service)
			s->slices[s->n_slices++] = &w->slices[i];
	qsort(s->slices, s->n_slices, sizeof(*s->slices), slice_cmp);
	return 0;
}

/* The slices of @service: the first one; *@n: how many. */
static const struct mesh_slice **slices_of(const struct services *s,
					   const struct mesh_service *service,
					   size_t *n)
{
	const struct mesh_slice key = {.ns = service->ns,
				       .service = service->name};
	const struct mesh_slice *pkey = &key;
	size_t lo = 0, hi = s->n_slices, end;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (slice_cmp(&s->slices[mid], &pkey) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < s->n_slices; end++)
		if (slice_cmp(&s->slices[end], &pkey))
			break;
	*n = end - lo;
	return s->slices + lo;
}

static bool is_local(const struct mesh_host *host, const struct smc_addr *addr)
{
	for (size_t i = 0; i < host->n_local_nets; i++)
		if (cidr_has(&host->local_nets[i], addr))
			return true;
	return host->local.n && bsearch(addr, host->local.v, host->local.n,
					sizeof(*host->local.v), addr_order);
}

/* Why may nothing be offered there, judging by its backends? */
static enum mesh_service_why why_not(const struct services *s,
				     const struct mesh_service *service,
				     const struct smc_addr *addr,
				     const struct shared *all)
{
	if (service->elsewhere)
		return MESH_SERVICE_ELSEWHERE;
	if (is_local(s->d->host, addr))
		return MESH_SERVICE_LOCAL;
	if (all->unread)
		return MESH_SERVICE_UNREAD;
	return all->transports ? MESH_SERVICE_NONE : MESH_SERVICE_BACKEND;
}

static int add_port(struct services *s, const struct mesh_service *service,
		    const struct smc_addr *addr,
		    const struct mesh_service_port *port)
{
	struct shared all = {.transports = ~0U};
	const struct mesh_slice **slices;
	struct plan_service *row;
	size_t n;

	slices = slices_of(s, service, &n);
	for (size_t i = 0; i < n; i++)
		share_slice(s, slices[i], addr, port->name, &all);
	if (!all.backends)
		return 0;
	row = array_push(s->d->plan.services, s->d->plan.n_services);
	if (!row)
		return -ENOMEM;
	row->key = addr_port(addr, port->port);
	row->ns = service->ns;
	row->service = service->name;
	row->why = why_not(s, service, addr, &all);
	if (row->why == MESH_SERVICE_NONE)
		row->transports = all.transports;
	else if (row->why == MESH_SERVICE_BACKEND)
		row->stranger = all.stranger;
	return 0;
}

static int add_service(struct services *s, const struct mesh_service *service)
{
	int err = 0;

	for (size_t i = 0; i < service->addrs.n; i++)
		for (size_t k = 0; k < service->n_ports && !err; k++)
			err = add_port(s, service, &service->addrs.v[i],
				       &service->ports[k]);
	return err;
}

int draft_services(struct draft *d)
{
	struct services s = {.d = d};
	int err = index_slices(&s);

	rows_merge(&d->plan);
	s.n_before = d->plan.n_services;
	for (size_t i = 0; i < d->world->n_services && !err; i++)
		err = add_service(&s, &d->world->services[i]);
	free(s.slices);
	rows_merge(&d->plan);
	draft_shared_addrs(d);
	return err ?: rows_fit(d);
}
