// SPDX-License-Identifier: Apache-2.0
/* mesh_plan(): which addresses are endpoints, and whose. */
#include "worlds.h"

#include <time.h>

#define assert_reason(got, want) assert_int_equal((got), SMC_REASON_##want)

/* ---- endpoints of other nodes ---------------------------------------------
 */

static void without_an_smcnode_the_annotation_publishes(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n2", "a", "10.0.0.1");

	plan(s);
	assert_int_equal(s->plan.n_pods, 0);
	/* This node's own transports, of those that reach another node. */
	assert_int_equal(endpoint(s, "10.0.0.1")->value.transports, R);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.node_id,
			 mesh_node_id("n2"));
	s->host.transports = D;
	plan(s);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.transports, 0);
	p->enabled = MESH_UNSET;
	assert_int_equal(plan(s)->n_endpoints, 0);
	p->enabled = MESH_ON;
	p->problem = (char *)"x";
	assert_int_equal(plan(s)->n_endpoints, 0);
	assert_int_equal(s->plan.n_warnings, 0); /* its own node says it */
	p->problem = NULL;
	p->node = (char *)"";
	assert_int_equal(plan(s)->n_endpoints, 0);
	p->node = (char *)"n2";
	p->ended = true;
	assert_int_equal(plan(s)->n_endpoints, 0);
	p->ended = false;
	assert_int_equal(plan(s)->n_endpoints, 1);
}

static void smcnode_decides_for_its_node(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n2");

	add_pod(s, "n2", "a", "10.0.0.1");
	add_pod(s, "n2", "b", "10.0.0.2");
	publish(n, "b", "10.0.0.2");
	publish(n, "c", "10.0.0.3"); /* not in the List, as from the API */
	plan(s);
	assert_null(endpoint(s, "10.0.0.1"));
	assert_non_null(endpoint(s, "10.0.0.2"));
	assert_non_null(endpoint(s, "10.0.0.3"));
	assert_int_equal(s->plan.n_endpoints, 2);
}

static void shared_memory_does_not_leave_the_node(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n2");
	struct mesh_endpoint *e = publish(n, "a", "10.0.0.1");

	plan(s);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.transports, R);
	e->transports = D;
	plan(s);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.transports, 0);
	e->transports = R | D;
	n->transports = D;
	plan(s);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.transports, 0);
}

static void node_that_is_not_ready_publishes_nothing(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n2");

	publish(n, "a", "10.0.0.1");
	assert_int_equal(plan(s)->n_endpoints, 1);
	n->ready = false;
	assert_int_equal(plan(s)->n_endpoints, 0);
}

static void node_of_another_fabric_publishes_nothing(void **state)
{
	static char other[] = "OTHER";
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n2");
	char *two[] = {other, s->ueids[0]};

	publish(n, "a", "10.0.0.1");
	n->ueids = two;
	assert_int_equal(plan(s)->n_endpoints, 0);
	n->n_ueids = 2;
	assert_int_equal(plan(s)->n_endpoints, 1);
	n->n_ueids = 0;
	assert_int_equal(plan(s)->n_endpoints, 0);
	n->n_ueids = 1;
	strcpy(s->world.config.ueid, "OTHER");
	assert_int_equal(plan(s)->n_endpoints, 1);
}

static void own_smcnode_is_not_read(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n1");
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	/* What it said before it restarted, of pods that are gone. */
	publish(n, "old", "10.0.0.1");
	publish(n, "old", "10.0.0.9");
	see(s, p);
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 1);
	assert_string_equal(endpoint(s, "10.0.0.1")->uid, "a");
	assert_int_equal(s->plan.n_warnings, 0);
}

static void host_endpoints_of_other_nodes_are_answered_only(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n2");

	publish(n, "a", "192.168.0.2")->host_network = true;
	publish(n, "b", "192.168.0.2")->host_network = true;
	publish(n, "c", "10.0.0.1");
	add_pod(s, "n3", "d", "192.168.0.3")->host_network = true;
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 3);
	assert_int_equal(endpoint(s, "192.168.0.2")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	assert_int_equal(endpoint(s, "192.168.0.3")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.flags, 0);
}

/* ---- who owns an address --------------------------------------------------
 */

static void some_addresses_are_never_endpoints(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n2");
	struct mesh_pod *p =
		add_pod(s, "n1", "a", "127.0.0.1", "fe80::1", "10.0.0.1");

	see(s, p);
	publish(n, "b", "224.0.0.1");
	publish(n, "b", "::");
	publish(n, "b", "169.254.1.1");
	add_pod(s, "n3", "c", "0.0.0.0", "::1", "ff02::1");
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 1);
	assert_non_null(endpoint(s, "10.0.0.1"));
	/* None that could be one: as good as none in the namespace. */
	p->addrs.n = 2;
	assert_reason(plan(s)->pods[0].reason, NO_ADDRESS);
}

