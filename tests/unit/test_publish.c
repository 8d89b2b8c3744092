// SPDX-License-Identifier: Apache-2.0
/* What a Namespace says for its pods, and what a node says to the others. */
#include "worlds.h"
#include "mesh/smcnode_status.h"

/* ---- defaults of a Namespace ---------------------------------------------
 */

static struct mesh_namespace space;

static void give_space(struct scene *s)
{
	memset(&space, 0, sizeof(space));
	space.name = (char *)"ns";
	s->world.namespaces = &space;
	s->world.n_namespaces = 1;
}

static void say_enabled(enum mesh_switch enabled)
{
	space.enabled.said = true;
	space.enabled.enabled = enabled;
}

/* A pod that says nothing itself. */
static struct mesh_pod *add_silent(struct scene *s, const char *node,
				   const char *name, const char *ip)
{
	struct mesh_pod *p = add_pod(s, node, name, ip);

	p->enabled = MESH_UNSET;
	return p;
}

static void the_namespace_enables_its_pods(void **state)
{
	struct scene *s = *state;

	give_space(s);
	see(s, add_silent(s, "n1", "a", "10.1.0.1"));
	see(s, add_silent(s, "n1", "b", "10.1.0.2"))->pod_id = 2;
	s->pods[1].ns = (char *)"nr";
	plan(s);
	assert_int_equal(s->plan.pods[0].reason, SMC_REASON_NOT_ANNOTATED);
	say_enabled(MESH_ON);
	plan(s);
	assert_true(s->plan.pods[0].armed);
	assert_non_null(endpoint(s, "10.1.0.1"));
	assert_int_equal(s->plan.pods[1].reason, SMC_REASON_NOT_ANNOTATED);
}

static void own_value_of_a_pod_wins_over_its_namespaces(void **state)
{
	struct scene *s = *state;

	give_space(s);
	say_enabled(MESH_ON);
	see(s, add_pod(s, "n1", "a", "10.1.0.1"));
	s->pods[0].enabled = MESH_OFF;
	plan(s);
	assert_int_equal(s->plan.pods[0].reason, SMC_REASON_NOT_ANNOTATED);
	say_enabled(MESH_OFF);
	s->pods[0].enabled = MESH_ON;
	plan(s);
	assert_true(s->plan.pods[0].armed);
}

static void bad_namespace_default_disables_silent_pods_alone(void **state)
{
	struct scene *s = *state;

	give_space(s);
	space.enabled.said = true;
	space.enabled.problem = (char *)"annotation e of its Namespace is 7";
	see(s, add_silent(s, "n1", "a", "10.1.0.1"));
	see(s, add_pod(s, "n1", "b", "10.1.0.2"));
	plan(s);
	assert_int_equal(s->plan.pods[0].reason, SMC_REASON_BAD_ANNOTATION);
	assert_string_equal(s->plan.pods[0].says.problem,
			    space.enabled.problem);
	assert_int_equal(s->plan.n_warnings, 1);
	assert_says(s->plan.warnings[0], "pod ns/a is not enabled: annotation");
	assert_true(s->plan.pods[1].armed);
}

/* Ports that cannot be read may be just those that must not be SMC; and a pod
 * that is not enabled has no use for them. */
static void namespace_ports_not_understood_disable_its_pods(void **state)
{
	struct scene *s = *state;

	give_space(s);
	space.in.said = true;
	space.in.problem = (char *)"annotation p of its Namespace is x";
	see(s, add_pod(s, "n1", "a", "10.1.0.1"));
	see(s, add_silent(s, "n1", "b", "10.1.0.2"));
	see(s, add_pod(s, "n1", "c", "10.1.0.3"));
	s->pods[2].says_in = true;
	plan(s);
	assert_int_equal(s->plan.pods[0].reason, SMC_REASON_BAD_ANNOTATION);
	assert_int_equal(s->plan.pods[1].reason, SMC_REASON_NOT_ANNOTATED);
	assert_true(s->plan.pods[2].armed);
}

