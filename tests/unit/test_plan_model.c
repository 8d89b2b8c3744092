// SPDX-License-Identifier: Apache-2.0
/*
 * mesh_plan() against a reference, over random histories of small worlds.
 *
 * Worlds are small and made of few names, addresses and seconds, so that rare
 * meetings (ties, shared namespaces, a pod with a node's address) are common.
 * A history changes a few things at a time and plans after each step; every
 * plan is compared whole, and made once more with everything in another order.
 *
 * SMCMESH_SEED and SMCMESH_HISTORIES in the environment change the run.
 */
#include "plan_reference.h"

#define STEPS 8
#define RANGES 6
#define CIDRS 4

static uint64_t seed;

/* splitmix64 */
static uint64_t random_next(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned int below(unsigned int n)
{
	return random_next() % n;
}

/* True once in @n times. */
static bool rarely(unsigned int n)
{
	return !below(n);
}

/* ---- random worlds --------------------------------------------------------
 */

static const char *const node_names[] = {"n1", "n2", "n3", "n4", ""};
static const char *const uids[] = {"u0", "u1", "u2", "u3", "u4",  "u5",
				   "u6", "u7", "u8", "u9", "u10", "u11"};
static struct mesh_range ranges[] = {{1, 1},  {3, 4},	{6, 6},
				     {8, 11}, {13, 13}, {15, 16}};
#define LAST_PORT 17
static struct cidr cidrs[CIDRS], some_cidrs[2 * CIDRS];
static char fabric[] = "SMCMESH", other_fabric[] = "OTHER";
static char *fabrics[] = {fabric, other_fabric};

static struct mesh_addrs random_addrs(struct smc_addr room[N_ADDRS])
{
	struct mesh_addrs list = {.v = room};

	for (size_t i = 0; i < N_ADDRS; i++)
		if (rarely(3))
			room[list.n++] = pool[i];
	return list;
}

static struct mesh_ranges random_ports(void)
{
	unsigned int from = below(RANGES + 1);

	return (struct mesh_ranges){ranges + from, below(RANGES - from + 1)};
}

struct history {
	struct scene *s;
	struct smc_addr pod_addrs[PODS][N_ADDRS];
	struct smc_addr seen_addrs[PODS][N_ADDRS];
};

static void random_pod(struct history *h, size_t i)
{
	struct mesh_pod *p = &h->s->pods[i];

	*p = (struct mesh_pod){
		.ns = (char *)"ns",
		.name = (char *)uids[i],
		.uid = (char *)uids[i],
		.node = (char *)(rarely(2) ? "n1" : node_names[below(5)]),
		.created = below(4),
		.ended = rarely(8),
		.host_network = rarely(4),
		.enabled = rarely(4) ? below(3) : MESH_ON,
		.problem = rarely(20) ? (char *)"a problem" : NULL,
		.addrs = random_addrs(h->pod_addrs[i]),
		.exclude_in = random_ports(),
		.exclude_out = random_ports(),
		.sidecar = rarely(4), /* a hint: nothing depends on it here */
		.forwards = rarely(24),
		.other_product = rarely(24),
	};
}

static void random_seen(struct history *h, size_t i)
{
	struct mesh_seen *seen = &h->s->seen[i];

	*seen = (struct mesh_seen){
		.pod_uid = rarely(12) ? NULL : uids[i],
		.verified = !rarely(12),
		.reason = rarely(2) ? SMC_REASON_NONE : SMC_REASON_REFUSED,
		.pod_id = rarely(15) ? 0 : i + 1,
		.netns_cookie = below(12),
		.cgroup_id = below(6),
		.was_armed = rarely(2),
		.transports = rarely(12) ? 0 : 1 + below(3),
		.sidecar = rarely(4),
		.n_owners = below(SMC_OWNERS + 1),
		.owners = {{1337, below(3)}, {1338, SMC_ID_ANY}},
		.addrs = rarely(2) ? h->s->pods[i].addrs
				   : random_addrs(h->seen_addrs[i]),
	};
}

static void random_node(struct history *h, size_t i)
{
	struct mesh_node *n = &h->s->nodes[i];

	*n = (struct mesh_node){
		.name = (char *)node_names[i],
		.ready = !rarely(4),
		.transports = below(4),
		.ueids = fabrics + below(2),
		.n_ueids = rarely(6) ? 0 : 1,
		.endpoints = h->s->endpoints[i],
		.n_endpoints = below(ENDPOINTS + 1),
	};
	for (size_t k = 0; k < n->n_endpoints; k++) {
		const char *uid = uids[below(12)];

		n->endpoints[k] = (struct mesh_endpoint){
			.addr = pool[below(N_ADDRS)],
			.transports = below(4),
			.ns = (char *)"ns",
			.pod = (char *)uid,
			.uid = (char *)uid,
			.created = below(4),
			.host_network = rarely(4),
		};
	}
}

static void random_rest(struct history *h)
{
	struct mesh_config *c = &h->s->world.config;
	struct mesh_host *host = &h->s->host;

	c->enabled = rarely(10) ? below(3) : MESH_ON;
	c->asm_enabled = below(3);
	strcpy(c->ueid, fabrics[rarely(5)]);
	c->exclude_ports = random_ports();
	c->exclude_cidrs = some_cidrs;
	c->n_exclude_cidrs = below(2 * CIDRS + 1);
	for (size_t i = 0; i < c->n_exclude_cidrs; i++)
		some_cidrs[i] = cidrs[below(CIDRS)];
	host->converter = !rarely(20);
	host->selector = !rarely(20);
	host->cgroup2 = !rarely(5);
	host->transports = below(4);
	host->netns_cookie = below(3);
	h->s->world.n_pods = below(PODS + 1);
	h->s->n_seen = rarely(3) ? below(PODS + 1) : PODS;
	h->s->world.n_nodes = below(NODES + 1);
}

static void random_start(struct history *h)
{
	for (size_t i = 0; i < PODS; i++)
		random_pod(h, i);
	for (size_t i = 0; i < PODS; i++)
		random_seen(h, i);
	for (size_t i = 0; i < NODES; i++)
		random_node(h, i);
	random_rest(h);
}

static void random_step(struct history *h)
{
	for (unsigned int n = 1 + below(3); n; n--) {
		switch (below(4)) {
		case 0:
			random_pod(h, below(PODS));
			break;
		case 1:
			random_seen(h, below(PODS));
			break;
		case 2:
			random_node(h, below(NODES));
			break;
		default:
			random_rest(h);
		}
	}
}

/* ---- comparing ------------------------------------------------------------
 */

static void compare_endpoints(struct scene *s, const struct ref_claims *all)
{
	size_t n = 0;

	if (!ref_mesh_on(&s->world.config)) {
		assert_int_equal(s->plan.n_endpoints, 0);
		return;
	}
	for (size_t a = 0; a < N_ADDRS; a++) {
		const struct plan_endpoint *e = endpoint(s, addr_texts[a]);
		const struct ref_claim *face = NULL;
		__u32 transports = R | D;

		for (size_t i = 0; i < all->n; i++) {
			const struct ref_claim *c = &all->v[i];

			if (c->addr != a || !c->publishes || !ref_wins(all, c))
				continue;
			transports &= c->transports;
			face = c;
		}
		assert_int_equal(!!e, !!face);
		if (!face)
			continue;
		n++;
		assert_int_equal(e->value.transports, transports);
		assert_int_equal(e->value.flags,
				 face->host ? SMC_ENDPOINT_ANSWER_ONLY : 0);
		assert_int_equal(e->value.node_id, mesh_node_id(face->node));
		assert_string_equal(e->node, face->node);
		if (!face->host)
			assert_string_equal(e->uid, face->uid);
	}
	assert_int_equal(s->plan.n_endpoints, n);
}

/* How many of the pod's own claims publish, and how many of them win. */
static void ref_count(const struct ref_claims *all, const struct mesh_pod *p,
		      size_t *publish, size_t *win)
{
	*publish = *win = 0;
	for (size_t i = 0; i < all->n; i++) {
		const struct ref_claim *c = &all->v[i];

		if (strcmp(c->node, "n1") || strcmp(c->uid, p->uid) ||
		    !c->publishes)
			continue;
		++*publish;
		*win += ref_wins(all, c);
	}
}

static void compare_pod(struct scene *s, const struct ref_claims *all,
			const struct plan_pod *got)
{
	const struct mesh_pod *p = got->pod;
	const struct mesh_seen *seen = ref_seen(s, p);
	enum smc_reason reason = ref_before(s, p);
	size_t publish, win;

	ref_count(all, p, &publish, &win);
	if (!reason && publish && !win)
		reason = SMC_REASON_ADDRESS_CONFLICT;
	assert_int_equal(got->reason, reason);
	assert_int_equal(got->armed, !reason);
	assert_int_equal(got->pod_id, seen ? seen->pod_id : 0);
	assert_int_equal(got->claimed.n, publish - win);
	for (size_t i = 0; i < got->claimed.n; i++)
		assert_true(ref_found(s, p, &got->claimed.v[i]));
	if (reason) {
		assert_int_equal(got->published.n, 0);
		assert_int_equal(got->cgroup_id, 0);
		/* The mark of one that was refused stays in the kernel. */
		if (got->netns_cookie) {
			assert_int_equal(reason, SMC_REASON_REFUSED);
			assert_int_equal(got->netns_cookie, seen->netns_cookie);
			assert_int_equal(
				got->value.flags,
				SMC_POD_REFUSED |
					(seen->sidecar ? SMC_POD_SIDECAR : 0));
			assert_int_equal(got->value.pod_id, seen->pod_id);
			assert_int_equal(got->value.transports, 0);
		}
		return;
	}
	assert_int_equal(got->published.n, win);
	for (size_t i = 0; i < win; i++)
		assert_true(ref_found(s, p, &got->published.v[i]));
	assert_int_equal(got->netns_cookie,
			 p->host_network ? 0 : seen->netns_cookie);
	assert_int_equal(got->cgroup_id, p->host_network ? seen->cgroup_id : 0);
	assert_int_equal(got->value.pod_id, seen->pod_id);
	assert_int_equal(got->value.flags,
			 (seen->sidecar ? SMC_POD_SIDECAR : 0) |
				 (p->host_network ? SMC_POD_CGROUP : 0));
	assert_int_equal(got->value.transports, seen->transports);
	assert_int_equal(got->value.n_owners,
			 seen->sidecar ? seen->n_owners : 0);
	assert_memory_equal(got->value.owners, seen->owners,
			    got->value.n_owners * sizeof(struct smc_owner));
}

static void compare_pods(struct scene *s, const struct ref_claims *all)
{
	size_t n = 0;

	for (size_t i = 0; i < s->world.n_pods; i++) {
		if (!ref_own(&s->pods[i]))
			continue;
		assert_in_range(n, 0, s->plan.n_pods - 1);
		assert_ptr_equal(s->plan.pods[n].pod, &s->pods[i]);
		compare_pod(s, all, &s->plan.pods[n++]);
	}
	assert_int_equal(s->plan.n_pods, n);
}

static void compare_denied(struct scene *s)
{
	size_t n = 0;

	for (__u64 id = 1; id < 10; id++) {
		bool denied = false, armed = false, there = false;
		bool refused = false, marked = false;

		for (size_t i = 0; i < s->n_seen; i++)
			if (s->seen[i].was_armed &&
			    s->seen[i].cgroup_id == id) {
				denied = true;
				refused |=
					s->seen[i].reason == SMC_REASON_REFUSED;
			}
		for (size_t i = 0; i < s->plan.n_pods; i++)
			armed |= s->plan.pods[i].cgroup_id == id;
		for (size_t i = 0; i < s->plan.n_denied; i++)
			if (s->plan.denied[i].cgroup_id == id) {
				there = s->plan.denied[i].value.flags &
					SMC_POD_DENY;
				marked = s->plan.denied[i].value.flags &
					 SMC_POD_REFUSED;
			}
		assert_int_equal(there, denied && !armed);
		if (there && !refused)
			assert_false(marked);
		n += there;
	}
	assert_int_equal(s->plan.n_denied, n);
}

static bool ref_has_port(const struct mesh_ranges *r, __u16 port)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].first <= port && port <= r->v[i].last)
			return true;
	return false;
}