static void pod_created_later_has_the_address(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *a = add_pod(s, "n1", "a", "10.0.0.1");
	struct mesh_pod *b = add_pod(s, "n1", "b", "10.0.0.1");

	see(s, a);
	see(s, b);
	plan(s);
	assert_string_equal(endpoint(s, "10.0.0.1")->uid, "b");
	assert_false(s->plan.pods[0].armed);
	assert_reason(s->plan.pods[0].reason, ADDRESS_CONFLICT);
	assert_true(s->plan.pods[1].armed);
	assert_int_equal(s->plan.n_warnings, 0);
	a->created = b->created + 1;
	plan(s);
	assert_string_equal(endpoint(s, "10.0.0.1")->uid, "a");
	assert_true(s->plan.pods[0].armed);
	assert_false(s->plan.pods[1].armed);
}

static void pods_created_at_once_both_lose(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *a = add_pod(s, "n1", "a", "10.0.0.1", "fd00::1");
	struct mesh_pod *b = add_pod(s, "n2", "b", "10.0.0.1");

	see(s, a);
	a->created = b->created = 1740830400;
	plan(s);
	assert_null(endpoint(s, "10.0.0.1"));
	/* The other address is not in doubt. */
	assert_non_null(endpoint(s, "fd00::1"));
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.pods[0].published.n, 1);
	assert_int_equal(s->plan.n_warnings, 1);
	assert_string_equal(
		s->plan.warnings[0],
		"address 10.0.0.1 is claimed by pod ns/a on node n1 "
		"and by pod ns/b on node n2, both created at "
		"2025-03-01T12:00:00Z: it is no endpoint");
	a->addrs.n = 1;
	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_reason(s->plan.pods[0].reason, ADDRESS_CONFLICT);
}

static void a_third_created_later_ends_the_tie(void **state)
{
	struct scene *s = *state;

	add_pod(s, "n2", "a", "10.0.0.1")->created = 5;
	add_pod(s, "n2", "b", "10.0.0.1")->created = 5;
	add_pod(s, "n3", "c", "10.0.0.1")->created = 6;
	plan(s);
	assert_string_equal(endpoint(s, "10.0.0.1")->uid, "c");
	assert_int_equal(s->plan.n_warnings, 0);
	s->pods[2].created = 4;
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 0);
	assert_int_equal(s->plan.n_warnings, 1);
}

static void pod_without_annotation_claims_too(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *old = add_pod(s, "n2", "old", "10.0.0.1");
	struct mesh_pod *new = add_pod(s, "n2", "new", "10.0.0.1");

	new->enabled = MESH_UNSET;
	assert_int_equal(plan(s)->n_endpoints, 0);
	assert_int_equal(s->plan.n_warnings, 0);
	new->ended = true;
	plan(s);
	assert_string_equal(endpoint(s, "10.0.0.1")->uid, "old");
	new->ended = false;
	/* At once: said only because one of them would have published. */
	new->created = old->created;
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 0);
	assert_int_equal(s->plan.n_warnings, 1);
	old->enabled = MESH_UNSET;
	assert_int_equal(plan(s)->n_warnings, 0);
}

static void smcnodes_claim_against_own_pods(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n2");
	struct mesh_endpoint *e = publish(n, "r", "10.0.0.1");
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	see(s, p);
	e->created = p->created - 1;
	plan(s);
	assert_string_equal(endpoint(s, "10.0.0.1")->node, "n1");
	e->created = p->created + 1;
	plan(s);
	assert_string_equal(endpoint(s, "10.0.0.1")->node, "n2");
	assert_reason(s->plan.pods[0].reason, ADDRESS_CONFLICT);
	e->created = p->created;
	plan(s);
	assert_null(endpoint(s, "10.0.0.1"));
	assert_int_equal(s->plan.n_warnings, 1);
	/* A node that is not ready owns its addresses all the same. */
	n->ready = false;
	e->created = p->created + 1;
	plan(s);
	assert_null(endpoint(s, "10.0.0.1"));
}

static void pod_and_its_own_endpoint_are_no_rivals(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n2", "a", "10.0.0.1");
	struct mesh_endpoint *e = publish(add_node(s, "n2"), "a", "10.0.0.1");

	e->created = p->created;
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 1);
	assert_int_equal(s->plan.n_warnings, 0);
	/* The List knows that the pod has ended before its node says so. */
	p->ended = true;
	assert_int_equal(plan(s)->n_endpoints, 0);
}