static void each_annotation_is_taken_from_pod_or_namespace(void **state)
{
	struct scene *s = *state;
	struct mesh_range spaces_port = {1000, 1000}, pods_port = {2000, 2000};

	give_space(s);
	say_enabled(MESH_ON);
	space.in.said = space.out.said = true;
	space.in.ports = space.out.ports =
		(struct mesh_ranges){&spaces_port, 1};
	see(s, add_silent(s, "n1", "a", "10.1.0.1"));
	s->pods[0].says_out = true;
	s->pods[0].exclude_out = (struct mesh_ranges){&pods_port, 1};
	plan(s);
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.n_ports, 2);
	assert_int_equal(s->plan.ports[0].role, SMC_ROLE_CLIENT);
	assert_int_equal(s->plan.ports[0].first, 2000);
	assert_int_equal(s->plan.ports[1].role, SMC_ROLE_SERVER);
	assert_int_equal(s->plan.ports[1].first, 1000);
	/* an empty list of its own is a list */
	s->pods[0].exclude_out.n = 0;
	assert_int_equal(plan(s)->n_ports, 1);
}

/* Several machines share one file: the Namespace counts for all. */
static void namespace_enables_pods_of_other_nodes_too(void **state)
{
	struct scene *s = *state;

	give_space(s);
	add_silent(s, "n2", "a", "10.2.0.1");
	plan(s);
	assert_null(endpoint(s, "10.2.0.1"));
	say_enabled(MESH_ON);
	plan(s);
	assert_non_null(endpoint(s, "10.2.0.1"));
}

/* ---- publishing -----------------------------------------------------------
 */

static struct mesh_publish published;
static struct mesh_ready ready;

static const struct mesh_publish *publishing(struct scene *s, long long now)
{
	mesh_publish_free(&published);
	assert_int_equal(mesh_publish(&s->host, plan(s), NULL, NULL, &ready,
				      now, &published),
			 0);
	return &published;
}

static int publish_setup(void **state)
{
	memset(&ready, 0, sizeof(ready));
	return scene_setup(state);
}

static int publish_teardown(void **state)
{
	mesh_publish_free(&published);
	return scene_teardown(state);
}

static void what_is_armed_is_published(void **state)
{
	struct scene *s = *state;
	const struct mesh_publish *p;

	see(s, add_pod(s, "n1", "b", "10.1.0.2", "fd00::2"));
	see(s, add_pod(s, "n1", "a", "10.1.0.1"));
	see(s, add_pod(s, "n1", "late", "10.1.0.3"))->verified = false;
	add_silent(s, "n1", "other", "10.1.0.4");
	publish(add_node(s, "n2"), "far", "10.2.0.1");
	p = publishing(s, 5);
	assert_int_equal(p->n, 3);
	assert_addr(p->endpoints[0].addr, "10.1.0.1");
	assert_string_equal(p->endpoints[0].pod->name, "a");
	assert_null(p->endpoints[0].ports);
	assert_int_equal(p->endpoints[1].transports, R | D);
	assert_addr(p->endpoints[2].addr, "fd00::2");
	assert_int_equal(p->endpoints[2].transports, D);
	assert_int_equal(p->n_enabled, 3);
	assert_int_equal(p->n_armed, 2);
	assert_true(p->ready);
	assert_string_equal(p->reason, "Armed");
	assert_string_equal(p->message,
			    "2 of 3 enabled pods armed, 3 addresses published");
	assert_int_equal(p->since, 5);
}

static bool not_a(const struct plan_pod *p, void *arg)
{
	return strcmp(p->pod->name, arg);
}

/* The plan is a wish, the kernel has the last word. */
static void what_the_kernel_has_not_is_not_published(void **state)
{
	struct scene *s = *state;

	see(s, add_pod(s, "n1", "a", "10.1.0.1"));
	see(s, add_pod(s, "n1", "b", "10.1.0.2"));
	assert_int_equal(mesh_publish(&s->host, plan(s), not_a, (char *)"a",
				      &ready, 1, &published),
			 0);
	assert_int_equal(published.n, 1);
	assert_addr(published.endpoints[0].addr, "10.1.0.2");
	assert_says(published.message, "1 of 2 enabled pods armed, 1 address ");
}

static void host_pods_are_published_with_their_ports(void **state)
{
	struct scene *s = *state;
	__u16 ports[] = {80, 443};
	struct mesh_pod *p = add_pod(s, "n1", "h", "192.168.0.1");

	p->host_network = true;
	see(s, p)->listens = (struct mesh_ports){ports, 2};
	p = add_pod(s, "n1", "i", "192.168.0.1");
	p->host_network = true;
	see(s, p);
	publishing(s, 1);
	assert_int_equal(published.n, 2);
	assert_int_equal(published.endpoints[0].ports->n, 2);
	assert_int_equal(published.endpoints[0].ports->v[1], 443);
	assert_int_equal(published.endpoints[1].ports->n, 0);
}