/* In how many blocks of the plan is it? */
static size_t count_blocks(struct scene *s, __u32 pod, __u32 role, __u16 port)
{
	size_t n = 0;

	for (size_t i = 0; i < s->plan.n_ports; i++) {
		const struct plan_port *p = &s->plan.ports[i];

		n += p->pod_id == pod && p->role == role && p->first <= port &&
		     port <= p->last;
	}
	return n;
}

static bool ref_excludes(struct scene *s, __u32 pod, __u32 role, __u16 port)
{
	bool found = !pod && ref_has_port(&s->world.config.exclude_ports, port);

	for (size_t i = 0; i < s->plan.n_pods && pod; i++) {
		const struct mesh_pod *p = s->plan.pods[i].pod;

		if (s->plan.pods[i].pod_id == pod)
			found |= ref_has_port(role == SMC_ROLE_CLIENT
						      ? &p->exclude_out
						      : &p->exclude_in,
					      port);
	}
	return found;
}

static void compare_exclusions(struct scene *s)
{
	const struct mesh_config *c = &s->world.config;
	size_t n_ports = 0, n_cidrs = 0;

	for (__u32 id = 0; id <= PODS; id++)
		for (__u32 role = SMC_ROLE_CLIENT; role <= SMC_ROLE_SERVER;
		     role++)
			for (__u16 port = 0; port <= LAST_PORT; port++) {
				bool want = ref_excludes(s, id, role, port);

				assert_int_equal(
					count_blocks(s, id, role, port), want);
				n_ports += want;
			}
	for (size_t i = 0; i < s->plan.n_ports; i++)
		n_ports -= s->plan.ports[i].last - s->plan.ports[i].first + 1;
	assert_int_equal(n_ports, 0);
	for (size_t k = 0; k < CIDRS; k++) {
		size_t want = 0, got = 0;

		for (size_t i = 0; i < c->n_exclude_cidrs; i++)
			want |= !memcmp(&some_cidrs[i], &cidrs[k],
					sizeof(cidrs[k]));
		for (size_t i = 0; i < s->plan.n_cidrs; i++)
			got += !memcmp(&s->plan.cidrs[i], &cidrs[k],
				       sizeof(cidrs[k]));
		assert_int_equal(got, want);
		n_cidrs += got;
	}
	assert_int_equal(s->plan.n_cidrs, n_cidrs);
}

