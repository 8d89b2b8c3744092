/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mesh_plan() should say, written the other way round: no sorting, no
 * groups, only questions with "for all" and "there is" over everything,
 * quadratic and worse. For test_plan_model.c.
 */
#pragma once

#include "worlds.h"

#define PODS 10
#define NODES 4
#define ENDPOINTS 4

/* All the addresses there are; the first six can be endpoints. */
static const char *const addr_texts[] = {
	"10.0.0.1", "10.0.0.2", "10.0.0.3",  "10.0.0.4",
	"fd00::1",  "fd00::2",	"127.0.0.1", "fe80::1",
};
#define N_ADDRS (sizeof(addr_texts) / sizeof(*addr_texts))
static struct smc_addr pool[N_ADDRS];
#define N_USABLE 6

/* ---- the reference: pods --------------------------------------------------
 */

static const struct mesh_seen *ref_seen(struct scene *s,
					const struct mesh_pod *p)
{
	for (size_t i = 0; i < s->n_seen; i++)
		if (s->seen[i].pod_uid && !strcmp(s->seen[i].pod_uid, p->uid))
			return &s->seen[i];
	return NULL;
}

static bool ref_is_in(const struct smc_addr *a, const struct mesh_addrs *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!memcmp(a, &list->v[i], sizeof(*a)))
			return true;
	return false;
}

static bool ref_usable(const struct smc_addr *a)
{
	for (size_t i = 0; i < N_USABLE; i++)
		if (!memcmp(a, &pool[i], sizeof(*a)))
			return true;
	return false;
}

static bool ref_mesh_on(const struct mesh_config *c)
{
	return c->enabled == MESH_ON ||
	       (c->enabled == MESH_UNSET && c->asm_enabled == MESH_ON);
}

/* Would p publish a, if nobody else claimed it? */
static bool ref_found(struct scene *s, const struct mesh_pod *p,
		      const struct smc_addr *a)
{
	const struct mesh_seen *seen = ref_seen(s, p);

	return seen && ref_usable(a) && ref_is_in(a, &p->addrs) &&
	       ref_is_in(a, &seen->addrs);
}

static bool ref_found_any(struct scene *s, const struct mesh_pod *p)
{
	for (size_t i = 0; i < N_ADDRS; i++)
		if (ref_found(s, p, &pool[i]))
			return true;
	return false;
}

/* Why the pod alone, without regard to others, is not armed: the first row that
 * is true. */
static enum smc_reason ref_alone(struct scene *s, const struct mesh_pod *p)
{
	static const struct mesh_seen nothing;
	const struct mesh_seen *seen = ref_seen(s, p) ?: &nothing;
	const struct mesh_host *h = &s->host;
	const __u64 place =
		p->host_network ? seen->cgroup_id : seen->netns_cookie;
	const struct {
		bool is;
		enum smc_reason reason;
	} rows[] = {
		{p->ended, SMC_REASON_POD_ENDED},
		{p->problem, SMC_REASON_BAD_ANNOTATION},
		{p->enabled != MESH_ON, SMC_REASON_NOT_ANNOTATED},
		{p->other_product, SMC_REASON_OTHER_PRODUCT},
		{p->forwards, SMC_REASON_FORWARDS},
		{!ref_mesh_on(&s->world.config), SMC_REASON_MESH_OFF},
		{!h->converter, SMC_REASON_NO_CONVERTER},
		{!h->selector, SMC_REASON_NO_SELECTOR},
		{p->host_network && !h->cgroup2, SMC_REASON_NO_CGROUP2},
		{!seen->pod_id && seen->reason, seen->reason},
		{!seen->pod_id, SMC_REASON_NO_NETNS},
		{!seen->verified && seen->reason, seen->reason},
		{!seen->verified, SMC_REASON_NO_NETNS},
		{!place && p->host_network, SMC_REASON_NO_CGROUP2},
		{!place, SMC_REASON_NO_NETNS},
		{!p->host_network && place == h->netns_cookie,
		 SMC_REASON_NO_NETNS},
		{seen->sidecar && !seen->n_owners, SMC_REASON_OWNER_RULE},
		{!seen->transports, SMC_REASON_NO_TRANSPORT},
		{p->addrs.n && !ref_found_any(s, p), SMC_REASON_NO_ADDRESS},
		{true, SMC_REASON_NONE},
	};
	size_t i = 0;

