// SPDX-License-Identifier: Apache-2.0
/*
 * Who owns which address.
 *
 * Every pod that has not ended and every endpoint that an SmcNode lists claims
 * its addresses, whether it may be offered SMC or not: a pod without the
 * annotation that got the address of an older, annotated one must not be taken
 * for it. A claim publishes if it would make the address an endpoint. Then, for
 * each address:
 *
 * - A hostNetwork pod claims its node's address. All of them on one node are
 *   one claimant, and other pods lose against it: servers answer a node's
 *   address, but clients do not offer to it as they do to a pod's.
 * - The claimant created last has it. If two were created at the same second
 *   neither has it, with a warning if one of them publishes.
 * - Then it is an endpoint if its owner publishes it, and no Service has it.
 *
 * The other nodes see of a pod only what its SmcNode lists, so an address that
 * a pod of this node lost stays listed, without a transport: a claim, which
 * makes nobody an endpoint. Without it the node at one end of a tie would see
 * no tie any more, take the address, and so on in turns. A pod that lost to a
 * later one goes on claiming, too: it may be in a tie when that one has gone.
 * An agent that does not know claims takes one for an endpoint without a common
 * transport: it is a rival all the same, and if it gets the address nobody
 * offers to it.
 *
 * (node, UID) names a claimant: an SmcNode may list a pod that the world knows
 * too, and is not its rival. The plan ignores this node's own SmcNode: the node
 * knows its pods better. A node that is not ready, or shares no UEID with us,
 * publishes nothing, but its pods own their addresses.
 *
 * Cost: one sort of all claims, O(n log n).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/when.h"
#include "mesh/draft.h"

struct claim {
	struct smc_addr addr;
	const char *node, *ns, *pod, *uid; /* into the world */
	long long created;
	size_t seq; /* makes the order total */
	size_t own; /* index into plan.pods, or NOT_OWN */
	__u32 transports;
	const struct mesh_ports *ports; /* of a hostNetwork pod; or NULL */
	bool host;
	bool publishes;
};
#define NOT_OWN SIZE_MAX

struct claims {
	struct claim *v;
	size_t n;
};

static void claims_free(struct claims *c)
{
	free(c->v);
}

/* ---- collecting -----------------------------------------------------------
 */

__u32 mesh_transports_at(const struct smc_addr *addr, __u32 transports)
{
	return addr_is_v4(addr) ? transports : transports & ~SMC_TRANSPORT_SMCR;
}

/* As an endpoint a ClusterIP would be offered SMC at every port, whatever is
 * behind it. */
static int warn_service(struct draft *d, const struct claim *c,
			const struct smc_addr *addr)
{
	char text[ADDR_STRLEN];

	if (c->own != NOT_OWN && c->publishes)
		d->own[c->own].lost = true;
	return !c->publishes
		       ? 0
		       : draft_warn(d,
				    "address %s of pod %s/%s is a "
				    "Service's: it is no endpoint",
				    addr_format(addr, text), c->ns, c->pod);
}

static int add_claim(struct draft *d, struct claims *claims,
		     const struct claim *like, const struct smc_addr *addr)
{
	struct claim *c;

	if (draft_is_service(d, addr))
		return warn_service(d, like, addr);
	c = array_push(claims->v, claims->n);
	if (!c)
		return -ENOMEM;
	*c = *like;
	c->addr = *addr;
	c->transports = mesh_transports_at(addr, like->transports);
	c->seq = claims->n;
	return 0;
}

static struct claim pod_claim(const struct mesh_pod *pod)
{
	return (struct claim){
		.node = pod->node,
		.ns = pod->ns,
		.pod = pod->name,
		.uid = pod->uid,
		.created = pod->created,
		.own = NOT_OWN,
		.host = pod->host_network,
	};
}

static bool addrs_have(const struct mesh_addrs *addrs,
		       const struct smc_addr *addr)
{
	for (size_t i = 0; i < addrs->n; i++)
		if (!addr_cmp(&addrs->v[i], addr))
			return true;
	return false;
}

/* An armed program without Kubernetes whose entry says no address has all those
 * of the machine. */