static void compare(struct scene *s)
{
	static struct ref_claims all;

	ref_collect(s, &all);
	plan(s);
	assert_int_equal(s->plan.enabled, ref_mesh_on(&s->world.config));
	compare_endpoints(s, &all);
	compare_pods(s, &all);
	compare_denied(s);
	compare_exclusions(s);
	assert_int_equal(s->plan.n_warnings, ref_warnings(s, &all));
}

/* ---- the same in another order --------------------------------------------
 */

static void shuffle(void *base, size_t n, size_t size)
{
	char *v = base, swap[256];

	assert_in_range(size, 1, sizeof(swap));
	for (size_t i = n; i > 1; i--) {
		size_t k = below(i);

		memcpy(swap, v + (i - 1) * size, size);
		memmove(v + (i - 1) * size, v + k * size, size);
		memcpy(v + k * size, swap, size);
	}
}

static void compare_order(struct scene *s, const struct mesh_plan *other)
{
	assert_int_equal(other->n_endpoints, s->plan.n_endpoints);
	for (size_t i = 0; i < other->n_endpoints; i++) {
		const struct plan_endpoint *a = &s->plan.endpoints[i];
		const struct plan_endpoint *b = &other->endpoints[i];

		assert_memory_equal(&a->addr, &b->addr, sizeof(a->addr));
		assert_memory_equal(&a->value, &b->value, sizeof(a->value));
	}
	assert_int_equal(other->n_pods, s->plan.n_pods);
	for (size_t i = 0; i < other->n_pods; i++)
		for (size_t k = 0; k < other->n_pods; k++) {
			const struct plan_pod *a = &s->plan.pods[i];
			const struct plan_pod *b = &other->pods[k];

			if (strcmp(a->pod->uid, b->pod->uid))
				continue;
			assert_int_equal(a->reason, b->reason);
			assert_memory_equal(&a->value, &b->value,
					    sizeof(a->value));
			assert_int_equal(a->published.n, b->published.n);
			assert_int_equal(a->claimed.n, b->claimed.n);
		}
	assert_int_equal(other->n_warnings, s->plan.n_warnings);
}