	while (!rows[i].is)
		i++;
	return rows[i].reason;
}

static bool ref_own(const struct mesh_pod *p)
{
	return !strcmp(p->node, "n1");
}

static bool ref_same_place(struct scene *s, const struct mesh_pod *a,
			   const struct mesh_pod *b)
{
	if (a->host_network != b->host_network)
		return false;
	if (a->host_network)
		return ref_seen(s, a)->cgroup_id == ref_seen(s, b)->cgroup_id;
	return ref_seen(s, a)->netns_cookie == ref_seen(s, b)->netns_cookie;
}

/* Armed, before anyone has looked at who owns which address. */
static enum smc_reason ref_before(struct scene *s, const struct mesh_pod *p)
{
	if (ref_alone(s, p))
		return ref_alone(s, p);
	for (size_t i = 0; i < s->world.n_pods; i++) {
		const struct mesh_pod *q = &s->pods[i];

		if (q != p && ref_own(q) && !ref_alone(s, q) &&
		    ref_same_place(s, p, q) && q->created >= p->created)
			return SMC_REASON_NO_NETNS;
	}
	return SMC_REASON_NONE;
}

/* ---- the reference: addresses ---------------------------------------------
 */

struct ref_claim {
	size_t addr; /* in the pool */
	const char *node, *uid;
	bool host, publishes;
	long long created;
	__u32 transports;
};

struct ref_claims {
	struct ref_claim v[PODS * N_ADDRS + NODES * ENDPOINTS];
	size_t n;
};

/* SMC-R is for IPv4, which the first four of the pool are. */
static __u32 ref_at(size_t addr, __u32 transports)
{
	return addr < 4 ? transports : transports & ~R;
}

static bool ref_same(const struct ref_claim *a, const struct ref_claim *b)
{
	return a->host == b->host && !strcmp(a->node, b->node) &&
	       (a->host || !strcmp(a->uid, b->uid));
}

static bool ref_has_node(struct scene *s, const char *name)
{
	for (size_t i = 0; i < s->world.n_nodes; i++)
		if (!strcmp(s->nodes[i].name, name))
			return true;
	return false;
}

static bool ref_ended(struct scene *s, const char *uid)
{
	for (size_t i = 0; i < s->world.n_pods; i++)
		if (s->pods[i].ended && !strcmp(s->pods[i].uid, uid))
			return true;
	return false;
}

static void ref_claim_pod(struct scene *s, struct ref_claims *c,
			  const struct mesh_pod *p, size_t addr)
{
	const struct mesh_seen *seen = ref_seen(s, p);
	bool own = ref_own(p);
	bool annotated = *p->node && p->enabled == MESH_ON && !p->problem &&
			 !p->forwards && !p->other_product;

	c->v[c->n++] = (struct ref_claim){
		.addr = addr,
		.node = p->node,
		.uid = p->uid,
		.host = p->host_network,
		.created = p->created,
		.publishes =
			own ? !ref_before(s, p) && ref_found(s, p, &pool[addr])
			    : annotated && !ref_has_node(s, p->node),
		.transports = ref_at(addr, own ? (seen ? seen->transports : 0)
					       : s->host.transports & R),
	};
}

static void ref_claim_endpoint(struct scene *s, struct ref_claims *c,
			       const struct mesh_node *n,
			       const struct mesh_endpoint *e, size_t addr)
{
	bool fabric = n->n_ueids && !strcmp(n->ueids[0], s->world.config.ueid);

	c->v[c->n++] = (struct ref_claim){
		.addr = addr,
		.node = n->name,
		.uid = e->uid,
		.host = e->host_network,
		.created = e->created,
		/* without a transport it is a claim and no more */
		.publishes = n->ready && fabric && e->transports,
		.transports = ref_at(addr, e->transports & n->transports & R),
	};
}