static void the_condition_says_what_is_impossible(void **state)
{
	struct scene *s = *state;

	s->host.transports = 0;
	assert_string_equal(publishing(s, 1)->reason, "NoTransport");
	s->host.selector = false;
	assert_string_equal(publishing(s, 1)->reason, "NoSelector");
	s->host.converter = false;
	assert_string_equal(publishing(s, 1)->reason, "NoConverter");
	assert_false(published.ready);
	assert_says(published.message, "cannot make SMC sockets");
}

static void node_without_pods_or_with_mesh_off_is_ready(void **state)
{
	struct scene *s = *state;

	assert_string_equal(publishing(s, 1)->reason, "NoPods");
	assert_int_equal(published.n_enabled, 0);
	assert_true(published.ready);
	assert_says(published.message,
		    "0 of 0 enabled pods armed, 0 addresses");
	s->world.config.enabled = MESH_OFF;
	assert_string_equal(publishing(s, 1)->reason, "MeshOff");
	assert_true(published.ready);
}

static void before_the_first_plan_nothing_is_published(void **state)
{
	struct scene *s = *state;

	assert_int_equal(
		mesh_publish(&s->host, NULL, NULL, NULL, &ready, 9, &published),
		0);
	assert_int_equal(published.n, 0);
	assert_false(published.ready);
	assert_string_equal(published.reason, "Starting");
}

static void two_claims_are_said(void **state)
{
	struct scene *s = *state;

	see(s, add_pod(s, "n1", "a", "10.1.0.1"));
	see(s, add_pod(s, "n1", "b", "10.1.0.1"));
	s->pods[1].created = s->pods[0].created;
	publishing(s, 1);
	assert_int_equal(published.n, 2);
	assert_int_equal(published.n_claims, 2);
	assert_int_equal(published.endpoints[0].transports, 0);
	assert_int_equal(s->plan.n_conflicts, 1);
	assert_addr(s->plan.conflicts[0].addr, "10.1.0.1");
	assert_string_equal(s->plan.conflicts[0].by[0].uid, "a");
	assert_string_equal(s->plan.conflicts[0].by[1].pod, "b");
	assert_says(published.message, "pods ns/a and ns/b, created at the "
				       "same time, both claim 10.1.0.1");
}

/* Five thousand agents need not write what two of them say. */
static void ties_of_other_nodes_are_left_to_them(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n2 = add_node(s, "n2"), *n3 = add_node(s, "n3");
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.1.0.9");

	see(s, p);
	for (int i = 0; i < 2; i++) {
		publish(n2, "b", i ? "10.1.0.2" : "10.1.0.1")->created = 5;
		publish(n3, "c", i ? "10.1.0.2" : "10.1.0.1")->created = 5;
	}
	publishing(s, 1);
	assert_int_equal(s->plan.n_conflicts, 2);
	assert_string_equal(published.message,
			    "1 of 1 enabled pod armed, 1 address published");
	/* and one of this node, which is not the first of them */
	publish(n2, "d", "10.1.0.9")->created = p->created;
	publishing(s, 1);
	assert_int_equal(s->plan.n_conflicts, 3);
	assert_says(published.message, "pods ns/a and ns/d, created at the "
				       "same time, both claim 10.1.0.9");
	assert_null(strstr(published.message, "more such"));
}

/* ---- since when -----------------------------------------------------------
 */

static void since_moves_with_the_condition_only(void **state)
{
	struct scene *s = *state;

	assert_int_equal(publishing(s, 10)->since, 10);
	assert_int_equal(publishing(s, 20)->since, 10);
	s->host.converter = false;
	assert_int_equal(publishing(s, 30)->since, 30);
	assert_int_equal(publishing(s, 40)->since, 30);
	s->host.converter = true;
	assert_int_equal(publishing(s, 50)->since, 50);
}