static bool has_machines(const struct plan_pod *p)
{
	return p->pod->cgroup_path && !p->pod->addrs.n && p->armed;
}

/* A pod of this node publishes what a look found in its namespace. It claims
 * what the API says, or the machine's addresses: but not those of Services,
 * which IPVS keeps there. */
static int claim_own(struct draft *d, size_t own, struct claims *claims)
{
	const struct plan_pod *p = &d->plan.pods[own];
	const struct mesh_seen *seen = d->own[own].seen;
	const bool all = has_machines(p);
	const struct mesh_addrs *addrs = all ? &seen->addrs : &p->pod->addrs;
	struct claim claim = pod_claim(p->pod);
	int err = 0;

	if (p->pod->ended)
		return 0;
	claim.own = own;
	claim.transports = p->value.transports;
	if (claim.host && p->armed)
		claim.ports = &d->own[own].listens;
	for (size_t i = 0; i < addrs->n && !err; i++) {
		const struct smc_addr *addr = &addrs->v[i];

		claim.publishes = p->armed && addrs_have(&seen->addrs, addr);
		if (addr_usable(addr) && !(all && draft_is_service(d, addr)))
			err = add_claim(d, claims, &claim, addr);
	}
	return err;
}

/*
 * A pod of another node. If that node has no SmcNode (file source: several
 * machines share one file), the annotation alone publishes, with the transports
 * of our own node that reach another one.
 */
static int claim_other(struct draft *d, const struct mesh_pod *pod,
		       bool node_known, struct claims *claims)
{
	struct mesh_says says = spaces_says(&d->spaces, pod);
	struct claim claim = pod_claim(pod);
	int err = 0;

	if (pod->ended)
		return 0;
	claim.publishes = !node_known && *pod->node && !says.problem &&
			  says.enabled == MESH_ON && !pod->forwards &&
			  !pod->other_product;
	claim.transports = d->plan.transports & SMC_TRANSPORT_SMCR;
	for (size_t i = 0; i < pod->addrs.n && !err; i++)
		if (addr_usable(&pod->addrs.v[i]))
			err = add_claim(d, claims, &claim, &pod->addrs.v[i]);
	return err;
}

/* Nodes with a common UEID are one fabric: without it the kernel declines
 * SMCv2. */
static bool same_fabric(const struct mesh_config *c,
			const struct mesh_node *node)
{
	for (size_t i = 0; i < node->n_ueids; i++)
		if (!strcmp(node->ueids[i], c->ueid))
			return true;
	return false;
}

static int str_ptr_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A set of strings that the world owns; sorted before it is asked. */
struct names {
	const char **v;
	size_t n;
};

static void names_free(struct names *s)
{
	free(s->v);
}

static int names_add(struct names *s, const char *name)
{
	const char **slot = array_push(s->v, s->n);

	if (!slot)
		return -ENOMEM;
	*slot = name;
	return 0;
}

static void names_sort(struct names *s)
{
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), str_ptr_cmp);
}

static bool names_have(const struct names *s, const char *name)
{
	return s->n && bsearch(&name, s->v, s->n, sizeof(*s->v), str_ptr_cmp);
}

static int claim_node(struct draft *d, const struct mesh_node *node,
		      const struct names *ended, struct claims *claims)
{
	bool publishes = node->ready && same_fabric(&d->world->config, node);
	int err = 0;

	for (size_t i = 0; i < node->n_endpoints && !err; i++) {
		const struct mesh_endpoint *e = &node->endpoints[i];
		struct claim claim = {
			.node = node->name,
			.ns = e->ns,
			.pod = e->pod,
			.uid = e->uid,
			.created = e->created,
			.own = NOT_OWN,
			.ports = e->host_network ? &e->ports : NULL,
			.host = e->host_network,
			.publishes = publishes && e->transports,
			.transports = e->transports & node->transports &
				      SMC_TRANSPORT_SMCR,
		};

		if (addr_usable(&e->addr) && !names_have(ended, e->uid))
			err = add_claim(d, claims, &claim, &e->addr);
	}
	return err;
}

