// SPDX-License-Identifier: Apache-2.0
/* The start-up taint is taken off, once. */
#include "talk.h"

#include "cluster/untaint.h"

#define READ "GET /api/v1/nodes/n1 "
#define PATCH "PATCH /api/v1/nodes/n1 "
#define NODE                                                   \
	"{\"kind\":\"Node\",\"spec\":{\"taints\":[{\"key\":\"" \
	"smcmesh.io/agent-not-ready\",\"effect\":\"NoSchedule\"}]}}"

static struct bench {
	struct talk t;
	struct untaint *untaint;
} b;

static int up(void **state)
{
	talk_open(&b.t);
	b.untaint = untaint_new(&b.t.loop, b.t.client, "n1");
	assert_non_null(b.untaint);
	return 0;
}

static int down(void **state)
{
	untaint_close(b.untaint);
	talk_close(&b.t);
	return 0;
}

static void taint_is_removed_once(void **state)
{
	struct fake_conn *c;

	assert_true(talk_is_quiet(&b.t));
	untaint_begin(b.untaint);
	untaint_begin(b.untaint);
	talk_answer(&b.t, READ, 200, NODE);
	c = fake_wait(&b.t.api, PATCH);
	assert_true(fake_asks(c, "\"op\":\"remove\""));
	assert_true(fake_asks(c, "application/json-patch+json"));
	fake_reply(c, 200, "{}");
	assert_true(talk_is_quiet(&b.t));
	untaint_begin(b.untaint);
	assert_true(talk_is_quiet(&b.t));
}

static void node_without_the_taint_is_not_patched(void **state)
{
	untaint_begin(b.untaint);
	talk_answer(&b.t, READ, 200, "{\"kind\":\"Node\"}");
	assert_true(talk_is_quiet(&b.t));
}

/* 422: the patch's test failed; 409: the Node was written meanwhile. */
static void taints_that_changed_are_read_again(void **state)
{
	untaint_begin(b.untaint);
	talk_answer(&b.t, READ, 200, NODE);
	talk_answer(&b.t, PATCH, 422, "{}");
	talk_answer(&b.t, READ, 200, NODE);
	talk_answer(&b.t, PATCH, 409, "{}");
	talk_answer(&b.t, READ, 200, NODE);
	talk_answer(&b.t, PATCH, 200, "{}");
	assert_true(talk_is_quiet(&b.t));
}

static void untaint_that_fails_is_tried_again(void **state)
{
	untaint_begin(b.untaint);
	talk_answer(&b.t, READ, 503, "{}");
	talk_answer(&b.t, READ, 200, NODE);
	talk_answer(&b.t, PATCH, 403, "{}");
	talk_answer(&b.t, PATCH, 200, "{}");
	assert_true(talk_is_quiet(&b.t));
}

#define test(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(taint_is_removed_once),
		test(node_without_the_taint_is_not_patched),
		test(taints_that_changed_are_read_again),
		test(untaint_that_fails_is_tried_again),
	};

	return cmocka_run_group_tests_name("untaint", tests, NULL, NULL);
}
