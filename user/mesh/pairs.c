// SPDX-License-Identifier: Apache-2.0
#include "mesh/pairs.h"

#include <errno.h>
#include <string.h>
#include "base/array.h"

struct build {
	const struct mesh_world *w;
	const struct mesh_plan *plan;
	struct mesh_port *ports; /* by namespace */
	size_t n_ports;
	const struct smc_path_key *wished;
	size_t n_wished;
	struct mesh_pairs *out;
};

struct smc_path_key mesh_path_key(const struct smc_addr *own,
				  const struct smc_addr *peer)
{
	struct smc_path_key key;

	memcpy(key.own, own->ip + 12, sizeof(key.own));
	memcpy(key.peer, peer->ip + 12, sizeof(key.peer));
	return key;
}

struct smc_addr mesh_path_addr(const __u8 end[4])
{
	struct smc_addr addr = {.ip = {[10] = 0xff, [11] = 0xff}};

	memcpy(addr.ip + 12, end, 4);
	return addr;
}

void mesh_pairs_free(struct mesh_pairs *pairs)
{
	free(pairs->v);
	free(pairs->ways);
	free(pairs->behind);
	memset(pairs, 0, sizeof(*pairs));
}

/* ---- ports --------------------------------------------------------------- */

static int port_cmp(const void *a, const void *b)
{
	const struct mesh_port *x = a, *y = b;

	return strcmp(x->ns, y->ns);
}