/* ---- sizes -----------------------------------------------------------------
 */

static void warnings_of_many_conflicts_are_cut(void **state)
{
	enum { N = 5000 };
	struct mesh_node n = {
		.name = (char *)"n2", .ready = true, .transports = R};
	struct mesh_endpoint *v = calloc(2 * N, sizeof(*v));
	struct scene *s = *state;

	for (int i = 0; i < 2 * N; i++) {
		v[i].addr = addr("10.0.0.0");
		v[i].transports = R;
		v[i].addr.ip[14] = (i / 2) >> 8;
		v[i].addr.ip[15] = i / 2;
		v[i].ns = v[i].pod = (char *)"x";
		v[i].uid = (char *)(i % 2 ? "one" : "two");
	}
	n.ueids = s->ueids;
	n.n_ueids = 1;
	n.endpoints = v;
	n.n_endpoints = 2 * N;
	s->world.nodes = &n;
	s->world.n_nodes = 1;
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 0);
	assert_in_range(s->plan.n_warnings, 2, 100);
	assert_says(s->plan.warnings[s->plan.n_warnings - 1], "more warnings");
	free(v);
}

/*
 * 150,000 endpoints, and then as many claims on one address. A quadratic plan
 * takes minutes there, this one far less than a second without the sanitizers;
 * the limit leaves room for them. Time of this process: others may be busy.
 */
static void big_worlds_are_planned_in_time(void **state)
{
	enum { NODES = 300, EACH = 500, SECONDS = 20 };
	struct mesh_node *nodes = calloc(NODES, sizeof(*nodes));
	struct mesh_endpoint *v = calloc(NODES * EACH, sizeof(*v));
	char(*names)[16] = calloc(NODES, sizeof(*names));
	char(*uids)[16] = calloc(NODES * EACH, sizeof(*uids));
	struct scene *s = *state;
	struct timespec start, end;

	for (int i = 0; i < NODES * EACH; i++) {
		unsigned int mixed = i * 2654435761U;

		snprintf(uids[i], sizeof(uids[i]), "u%d", i);
		v[i] = (struct mesh_endpoint){.addr = addr("fd00::"),
					      .transports = R,
					      .uid = uids[i],
					      .ns = uids[i],
					      .pod = uids[i],
					      .created = i};
		memcpy(v[i].addr.ip + 12, &mixed, 4);
	}
	for (int i = 0; i < NODES; i++) {
		snprintf(names[i], sizeof(names[i]), "node%d", i);
		nodes[i] = (struct mesh_node){.name = names[i],
					      .ready = true,
					      .transports = R,
					      .ueids = s->ueids,
					      .n_ueids = 1,
					      .endpoints = v + i * EACH,
					      .n_endpoints = EACH};
	}
	s->world.nodes = nodes;
	s->world.n_nodes = NODES;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_int_equal(plan(s)->n_endpoints, NODES * EACH);
	for (size_t i = 1; i < s->plan.n_endpoints; i++)
		assert_true(addr_cmp(&s->plan.endpoints[i - 1].addr,
				     &s->plan.endpoints[i].addr) < 0);
	for (int i = 0; i < NODES * EACH; i++)
		v[i].addr = addr("10.0.0.1");
	assert_int_equal(plan(s)->n_endpoints, 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_string_equal(s->plan.endpoints[0].uid, "u149999");
	assert_in_range(end.tv_sec - start.tv_sec, 0, SECONDS);
	free(nodes);
	free(v);
	free(names);
	free(uids);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_an_smcnode_the_annotation_publishes),
		TEST(smcnode_decides_for_its_node),
		TEST(shared_memory_does_not_leave_the_node),
		TEST(node_that_is_not_ready_publishes_nothing),
		TEST(node_of_another_fabric_publishes_nothing),
		TEST(own_smcnode_is_not_read),
		TEST(host_endpoints_of_other_nodes_are_answered_only),
		TEST(some_addresses_are_never_endpoints),
		TEST(pod_created_later_has_the_address),
		TEST(pods_created_at_once_both_lose),
		TEST(a_third_created_later_ends_the_tie),
		TEST(pod_without_annotation_claims_too),
		TEST(smcnodes_claim_against_own_pods),
		TEST(pod_and_its_own_endpoint_are_no_rivals),
		TEST(warnings_of_many_conflicts_are_cut),
		TEST(big_worlds_are_planned_in_time),
	};

	return cmocka_run_group_tests_name("mesh/endpoints", tests, NULL, NULL);
}
