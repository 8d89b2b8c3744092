// SPDX-License-Identifier: Apache-2.0
/* Which pods stay armed until their addresses are taken back, and how long. */
#include "unit.h"

#include "cluster/take_back.h"

#define NOW 5000
#define HOLD_MS 2000

static struct bench {
	struct pods pods;
	struct pod *pod;
	struct mesh_pod world;
	struct plan_pod row;
	struct mesh_plan plan;
} b;

/* An armed pod with an address at the server, whose annotation was taken
 * away. */
static int up(void **state)
{
	memset(&b, 0, sizeof(b));
	b.world = (struct mesh_pod){
		.uid = (char *)"u", .ns = (char *)"ns", .name = (char *)"p"};
	b.row.pod = &b.world;
	b.row.reason = SMC_REASON_NOT_ANNOTATED;
	b.plan.pods = &b.row;
	b.plan.n_pods = 1;
	b.pod = pods_put(&b.pods, &b.world);
	assert_non_null(b.pod);
	b.pod->arming = POD_ARMED;
	b.pod->id = 7;
	b.pod->facts.cookie = 70;
	b.pod->kernel.pod_id = 7;
	b.pod->published.v = calloc(1, sizeof(*b.pod->published.v));
	b.pod->published.n = 1;
	return 0;
}

static int down(void **state)
{
	pods_free(&b.pods);
	return 0;
}

/* A plan as it is made anew each time. */
static bool held(__u64 acked, __u64 now)
{
	bool any;

	b.row.armed = false;
	any = hold_armed(&b.pods, &b.plan, acked, now);
	assert_int_equal(b.row.armed, any);
	assert_int_equal(b.pod->told.hold_until != 0, any);
	return any;
}

static void armed_pod_stays_until_server_has_status(void **state)
{
	assert_true(held(3, NOW));
	assert_int_equal(b.row.pod_id, 7);
	assert_int_equal(b.row.netns_cookie, 70);
	assert_int_equal(b.row.value.pod_id, 7);
	hold_made(&b.pods, 4);
	assert_true(held(3, NOW + 1));
	hold_made(&b.pods, 5); /* says the same of this pod */
	assert_false(held(4, NOW + 2));
}

static void armed_pod_stays_no_longer_than_the_hold_time(void **state)
{
	assert_true(held(3, NOW));
	assert_true(held(3, NOW + HOLD_MS - 1));
	assert_false(held(3, NOW + HOLD_MS));
}

static void pod_enabled_again_is_not_held(void **state)
{
	assert_true(held(3, NOW));
	b.row = (struct plan_pod){.pod = &b.world, .armed = true};
	assert_false(hold_armed(&b.pods, &b.plan, 3, NOW + 1));
	assert_int_equal(b.pod->told.hold_until, 0);
	assert_int_equal(b.row.netns_cookie, 0); /* the plan's own */
}

static void pod_refused_meanwhile_is_not_held(void **state)
{
	assert_true(held(3, NOW));
	b.row.reason = SMC_REASON_REFUSED;
	assert_false(held(3, NOW + 1));
}

static void pod_that_nobody_offers_to_is_not_held(void **state)
{
	assert_false(held(0, NOW)); /* nothing of this agent's is there */
	b.pod->published.n = 0;
	assert_false(held(3, NOW));
	b.pod->published.n = 1;
	b.pod->host_network = true;
	assert_false(held(3, NOW));
	b.pod->host_network = false;
	b.pod->arming = POD_REFUSED;
	assert_false(held(3, NOW));
	b.pod->arming = POD_ARMED;
	pod_set(b.pod, POD_EXCLUDES, true); /* that goes with the annotation */
	assert_false(held(3, NOW));
	pod_set(b.pod, POD_EXCLUDES, false);
	b.pod->arming = POD_UNARMED;
	assert_false(held(3, NOW));
	b.pod->arming = POD_ARMED;
	assert_true(held(3, NOW));
}

/* Nothing of an annotation that is not understood is excluded. */
static void pod_with_a_bad_annotation_is_not_held(void **state)
{
	b.row.reason = SMC_REASON_BAD_ANNOTATION;
	assert_false(held(3, NOW));
}

static void pod_that_is_not_known_is_not_held(void **state)
{
	b.world.uid = (char *)"other";
	assert_false(hold_armed(&b.pods, &b.plan, 3, NOW));
	assert_false(b.row.armed);
}

#define test(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(armed_pod_stays_until_server_has_status),
		test(armed_pod_stays_no_longer_than_the_hold_time),
		test(pod_enabled_again_is_not_held),
		test(pod_refused_meanwhile_is_not_held),
		test(pod_that_nobody_offers_to_is_not_held),
		test(pod_with_a_bad_annotation_is_not_held),
		test(pod_that_is_not_known_is_not_held),
	};

	return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