static int collect(struct draft *d, struct claims *claims)
{
	_cleanup_(names_free) struct names nodes = {};
	_cleanup_(names_free) struct names ended = {};
	const struct mesh_world *w = d->world;
	int err = 0;

	for (size_t i = 0; i < w->n_nodes && !err; i++)
		err = names_add(&nodes, w->nodes[i].name);
	for (size_t i = 0; i < w->n_pods && !err; i++)
		if (w->pods[i].ended)
			err = names_add(&ended, w->pods[i].uid);
	names_sort(&nodes);
	names_sort(&ended);
	for (size_t i = 0; i < d->plan.n_pods && !err; i++)
		err = claim_own(d, i, claims);
	for (size_t i = 0; i < w->n_pods && !err; i++)
		if (strcmp(w->pods[i].node, d->host->node))
			err = claim_other(d, &w->pods[i],
					  names_have(&nodes, w->pods[i].node),
					  claims);
	for (size_t i = 0; i < w->n_nodes && !err; i++)
		if (strcmp(w->nodes[i].name, d->host->node))
			err = claim_node(d, &w->nodes[i], &ended, claims);
	return err;
}

/* ---- settling -------------------------------------------------------------
 */

/* Order by claimant; claims of one claimant compare equal. */
static int claimant_cmp(const struct claim *a, const struct claim *b)
{
	int order;

	if (a->host != b->host)
		return a->host ? -1 : 1;
	order = strcmp(a->node, b->node);
	if (order || a->host)
		return order;
	return strcmp(a->uid, b->uid);
}

static int claim_cmp(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = addr_cmp(&x->addr, &y->addr);

	if (!order)
		order = claimant_cmp(x, y);
	if (!order)
		order = (x->seq > y->seq) - (x->seq < y->seq);
	return order;
}

/* The claims of one claimant on one address. */
struct bid {
	struct claim *v;
	size_t n;
	const struct claim *face; /* the latest that publishes; or NULL */
	long long created;
	__u32 transports; /* common to all that publish */
};

static struct bid take_bid(struct claim *v, const struct claim *end)
{
	struct bid bid = {.v = v, .created = v->created, .transports = ~0U};

	for (; v < end && !claimant_cmp(bid.v, v); v++, bid.n++) {
		if (v->created > bid.created)
			bid.created = v->created;
		if (!v->publishes)
			continue;
		bid.transports &= v->transports;
		if (!bid.face || v->created > bid.face->created)
			bid.face = v;
	}
	return bid;
}

static bool is_own(const struct bid *bid)
{
	return bid->v->own != NOT_OWN;
}

/* The claimants created last: two, where there is a tie. */
struct top {
	struct bid v[2]; /* of more than two, those of this node */
	size_t n;
	bool publishing; /* one of them all publishes */
};

static void top_take(struct top *top, const struct bid *bid)
{
	if (top->n && bid->created < top->v[0].created)
		return;
	if (top->n && bid->created > top->v[0].created)
		*top = (struct top){};
	top->publishing |= bid->face != NULL;
	if (top->n < 2)
		top->v[top->n++] = *bid;
	else if (is_own(bid))
		top->v[is_own(&top->v[0])] = *bid;
}

/* The claimant that a sentence names: the bid that publishes the address, if
 * there is one, else the first. */
static struct plan_claimant claimant(const struct bid *bid)
{
	const struct claim *c = bid->face ? bid->face : bid->v;

	return (struct plan_claimant){c->node, c->ns, c->pod, c->uid};
}

static int warn_tie(struct draft *d, const struct top *top)
{
	struct plan_conflict *row =
		array_push(d->plan.conflicts, d->plan.n_conflicts);
	char addr[ADDR_STRLEN], when[WHEN_STRLEN];
	const struct plan_claimant *a, *b;

	if (!row)
		return -ENOMEM;
	row->addr = top->v[0].v->addr;
	row->by[0] = claimant(&top->v[0]);
	row->by[1] = claimant(&top->v[1]);
	a = &row->by[0];
	b = &row->by[1];
	return draft_warn(d,
			  "address %s is claimed by pod %s/%s on node %s and "
			  "by pod %s/%s on node %s, both created at %s: it is "
			  "no endpoint",
			  addr_format(&row->addr, addr), a->ns, a->pod, a->node,
			  b->ns, b->pod, b->node,
			  when_format(top->v[0].created, when));
}