/* The ports of namespace @ns: the first one; *@n: how many. */
static const struct mesh_port *ports_of(const struct build *b, const char *ns,
					size_t *n)
{
	const struct mesh_port key = {.ns = ns};
	size_t lo = 0, hi = b->n_ports, end;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (port_cmp(&b->ports[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < b->n_ports; end++)
		if (port_cmp(&b->ports[end], &key))
			break;
	*n = end - lo;
	return b->ports + lo;
}

static const struct mesh_port *port_at(const struct build *b,
				       const struct smc_addr *addr)
{
	for (size_t i = 0; i < b->n_ports; i++)
		if (!addr_cmp(&b->ports[i].addr, addr))
			return &b->ports[i];
	return NULL;
}

/* Would a connection between the two go over RDMA, if it were SMC's? */
static bool over_rdma(const struct mesh_port *p, __u32 transports)
{
	__u32 common = p->transports & transports;

	return common && !(common & SMC_TRANSPORT_SMCD);
}

static bool is_pair(const struct mesh_port *p, const struct plan_endpoint *e)
{
	return addr_is_v4(&e->addr) && over_rdma(p, e->value.transports) &&
	       addr_cmp(&p->addr, &e->addr);
}

/* ---- pairs --------------------------------------------------------------- */

static int add_pair(struct build *b, const struct mesh_port *p,
		    const struct plan_endpoint *e, bool near)
{
	struct mesh_path_want *slot;

	if (!is_pair(p, e))
		return 0;
	slot = array_push(b->out->v, b->out->n);
	if (!slot)
		return -ENOMEM;
	slot->key = mesh_path_key(&p->addr, &e->addr);
	slot->near = near;
	return 0;
}

static int add_near(struct build *b, const struct plan_endpoint *e)
{
	const struct mesh_port *p;
	size_t n;
	int err = 0;

	if (!e->ns)
		return 0;
	p = ports_of(b, e->ns, &n);
	for (size_t i = 0; i < n && !err; i++)
		err = add_pair(b, &p[i], e, true);
	return err;
}

static int add_wished(struct build *b, const struct smc_path_key *key)
{
	const struct smc_addr own = mesh_path_addr(key->own);
	const struct smc_addr peer = mesh_path_addr(key->peer);
	const struct plan_endpoint *e = mesh_endpoint_find(b->plan, &peer);
	const struct mesh_port *p = port_at(b, &own);

	return e && p ? add_pair(b, p, e, false) : 0;
}

static int add_far(struct build *b, const struct plan_endpoint *e)
{
	int err = 0;

	if (!(e->value.transports & SMC_TRANSPORT_SMCR))
		return 0;
	for (size_t i = 0; i < b->n_ports && !err; i++) {
		if (b->out->n >= MESH_PATHS_MAX)
			return 0;
		if (!e->ns || strcmp(b->ports[i].ns, e->ns))
			err = add_pair(b, &b->ports[i], e, false);
	}
	return err;
}

static int want_key_cmp(const void *a, const void *b)
{
	const struct mesh_path_want *x = a, *y = b;

	return mesh_path_cmp(&x->key, &y->key);
}

static int want_cmp(const void *a, const void *b)
{
	const struct mesh_path_want *x = a, *y = b;

	return want_key_cmp(a, b) ?: y->near - x->near;
}

/* Of two with the same key the near one stays. */
static void pairs_sort(struct mesh_pairs *pairs)
{
	pairs->n = array_sort_once(pairs->v, pairs->n, sizeof(*pairs->v),
				   want_cmp, want_key_cmp);
}

/* ---- ways ---------------------------------------------------------------- */

/* Does a port of the Service lead over RDMA? */
static bool is_way(const struct build *b, const struct mesh_service *s,
		   const struct smc_addr *addr, const struct mesh_port *p)
{
	const struct plan_service *row;

	for (size_t i = 0; i < s->n_ports; i++) {
		row = mesh_service_find(b->plan, addr, s->ports[i].port);
		if (row && over_rdma(p, row->transports))
			return true;
	}
	return false;
}

/* A backend on this node uses shared memory, or is the pod itself: no path. */
static int add_behind(struct build *b, const struct mesh_port *p,
		      const struct smc_addr *backend)
{
	const struct plan_endpoint *e = mesh_endpoint_find(b->plan, backend);
	struct smc_path_key *slot;

	if (!e || !is_pair(p, e))
		return 0;
	slot = array_push(b->out->behind, b->out->n_behind);
	if (!slot)
		return -ENOMEM;
	*slot = mesh_path_key(&p->addr, backend);
	return add_pair(b, p, e, !strcmp(p->ns, e->ns ?: ""));
}

static int add_way(struct build *b, const struct mesh_service *s,
		   const struct smc_addr *addr, const struct mesh_port *p)
{
	struct mesh_way way = {.key = mesh_path_key(&p->addr, addr),
			       .first = b->out->n_behind};
	struct mesh_way *slot;
	int err = 0;

	if (!addr_is_v4(addr) || !is_way(b, s, addr, p))
		return 0;
	for (size_t i = 0; i < b->w->n_slices; i++) {
		const struct mesh_slice *slice = &b->w->slices[i];

		if (strcmp(slice->service, s->name) || strcmp(slice->ns, s->ns))
			continue;
		for (size_t k = 0; k < slice->backends.n && !err; k++)
			err = add_behind(b, p, &slice->backends.v[k]);
	}
	way.n = b->out->n_behind - way.first;
	if (err || !way.n)
		return err;
	slot = array_push(b->out->ways, b->out->n_ways);
	if (!slot)
		return -ENOMEM;
	*slot = way;
	return 0;
}

static int add_ways_near(struct build *b, const struct mesh_service *s)
{
	const struct mesh_port *p;
	size_t n;
	int err = 0;

	p = ports_of(b, s->ns, &n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < s->addrs.n && !err; k++)
			err = add_way(b, s, &s->addrs.v[k], &p[i]);
	return err;
}

static int add_ways_wished(struct build *b, const struct smc_path_key *key)
{
	const struct smc_addr own = mesh_path_addr(key->own);
	const struct smc_addr peer = mesh_path_addr(key->peer);
	const struct mesh_port *p = port_at(b, &own);
	int err = 0;

	if (!p || mesh_endpoint_find(b->plan, &peer))
		return 0;
	for (size_t i = 0; i < b->w->n_services && !err; i++) {
		const struct mesh_service *s = &b->w->services[i];

		for (size_t k = 0; k < s->addrs.n && !err; k++)
			if (!addr_cmp(&s->addrs.v[k], &peer))
				err = add_way(b, s, &peer, p);
	}
	return err;
}

static int way_cmp(const void *a, const void *b)
{
	const struct mesh_way *x = a, *y = b;

	return mesh_path_cmp(&x->key, &y->key);
}

/* Of two with the same key either will do: both are of one Service. */
static void ways_sort(struct mesh_pairs *pairs)
{
	pairs->n_ways = array_sort_once(pairs->ways, pairs->n_ways,
					sizeof(*pairs->ways), way_cmp, way_cmp);
}

/* ---- what holds for a way ------------------------------------------------ */

struct mesh_way *mesh_way_find(struct mesh_pairs *pairs,
			       const struct smc_path_key *key)
{
	return pairs->n_ways ? bsearch(key, pairs->ways, pairs->n_ways,
				       sizeof(*pairs->ways), mesh_path_cmp)
			     : NULL;
}

static __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

void mesh_ways_need(const struct mesh_pairs *pairs, struct mesh_paths *paths)
{
	for (size_t i = 0; i < pairs->n_ways; i++) {
		const struct mesh_way *way = &pairs->ways[i];

		for (size_t k = 0; k < way->n; k++) {
			struct mesh_path *p = mesh_paths_find(
				paths, &pairs->behind[way->first + k]);

			if (!p)
				continue;
			p->row.used_ns =
				later(p->row.used_ns, way->row.used_ns);
			p->row.wished_ns =
				later(p->row.wished_ns, way->row.wished_ns);
		}
	}
}

bool mesh_way_told(const struct mesh_pairs *pairs, struct mesh_paths *paths,
		   const struct mesh_way *way, __u64 now,
		   struct smc_path_job *job)
{
	bool bad = false;

	*job = (struct smc_path_job){
		.key = way->key, .asked_ns = now, .until_ns = SMC_NO_END};
	for (size_t k = 0; k < way->n; k++) {
		const struct mesh_path *p =
			mesh_paths_find(paths, &pairs->behind[way->first + k]);
		static const struct smc_path none;
		const struct smc_path *row = p ? &p->row : &none;

		bad |= row->bad_ns != 0;
		if (row->bad_ns || row->proven_until_ns < job->until_ns)
			job->until_ns = row->bad_ns ? 0 : row->proven_until_ns;
		if (row->seen_ns < job->asked_ns)
			job->asked_ns = row->seen_ns;
	}
	if (job->until_ns > now)
		return job->until_ns > way->row.proven_until_ns ||
		       way->row.bad_ns;
	job->until_ns = 0;
	/* the way's own row has the time when a proof runs out */
	return bad && !way->row.bad_ns && way->row.proven_until_ns > now;
}

/* ---- together ------------------------------------------------------------ */

static int build_all(struct build *b)
{
	const struct mesh_plan *plan = b->plan;
	int err = 0;

	for (size_t i = 0; i < plan->n_endpoints && !err; i++)
		err = add_near(b, &plan->endpoints[i]);
	for (size_t i = 0; i < b->n_wished && !err; i++)
		err = add_wished(b, &b->wished[i])
			      ?: add_ways_wished(b, &b->wished[i]);
	for (size_t i = 0; i < b->w->n_services && !err; i++)
		err = add_ways_near(b, &b->w->services[i]);
	for (size_t i = 0; i < plan->n_endpoints && !err; i++)
		err = add_far(b, &plan->endpoints[i]);
	pairs_sort(b->out);
	ways_sort(b->out);
	return err;
}

int mesh_pairs_of(const struct mesh_world *w, const struct mesh_plan *plan,
		  const struct mesh_port *ports, size_t n_ports,
		  const struct smc_path_key *wished, size_t n_wished,
		  struct mesh_pairs *out)
{
	struct build b = {.w = w,
			  .plan = plan,
			  .n_ports = n_ports,
			  .wished = wished,
			  .n_wished = n_wished,
			  .out = out};
	int err;

	memset(out, 0, sizeof(*out));
	if (!n_ports)
		return 0;
	b.ports = malloc(n_ports * sizeof(*b.ports));
	if (!b.ports)
		return -ENOMEM;
	memcpy(b.ports, ports, n_ports * sizeof(*b.ports));
	qsort(b.ports, n_ports, sizeof(*b.ports), port_cmp);
	err = build_all(&b);
	free(b.ports);
	if (err)
		mesh_pairs_free(out);
	return err;
}