static void plan_in_another_order(struct scene *s)
{
	static struct scene copy;
	struct mesh_world w = s->world;
	struct mesh_plan other;

	copy = *s;
	w.pods = copy.pods;
	w.nodes = copy.nodes;
	for (size_t i = 0; i < w.n_nodes; i++) {
		w.nodes[i].endpoints = copy.endpoints[i];
		shuffle(copy.endpoints[i], w.nodes[i].n_endpoints,
			sizeof(copy.endpoints[i][0]));
	}
	shuffle(w.pods, w.n_pods, sizeof(*w.pods));
	shuffle(w.nodes, w.n_nodes, sizeof(*w.nodes));
	shuffle(copy.seen, s->n_seen, sizeof(copy.seen[0]));
	assert_int_equal(mesh_plan(&w, &s->host, copy.seen, s->n_seen, &other),
			 0);
	compare_order(s, &other);
	mesh_plan_free(&other);
}

/* ---- histories ------------------------------------------------------------
 */

static unsigned long from_env(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* What came up over all histories: a generator that never makes a tie would
 * prove nothing about ties. */
struct seen_of {
	size_t plans, armed, endpoints, host_endpoints, denied, conflicts,
		shared, warnings, off;
};

static void count(struct seen_of *c, const struct mesh_plan *p)
{
	c->plans++;
	c->off += !p->enabled;
	c->denied += p->n_denied;
	c->warnings += p->n_warnings;
	c->endpoints += p->n_endpoints;
	for (size_t i = 0; i < p->n_endpoints; i++)
		c->host_endpoints += p->endpoints[i].value.flags;
	for (size_t i = 0; i < p->n_pods; i++) {
		c->armed += p->pods[i].armed;
		c->conflicts +=
			p->pods[i].reason == SMC_REASON_ADDRESS_CONFLICT;
	}
	for (size_t i = 0; i < p->n_warnings; i++)
		c->shared += !!strstr(p->warnings[i], "were found in one");
}

static void check_coverage(const struct seen_of *c)
{
	print_message("plans %zu armed %zu endpoints %zu (%zu of nodes) denied "
		      "%zu conflicts %zu shared %zu warnings %zu off %zu\n",
		      c->plans, c->armed, c->endpoints, c->host_endpoints,
		      c->denied, c->conflicts, c->shared, c->warnings, c->off);
	assert_true(c->armed > c->plans / 5);
	assert_true(c->endpoints > c->plans / 2);
	assert_true(c->host_endpoints > c->plans / 20);
	assert_true(c->denied > c->plans / 4);
	assert_true(c->conflicts > c->plans / 50);
	assert_true(c->shared > c->plans / 200);
	assert_true(c->off > c->plans / 50);
}

/* The seed of the history under way: one that fails can be run alone. */
static unsigned long running;

static int teardown(void **state)
{
	if (running)
		print_error("to run it alone: SMCMESH_SEED=%lu "
			    "SMCMESH_HISTORIES=1\n",
			    running);
	return scene_teardown(state);
}

static void plans_are_those_of_the_reference(void **state)
{
	unsigned long histories = from_env("SMCMESH_HISTORIES", 2000);
	unsigned long first = from_env("SMCMESH_SEED", 20250301);
	struct history h = {.s = *state};
	struct seen_of seen_of = {0};

	print_message("seed %lu, %lu histories\n", first, histories);
	for (unsigned long i = 0; i < histories; i++) {
		seed = first + i;
		running = seed;
		random_start(&h);
		for (int step = 0; step < STEPS; step++) {
			compare(h.s);
			count(&seen_of, &h.s->plan);
			plan_in_another_order(h.s);
			random_step(&h);
		}
	}
	running = 0;
	if (histories >= 1000)
		check_coverage(&seen_of);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			plans_are_those_of_the_reference, scene_setup,
			teardown),
	};

	for (size_t i = 0; i < N_ADDRS; i++)
		pool[i] = addr(addr_texts[i]);
	for (size_t i = 0; i < CIDRS; i++)
		cidrs[i] = (struct cidr){pool[i], 128 - i};
	return cmocka_run_group_tests_name("mesh/plan model", tests, NULL,
					   NULL);
}