static void restart_takes_over_the_time_of_ready(void **state)
{
	struct scene *s = *state;
	struct mesh_node own = {.ready = true, .ready_since = 7};

	ready = mesh_ready_from(&own);
	assert_int_equal(publishing(s, 50)->since, 7);
	own.ready = false;
	ready = mesh_ready_from(&own);
	assert_int_equal(publishing(s, 50)->since, 50);
	own.ready_since = 0;
	assert_false(mesh_ready_from(&own).known);
	assert_false(mesh_ready_from(NULL).known);
}

static void capable_has_a_time_of_its_own(void **state)
{
	struct mesh_node own = {.capable = MESH_FALSE, .capable_since = 7};
	struct scene *s = *state;

	assert_int_equal(mesh_capable_since(&ready, MESH_TRUE, 10), 10);
	assert_int_equal(publishing(s, 20)->since, 20);
	assert_int_equal(mesh_capable_since(&ready, MESH_TRUE, 30), 10);
	assert_int_equal(mesh_capable_since(&ready, MESH_UNKNOWN, 40), 40);
	assert_int_equal(publishing(s, 50)->since, 20);
	/* a restart takes it over, also where Ready was not said */
	ready = mesh_ready_from(&own);
	assert_false(ready.known);
	assert_int_equal(publishing(s, 60)->since, 60);
	assert_int_equal(mesh_capable_since(&ready, MESH_FALSE, 70), 7);
	assert_int_equal(mesh_capable_since(&ready, MESH_TRUE, 80), 80);
}

static void another_boot_is_told_by_its_id(void **state)
{
	struct mesh_endpoint e = {0};
	struct mesh_node own = {
		.boot_id = (char *)"b-1", .endpoints = &e, .n_endpoints = 1};

	assert_false(mesh_rebooted(NULL, "b-1"));
	assert_false(mesh_rebooted(&own, "b-1"));
	assert_true(mesh_rebooted(&own, "b-2"));
	own.boot_id = NULL;
	assert_true(mesh_rebooted(&own, "b-1"));
	/* an empty list is nobody's */
	own.n_endpoints = 0;
	assert_false(mesh_rebooted(&own, "b-1"));
}

/* ---- doctor's checks ------------------------------------------------------
 */

static void assert_wrong(const struct mesh_wrong *w, const char *ids)
{
	char text[MESH_WRONG_MAX * MESH_WRONG_ID] = "";

	for (size_t i = 0; i < w->n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, w->id[i]);
	}
	assert_string_equal(text, ids);
}

static void checks_that_fail_stand_before_those_that_warn(void **state)
{
	struct mesh_wrong w = {};

	assert_wrong(&w, "");
	mesh_wrong_add(&w, "w1", false);
	mesh_wrong_add(&w, "f1", true);
	mesh_wrong_add(&w, "w2", false);
	mesh_wrong_add(&w, "f2", true);
	assert_wrong(&w, "f1 f2 w1 w2");
}

/* A warning gives way to a failure, and a failure to none. */
static void eight_checks_are_named(void **state)
{
	struct mesh_wrong w = {};
	char id[MESH_WRONG_ID];

	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "w%d", i);
		mesh_wrong_add(&w, id, false);
	}
	assert_wrong(&w, "w0 w1 w2 w3 w4 w5 w6 w7");
	mesh_wrong_add(&w, "f0", true);
	assert_wrong(&w, "f0 w0 w1 w2 w3 w4 w5 w6");
	for (int i = 1; i < 10; i++) {
		snprintf(id, sizeof(id), "f%d", i);
		mesh_wrong_add(&w, id, true);
	}
	assert_wrong(&w, "f0 f1 f2 f3 f4 f5 f6 f7");
	mesh_wrong_add(&w, "w", false);
	assert_wrong(&w, "f0 f1 f2 f3 f4 f5 f6 f7");
}

static void check_of_too_long_a_name_is_left_out(void **state)
{
	struct mesh_wrong w = {};

	mesh_wrong_add(&w, "0123456789012345678901234567890", true);
	mesh_wrong_add(&w, "01234567890123456789012345678901", true);
	assert_wrong(&w, "0123456789012345678901234567890");
}

static const struct mesh_wrong *hold(const char *id, __u64 now_ms)
{
	struct mesh_wrong found = {};

	if (*id)
		mesh_wrong_add(&found, id, true);
	return mesh_wrong_hold(&ready, &found, now_ms);
}

