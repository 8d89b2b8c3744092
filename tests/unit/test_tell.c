// SPDX-License-Identifier: Apache-2.0
/* What the agent tells an API server: its SmcNode, and Events. */
#include "fake_api.h"

#include "cluster/smcnode.h"
#include "cluster/event_queue.h"

#define BOOT "boot-now"
#define NODE_PATH "GET /api/v1/nodes/n1 "
#define FIND "GET /apis/smcmesh.io/v1alpha1/smcnodes/n1 "
#define MAKE                                        \
	"PATCH /apis/smcmesh.io/v1alpha1/smcnodes/" \
	"n1?fieldManager=smcmesh&force=true "
#define STATUS                                         \
	"PATCH /apis/smcmesh.io/v1alpha1/smcnodes/n1/" \
	"status?fieldManager=smcmesh&force=true "
#define NODE \
	"{\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\",\"uid\":\"u-1\"}}"

static struct bench {
	uv_loop_t loop;
	struct fake api;
	struct kube_client *client;
	struct publish *publish;
	struct report *report;
	unsigned int changes, nothings;
} b;

static void changed(void *arg)
{
	b.changes++;
}

static int nothing(struct mesh_ready *ready, struct buf *out, void *arg)
{
	b.nothings++;
	return buf_printf(out, "{\"nothing\":1}");
}

static int up(void **state)
{
	memset(&b, 0, sizeof(b));
	uv_loop_init(&b.loop);
	fake_open(&b.api, &b.loop);
	assert_int_equal(
		kube_client_open(&b.loop,
				 &(struct kube_options){.server = b.api.url},
				 &b.client),
		0);
	return 0;
}

static int down(void **state)
{
	publish_close(b.publish);
	report_close(b.report);
	kube_client_close(b.client);
	fake_close(&b.api);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b.loop), 0);
	return 0;
}

static void open_publish(void)
{
	const struct publish_events events = {changed, nothing, NULL};

	assert_int_equal(publish_open(&b.loop, b.client, "n1", BOOT, &events,
				      &b.publish),
			 0);
}

static __u64 set(const char *text)
{
	struct buf t = {};
	__u64 number;

	buf_printf(&t, "%s", text);
	number = publish_set(b.publish, &t);
	buf_free(&t);
	return number;
}

/* Answer the next request, which must be this one. */
static void answer(const char *request, int status, const char *body)
{
	fake_reply(fake_wait(&b.api, request), status, body);
}

static const char *own_node(const char *boot, const char *endpoints)
{
	static char text[512];

	snprintf(text, sizeof(text),
		 "{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":\"SmcNode\","
		 "\"metadata\":{\"name\":\"n1\"},\"status\":{\"bootID\":\"%s\","
		 "\"endpoints\":[%s]}}",
		 boot, endpoints);
	return text;
}

#define ENDPOINT                                               \
	"{\"address\":\"10.0.0.1\",\"transports\":[\"smcd\"]," \
	"\"namespace\":\"d\",\"pod\":\"p\",\"uid\":\"u\","     \
	"\"created\":\"2025-01-01T00:00:00Z\"}"

#define VERSION(v) "{\"metadata\":{\"resourceVersion\":\"" v "\"}}"

/* Everything up to the first status, which is version 99. */
static void publish_first(const char *status)
{
	open_publish();
	answer(FIND, 404, "{}");
	wait_for(&b.api, publish_may_arm(b.publish));
	assert_int_equal(set(status), 1);
	answer(NODE_PATH, 200, NODE);
	assert_true(fake_asks(fake_wait(&b.api, MAKE), "\"uid\":\"u-1\""));
	answer(MAKE, 201, "{}");
	assert_true(fake_asks(fake_wait(&b.api, STATUS), status));
	answer(STATUS, 200, VERSION("99"));
	wait_for(&b.api, publish_acked(b.publish) == 1);
}