static void ref_collect(struct scene *s, struct ref_claims *c)
{
	c->n = 0;
	for (size_t a = 0; a < N_ADDRS; a++) {
		for (size_t i = 0; i < s->world.n_pods; i++)
			if (ref_usable(&pool[a]) && !s->pods[i].ended &&
			    ref_is_in(&pool[a], &s->pods[i].addrs))
				ref_claim_pod(s, c, &s->pods[i], a);
		for (size_t i = 0; i < s->world.n_nodes; i++) {
			const struct mesh_node *n = &s->nodes[i];

			for (size_t k = 0; k < n->n_endpoints; k++)
				if (ref_usable(&pool[a]) &&
				    strcmp(n->name, "n1") &&
				    !ref_ended(s, n->endpoints[k].uid) &&
				    !memcmp(&n->endpoints[k].addr, &pool[a],
					    16))
					ref_claim_endpoint(s, c, n,
							   &n->endpoints[k], a);
		}
	}
}

/* When the claimant of @c was created, as far as this address goes. */
static long long ref_age(const struct ref_claims *all,
			 const struct ref_claim *c)
{
	long long latest = c->created;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].addr == c->addr && ref_same(&all->v[i], c) &&
		    all->v[i].created > latest)
			latest = all->v[i].created;
	return latest;
}

/* Nobody else has a better or an equal claim. */
static bool ref_wins(const struct ref_claims *all, const struct ref_claim *c)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct ref_claim *d = &all->v[i];

		if (d->addr != c->addr || ref_same(c, d))
			continue;
		if (d->host && !c->host)
			return false;
		if (d->host == c->host && ref_age(all, d) >= ref_age(all, c))
			return false;
	}
	return true;
}

/* Is this the first claim of its claimant on its address? */
static bool ref_first(const struct ref_claims *all, const struct ref_claim *c)
{
	for (const struct ref_claim *d = all->v; d < c; d++)
		if (d->addr == c->addr && ref_same(c, d))
			return false;
	return true;
}

static bool ref_publishes(const struct ref_claims *all,
			  const struct ref_claim *c)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].addr == c->addr && ref_same(c, &all->v[i]) &&
		    all->v[i].publishes)
			return true;
	return false;
}

static size_t ref_address_warnings(const struct ref_claims *all, size_t addr)
{
	size_t warnings = 0, tied = 0;
	bool host = false, publishing = false;
	long long top = -1;

	for (size_t i = 0; i < all->n; i++)
		host |= all->v[i].addr == addr && all->v[i].host;
	for (size_t i = 0; i < all->n; i++) {
		const struct ref_claim *c = &all->v[i];

		if (c->addr != addr || !ref_first(all, c))
			continue;
		if (host && !c->host) {
			warnings += ref_publishes(all, c);
			continue;
		}
		if (ref_age(all, c) > top) {
			top = ref_age(all, c);
			tied = 0;
			publishing = false;
		}
		if (ref_age(all, c) == top) {
			tied++;
			publishing |= ref_publishes(all, c);
		}
	}
	return warnings + (tied > 1 && publishing);
}

/* How many sentences there should be. */
static size_t ref_warnings(struct scene *s, const struct ref_claims *all)
{
	size_t n = 0;

	for (size_t i = 0; i < s->world.n_pods; i++) {
		const struct mesh_pod *p = &s->pods[i];
		bool behind = false;

		if (!ref_own(p))
			continue;
		n += ref_alone(s, p) == SMC_REASON_BAD_ANNOTATION;
		n += ref_alone(s, p) == SMC_REASON_OTHER_PRODUCT;
		for (size_t k = 0; k < s->world.n_pods; k++) {
			const struct mesh_pod *q = &s->pods[k];

			if (q == p || !ref_own(q) || ref_alone(s, p) ||
			    ref_alone(s, q) || !ref_same_place(s, p, q))
				continue;
			behind |= q->created > p->created ||
				  (q->created == p->created && q < p);
		}
		n += behind;
	}
	for (size_t a = 0; a < N_ADDRS && ref_mesh_on(&s->world.config); a++)
		n += ref_address_warnings(all, a);
	return n;
}