static void list_of_checks_changes_once_a_minute(void **state)
{
	assert_wrong(hold("a", 1000), "a");
	assert_wrong(hold("b", 60999), "a");
	assert_wrong(hold("a", 61000), "a"); /* no change, so no new minute */
	assert_wrong(hold("b", 61001), "b");
	assert_wrong(hold("", 121000), "b");
	assert_wrong(hold("", 121001), "");
}

/* An empty list is said, and begins a minute, too. */
static void first_list_of_checks_is_taken_at_once(void **state)
{
	assert_wrong(hold("", 1000), "");
	assert_true(ready.wrong_known);
	assert_wrong(hold("a", 2000), "");
	/* what an agent before has said may be replaced at once */
	memset(&ready, 0, sizeof(ready));
	ready.wrong_known = true;
	mesh_wrong_add(&ready.wrong, "old", false);
	assert_wrong(hold("a", 1000), "a");
}

/* The conditions do not wait for it. */
static void conditions_change_while_the_list_is_held(void **state)
{
	struct scene *s = *state;

	publishing(s, 10);
	hold("a", 1000);
	s->host.converter = false;
	assert_false(publishing(s, 20)->ready);
	assert_int_equal(published.since, 20);
	assert_int_equal(mesh_capable_since(&ready, MESH_FALSE, 30), 30);
	assert_wrong(hold("b", 2000), "a");
}

/* ---- in order -------------------------------------------------------------
 */

/* Its address is another pod's already, and the old one is still listed: by its
 * own SmcNode, or because DELETE came after CREATE. */
static void a_reused_address_is_the_new_pods(void **state)
{
	struct scene *s = *state;
	struct mesh_endpoint *old;
	struct mesh_pod *fresh;

	old = publish(add_node(s, "n2"), "old", "10.1.0.1");
	fresh = add_silent(s, "n1", "fresh", "10.1.0.1");
	fresh->created = old->created + 1;
	plan(s);
	assert_null(endpoint(s, "10.1.0.1"));
	/* it is enabled, too */
	fresh->enabled = MESH_ON;
	see(s, fresh);
	plan(s);
	assert_string_equal(endpoint(s, "10.1.0.1")->uid, "fresh");
	/* same name, another UID */
	old->ns = fresh->ns;
	old->pod = fresh->name;
	plan(s);
	assert_string_equal(endpoint(s, "10.1.0.1")->uid, "fresh");
}

static void a_node_that_goes_takes_its_endpoints_along(void **state)
{
	struct scene *s = *state;
	struct mesh_node *n = add_node(s, "n2");

	publish(n, "far", "10.2.0.1");
	plan(s);
	assert_non_null(endpoint(s, "10.2.0.1"));
	n->ready = false;
	plan(s);
	assert_null(endpoint(s, "10.2.0.1"));
	n->ready = true;
	s->world.n_nodes = 0;
	plan(s);
	assert_null(endpoint(s, "10.2.0.1"));
}

#define test(name) \
	cmocka_unit_test_setup_teardown(name, publish_setup, publish_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(the_namespace_enables_its_pods),
		test(own_value_of_a_pod_wins_over_its_namespaces),
		test(bad_namespace_default_disables_silent_pods_alone),
		test(namespace_ports_not_understood_disable_its_pods),
		test(each_annotation_is_taken_from_pod_or_namespace),
		test(namespace_enables_pods_of_other_nodes_too),
		test(what_is_armed_is_published),
		test(what_the_kernel_has_not_is_not_published),
		test(host_pods_are_published_with_their_ports),
		test(the_condition_says_what_is_impossible),
		test(node_without_pods_or_with_mesh_off_is_ready),
		test(before_the_first_plan_nothing_is_published),
		test(two_claims_are_said),
		test(ties_of_other_nodes_are_left_to_them),
		test(since_moves_with_the_condition_only),
		test(restart_takes_over_the_time_of_ready),
		test(capable_has_a_time_of_its_own),
		test(another_boot_is_told_by_its_id),
		test(checks_that_fail_stand_before_those_that_warn),
		test(eight_checks_are_named),
		test(check_of_too_long_a_name_is_left_out),
		test(list_of_checks_changes_once_a_minute),
		test(first_list_of_checks_is_taken_at_once),
		test(conditions_change_while_the_list_is_held),
		test(a_reused_address_is_the_new_pods),
		test(a_node_that_goes_takes_its_endpoints_along),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