static void test_first_status_makes_the_smcnode(void **state)
{
	open_publish();
	assert_false(publish_may_arm(b.publish));
	assert_int_equal(publish_age_ms(b.publish), -1);
	publish_close(b.publish);
	publish_first("{\"one\":1}");
	assert_true(publish_age_ms(b.publish) >= 0);
	assert_null(publish_problem(b.publish));
	assert_int_equal(b.nothings, 0);
}

/* The same text is no news; of several texts only the last is sent, and not
 * within a second of the one before. */
static void test_only_the_last_text_is_sent_within_a_second(void **state)
{
	__u64 begin;

	publish_first("{\"one\":1}");
	begin = uv_now(&b.loop);
	assert_int_equal(set("{\"one\":1}"), 1);
	assert_int_equal(set("{\"two\":2}"), 2);
	assert_int_equal(set("{\"three\":3}"), 3);
	assert_true(fake_asks(fake_wait(&b.api, STATUS), "{\"three\":3}"));
	assert_true(uv_now(&b.loop) - begin >= 990);
	assert_int_equal(publish_acked(b.publish), 1);
	/* newer while it is under way */
	assert_int_equal(set("{\"four\":4}"), 4);
	answer(STATUS, 200, "{}");
	wait_for(&b.api, publish_acked(b.publish) == 3);
	assert_int_equal(publish_age_ms(b.publish), -1);
	assert_true(fake_asks(fake_wait(&b.api, STATUS), "{\"four\":4}"));
	answer(STATUS, 200, "{}");
	wait_for(&b.api, publish_acked(b.publish) == 4);
}

static void test_endpoints_of_another_boot_are_taken_back_first(void **state)
{
	open_publish();
	answer(FIND, 200, own_node("boot-before", ENDPOINT));
	answer(NODE_PATH, 200, NODE);
	answer(MAKE, 200, "{}");
	assert_true(fake_asks(fake_wait(&b.api, STATUS), "{\"nothing\":1}"));
	assert_false(publish_may_arm(b.publish));
	answer(STATUS, 200, "{}");
	wait_for(&b.api, publish_may_arm(b.publish));
	assert_int_equal(b.nothings, 1);
}

static void test_endpoints_of_the_same_boot_let_arm_at_once(void **state)
{
	open_publish();
	answer(FIND, 200, own_node(BOOT, ENDPOINT));
	wait_for(&b.api, publish_may_arm(b.publish));
	assert_int_equal(b.nothings, 0);
}

/* Until it has asked doctor's checks itself it says what is published. */
static void test_checks_that_an_agent_before_published_are_kept(void **state)
{
	const struct mesh_ready *ready;

	open_publish();
	ready = publish_ready(b.publish);
	answer(FIND, 200,
	       "{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n1\"},"
	       "\"status\":{\"bootID\":\"" BOOT "\",\"doctor\":[\"ueid\"]}}");
	wait_for(&b.api, publish_may_arm(b.publish));
	assert_true(ready->wrong_known);
	assert_int_equal(ready->wrong.n, 1);
	assert_string_equal(ready->wrong.id[0], "ueid");
	publish_close(b.publish);
	/* control: one that says nothing of it */
	open_publish();
	answer(FIND, 200, own_node(BOOT, ENDPOINT));
	wait_for(&b.api, publish_may_arm(b.publish));
	assert_false(publish_ready(b.publish)->wrong_known);
}

static void test_other_boot_without_endpoints_lets_arm_at_once(void **state)
{
	open_publish();
	answer(FIND, 200, own_node("boot-before", ""));
	wait_for(&b.api, publish_may_arm(b.publish));
	assert_int_equal(b.nothings, 0);
}

/* What cannot be read may list anything. */
static void test_unreadable_smcnode_is_emptied_before_arming(void **state)
{
	open_publish();
	answer(FIND, 200, "{\"kind\":");
	answer(NODE_PATH, 200, NODE);
	answer(MAKE, 200, "{}");
	answer(STATUS, 200, "{}");
	wait_for(&b.api, publish_may_arm(b.publish));
	assert_int_equal(b.nothings, 1);
}