static int warn_node_address(struct draft *d, const struct claim *host,
			     const struct claim *pod)
{
	char addr[ADDR_STRLEN];

	return draft_warn(d,
			  "address %s of pod %s/%s is the address of node %s: "
			  "it is not the pod's",
			  addr_format(&pod->addr, addr), pod->ns, pod->pod,
			  host->node);
}

static int add_addr(struct mesh_addrs *addrs, const struct smc_addr *addr)
{
	struct smc_addr *slot = array_push(addrs->v, addrs->n);

	if (!slot)
		return -ENOMEM;
	*slot = *addr;
	return 0;
}

static int publish(struct plan_pod *p, const struct claim *c)
{
	if (add_addr(&p->published, &c->addr))
		return -ENOMEM;
	if (!c->ports || p->published.n > 1)
		return 0;
	return mesh_ports_set(&p->listens, c->ports->v, c->ports->n);
}

/* Make @won an endpoint, and mark it published if it is this node's. */
static int add_endpoint(struct draft *d, const struct bid *won)
{
	struct mesh_plan *plan = &d->plan;
	struct plan_endpoint *e =
		array_push(plan->endpoints, plan->n_endpoints);
	int err = 0;

	if (!e)
		return -ENOMEM;
	e->addr = won->face->addr;
	e->value.transports = won->transports;
	e->value.node_id = mesh_node_id(won->face->node);
	e->value.flags = won->face->host ? SMC_ENDPOINT_ANSWER_ONLY : 0;
	e->node = won->face->node;
	e->ns = won->face->ns;
	e->pod = won->face->pod;
	e->uid = won->face->uid;
	e->created = won->face->created;
	for (size_t i = 0; i < won->n && !err; i++) {
		const struct claim *c = &won->v[i];

		if (c->publishes && c->ports)
			err = draft_listeners(d, e, c->transports, c->ports);
		if (c->publishes && c->own != NOT_OWN && !err)
			err = publish(&plan->pods[c->own], c);
	}
	return err;
}

static int lose(struct draft *d, struct claim *v, const struct claim *end)
{
	int err = 0;

	for (; v < end && !err; v++) {
		if (v->own == NOT_OWN || !v->publishes)
			continue;
		d->own[v->own].lost = true;
		err = add_addr(&d->plan.pods[v->own].claimed, &v->addr);
	}
	return err;
}

/* Settle one address: the claims from @v up to @end. */
static int settle(struct draft *d, struct claim *v, const struct claim *end)
{
	const struct claim *host = v->host ? v : NULL;
	struct claim *start = v;
	struct top top = {};
	struct bid bid;
	int err = 0;

	for (; v < end && !err; v += bid.n) {
		bid = take_bid(v, end);
		if (!host || v->host)
			top_take(&top, &bid);
		else if (bid.face)
			err = warn_node_address(d, host, bid.face);
	}
	if (!err && top.n > 1) {
		err = lose(d, start, end);
		return err || !top.publishing ? err : warn_tie(d, &top);
	}
	err = err ?: lose(d, start, top.v[0].v);
	err = err ?: lose(d, top.v[0].v + top.v[0].n, end);
	return err || !top.v[0].face ? err : add_endpoint(d, &top.v[0]);
}

int draft_endpoints(struct draft *d)
{
	_cleanup_(claims_free) struct claims claims = {};
	struct claim *v, *next, *end;
	int err = collect(d, &claims);

	if (err || !claims.n)
		return err;
	v = claims.v;
	end = v + claims.n;
	qsort(v, claims.n, sizeof(*v), claim_cmp);
	for (; v < end && !err; v = next) {
		next = v + 1;
		while (next < end && !addr_cmp(&v->addr, &next->addr))
			next++;
		err = settle(d, v, next);
	}
	return err;
}