/* No arming on a guess: it is asked until there is an answer. */
static void test_refused_read_holds_arming_until_an_answer(void **state)
{
	open_publish();
	answer(FIND, 403, "{\"message\":\"User x cannot get\"}");
	wait_for(&b.api, publish_problem(b.publish));
	assert_says(publish_problem(b.publish), "cannot get smcnodes");
	assert_says(publish_problem(b.publish), "403");
	assert_false(publish_may_arm(b.publish));
	answer(FIND, 404, "{}");
	wait_for(&b.api, publish_may_arm(b.publish));
	set("{\"one\":1}");
	answer(NODE_PATH, 200, NODE);
	answer(MAKE, 404, "404 page not found");
	wait_for(&b.api, strstr(publish_problem(b.publish), "CRDs"));
	answer(MAKE, 201, "{}");
	answer(STATUS, 200, "{}");
	wait_for(&b.api, !publish_problem(b.publish));
	assert_int_equal(publish_acked(b.publish), 1);
}

/* Taken away between two statuses: made again, for the Node as it is. */
static void test_smcnode_removed_between_statuses_is_made_again(void **state)
{
	publish_first("{\"one\":1}");
	set("{\"two\":2}");
	answer(STATUS, 404, "{}");
	answer(NODE_PATH, 200, NODE);
	answer(MAKE, 201, "{}");
	answer(STATUS, 200, "{}");
	wait_for(&b.api, publish_acked(b.publish) == 2);
}

/* ---- what became of it --------------------------------------------------- */

#define MINUTE_MS (60 * 1000)

/* The source shows our SmcNode like this (NULL: none), @ms from now. Return: is
 * it published again? */
static bool again_after(unsigned int ms, const char *version, bool shown)
{
	struct mesh_node own = {.version = (char *)version};

	/* The second after an answer is over. */
	uv_run(&b.loop, UV_RUN_NOWAIT);
	b.loop.time += ms;
	publish_check(b.publish, version ? &own : NULL, shown);
	uv_update_time(&b.loop);
	return publish_age_ms(b.publish) < 0;
}

static bool again(const char *version)
{
	return again_after(0, version, true);
}

/* Published, and a second older than that, so that it may be again. */
static void publish_and_wait(void)
{
	__u64 begin;

	publish_first("{\"one\":1}");
	begin = uv_now(&b.loop);
	wait_for(&b.api, uv_now(&b.loop) - begin > 1050);
}

/* The same text once more. @made: of MAKE; @version: what comes of it. */
static void answer_again(int made, const char *version)
{
	__u64 number = publish_acked(b.publish), begin;

	answer(NODE_PATH, 200, NODE);
	answer(MAKE, made, "{}");
	assert_true(fake_asks(fake_wait(&b.api, STATUS), "{\"one\":1}"));
	answer(STATUS, 200, version);
	wait_for(&b.api, publish_acked(b.publish) == number + 1);
	begin = uv_now(&b.loop);
	wait_for(&b.api, uv_now(&b.loop) - begin > 1050);
}

/* Nothing to do while it is as it was published, or the watch lags behind. */
static void test_smcnode_as_published_is_not_sent_again(void **state)
{
	publish_and_wait();
	assert_false(again("99"));
	assert_false(again("98"));
	assert_false(again("9"));
	assert_false(again_after(MINUTE_MS, "98", true));
	/* nothing that can be compared */
	assert_false(again(""));
	assert_false(again("x100"));
	uv_run(&b.loop, UV_RUN_NOWAIT);
	assert_null(fake_find(&b.api, "/api"));
	/* as it was ten minutes ago, and then for as long no more */
	assert_false(again_after(11 * MINUTE_MS, "99", true));
	assert_true(again_after(22 * MINUTE_MS, "98", true));
}

/* Whatever it was that someone changed, also what no other field tells. */
static void test_smcnode_that_others_changed_is_sent_again(void **state)
{
	publish_and_wait();
	assert_true(again("100"));
	/* it is under way */
	assert_true(again("100"));
	answer_again(200, VERSION("102"));
	/* 101 is of the object itself, which was applied first */
	assert_false(again("101"));
	assert_false(again("102"));
	assert_true(again("103"));
	/* nothing was wrong with what is ours: it stays the same version */
	answer_again(200, VERSION("103"));
	assert_false(again("103"));
	assert_null(fake_find(&b.api, "/api"));
}

static void test_smcnode_that_was_taken_away_is_made_again(void **state)
{
	publish_and_wait();
	/* it was made just now: the watch has not come so far */
	assert_false(again(NULL));
	assert_false(again("98"));
	assert_true(again(NULL));
	answer_again(201, VERSION("110"));
	assert_false(again(NULL));
	assert_false(again("110"));
	assert_true(again(NULL));
}

/* The last annotated pod went: nobody watches any more. */
static void test_smcnode_not_watched_is_sent_after_ten_minutes(void **state)
{
	publish_and_wait();
	assert_false(again("99"));
	assert_false(again_after(0, NULL, false));
	assert_false(again_after(9 * MINUTE_MS, NULL, false));
	/* in the meantime it may have gone */
	assert_true(again_after(11 * MINUTE_MS, NULL, false));
	/* the server does not say a version */
	answer_again(200, "{}");
	assert_false(again("5"));
	assert_false(again_after(9 * MINUTE_MS, "6", true));
	assert_true(again_after(11 * MINUTE_MS, "6", true));
}

/* ---- Events -------------------------------------------------------------- */

static void say(const char *pod)
{
	assert_true(report_pod(b.report, REPORT_LATE,
			       &(struct kube_event){.ns = "a b",
						    .pod = pod,
						    .uid = pod,
						    .node = "n1",
						    .warning = true,
						    .reason = "LateListener",
						    .message = "late",
						    .when = 1}));
}

#define EVENTS "POST /api/v1/namespaces/a%20b/events "

static void test_events_are_sent_in_turn_and_again_after_503(void **state)
{
	b.report = report_new(&b.loop, b.client, 0);
	assert_non_null(b.report);
	say("p1");
	say("p2");
	say("p3");
	assert_true(fake_asks(fake_wait(&b.api, EVENTS), "\"p1\""));
	answer(EVENTS, 503, "{}"); /* again */
	assert_true(fake_asks(fake_wait(&b.api, EVENTS), "\"p1\""));
	answer(EVENTS, 409, "{}"); /* an agent before said so */
	assert_true(fake_asks(fake_wait(&b.api, EVENTS), "\"p2\""));
	answer(EVENTS, 403, "{}"); /* no use in saying it again */
	assert_true(fake_asks(fake_wait(&b.api, EVENTS), "\"p3\""));
	answer(EVENTS, 201, "{}");
	say("p4");
	assert_true(fake_asks(fake_wait(&b.api, EVENTS), "\"p4\""));
}

#define tell_test(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tell_test(test_first_status_makes_the_smcnode),
		tell_test(test_only_the_last_text_is_sent_within_a_second),
		tell_test(test_endpoints_of_another_boot_are_taken_back_first),
		tell_test(test_endpoints_of_the_same_boot_let_arm_at_once),
		tell_test(test_checks_that_an_agent_before_published_are_kept),
		tell_test(test_other_boot_without_endpoints_lets_arm_at_once),
		tell_test(test_unreadable_smcnode_is_emptied_before_arming),
		tell_test(test_refused_read_holds_arming_until_an_answer),
		tell_test(test_smcnode_removed_between_statuses_is_made_again),
		tell_test(test_smcnode_as_published_is_not_sent_again),
		tell_test(test_smcnode_that_others_changed_is_sent_again),
		tell_test(test_smcnode_that_was_taken_away_is_made_again),
		tell_test(test_smcnode_not_watched_is_sent_after_ten_minutes),
		tell_test(test_events_are_sent_in_turn_and_again_after_503),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
