// SPDX-License-Identifier: Apache-2.0
/* Versions that go back: the server's store was restored from a backup. */
#include "cluster/smcnode.h"

#include "watch_bench.h"

#define SMCNODES "/apis/smcmesh.io/v1alpha1/smcnodes"
#define OTHERS "/api/v1/others?"

static struct kube_watch *other;
static struct publish *publish;
/* The connections on which the two watches go on. */
static struct fake_conn *first, *second;

static int close_all(void **state)
{
	publish_close(take_ptr(publish));
	kube_watch_close(take_ptr(other));
	return down(state);
}

/* An empty list. */
static void list_end(struct fake_conn *c, int version)
{
	fake_begin(c);
	fake_event(c, "BOOKMARK", bookmark(version, true));
}

/* A watch of `path` and one of others, listed at version 10 and 12. */
static void open_two(const char *path)
{
	open_at(path, NULL, false, false);
	first = stream_two();
	other = open_one("/api/v1/others", NULL, false, false);
	second = fake_wait(&b.api, OTHERS);
	list_end(second, 12);
	wait_for(&b.api, b.synced == 2);
	told("+d/a=1 +d/b=2 = = ");
}

static bool is_listed_anew(void)
{
	return fake_find(&b.api, STREAM);
}

static void turn(void)
{
	pass(60);
}

/* Of a and b only a is left, which has by chance the version that it had. */
static void all_is_listed_anew(const char *path)
{
	struct fake_conn *c = fake_wait(&b.api, path);

	assert_true(fake_asks(c, STREAM));
	assert_true(fake_asks(fake_wait(&b.api, OTHERS), STREAM));
	fake_begin(c);
	fake_event(c, "ADDED", thing("a", "1", 5));
	fake_event(c, "BOOKMARK", bookmark(7, true));
	wait_for(&b.api, b.synced == 3);
	told("~d/a=1 -d/b=2 = ");
	assert_int_equal(b.troubles, 0);
	/* and it goes on from there */
	fake_drop(c);
	fake_wait(&b.api, WATCH "7");
}

static void lower_bookmark_lists_all_anew(void **state)
{
	open_two("/api/v1/things");
	/* the control: as far as it was, further, and no number */
	fake_event(first, "BOOKMARK", bookmark(10, false));
	fake_event(first, "BOOKMARK", bookmark(20, false));
	fake_event(second, "BOOKMARK",
		   "{\"metadata\":{\"resourceVersion\":\"x9\"}}");
	fake_event(second, "BOOKMARK", bookmark(12, false));
	turn();
	assert_false(is_listed_anew());
	fake_event(first, "BOOKMARK", bookmark(9, false));
	all_is_listed_anew("/api/v1/things?");
}

/* A server whose versions are no such numbers is not asked all the time. */
static void versions_that_always_go_back_are_listed_once_a_minute(void **state)
{
	struct fake_conn *c;

	open_two("/api/v1/things");
	fake_event(first, "BOOKMARK", bookmark(9, false));
	c = fake_wait(&b.api, "/api/v1/things?");
	list_end(c, 8);
	wait_for(&b.api, b.synced == 3);
	list_end(fake_wait(&b.api, OTHERS), 8);
	wait_for(&b.api, b.synced == 4);
	fake_event(c, "BOOKMARK", bookmark(7, false));
	fake_event(c, "BOOKMARK", bookmark(6, false));
	turn();
	assert_false(is_listed_anew());
	fake_drop(c);
	fake_wait(&b.api, WATCH "6");
}

/* A server does not send bookmarks that are lower than what was asked for: it
 * is silent. */
static void silent_server_is_asked_for_its_version(void **state)
{
	struct fake_conn *c;

	setenv("SMCMESH_HURRY", "50", 1);
	open_at("/api/v1/things", NULL, false, true);
	stream_two();
	told("+d/a=1 +d/b=2 = ");
	c = fake_wait(&b.api, "&timeoutSeconds=15&resourceVersion=10");
	fake_begin(c);
	pass(210);
	fake_end(c);
	/* the control, a version that did not go back: test_kube_silence */
	c = fake_wait(&b.api, "GET /api/v1/things?limit=1 HTTP");
	assert_true(fake_asks(c, "as=PartialObjectMetadataList;"));
	reply_list(c, 9, thing("a", "1", 5));
	c = fake_wait(&b.api, STREAM);
	fake_begin(c);
	fake_event(c, "ADDED", thing("a", "1", 5));
	fake_event(c, "BOOKMARK", bookmark(9, true));
	wait_for(&b.api, b.synced == 2);
	told("~d/a=1 -d/b=2 = ");
	assert_int_equal(b.troubles, 0);
}

/* Pods and SmcMesh: when the server is back it is asked for its version. */
static void eager_watch_asks_for_the_version_after_trouble(void **state)
{
	struct fake_conn *c;

	b.eager = true;
	open_at("/api/v1/things", "a=b", false, false);
	fake_drop(stream_two());
	/* the control, a version that did not go back */
	reply_list(fake_wait(&b.api, "/api/v1/things?limit=1 HTTP"), 11, "");
	c = fake_wait(&b.api, WATCH "10");
	fake_begin(c);
	fake_event(c, "BOOKMARK", bookmark(12, false));
	wait_for(&b.api, !kube_watch_problem(b.watch));
	pass(60);
	told("+d/a=1 +d/b=2 = ");
	fake_drop(c);
	reply_list(fake_wait(&b.api, "/api/v1/things?limit=1 HTTP"), 11, "");
	fake_wait(&b.api, STREAM);
}

/* ---- writes of ours ------------------------------------------------------ */

static void changed(void *arg)
{
}

static int nothing(struct mesh_ready *ready, struct buf *out, void *arg)
{
	return buf_printf(out, "{}");
}

static void answer(const char *request, const char *version)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"%s\"}}",
		 version);
	fake_reply(fake_wait(&b.api, request), 200, text);
}

static void set(const char *status)
{
	struct buf text = {};

	buf_printf(&text, "%s", status);
	publish_set(publish, &text);
	buf_free(&text);
}

/* Our SmcNode was there, at version 3; the status is taken at `version`. */
static void publish_at(const char *version)
{
	const struct publish_events events = {changed, nothing, NULL};

	assert_int_equal(publish_open(&b.loop, b.client, "n1", "boot", &events,
				      &publish),
			 0);
	fake_reply(fake_wait(&b.api, "GET " SMCNODES "/n1 "), 404, "{}");
	wait_for(&b.api, publish_may_arm(publish));
	set("{\"one\":1}");
	answer("GET /api/v1/nodes/n1 ", "2");
	answer("PATCH " SMCNODES "/n1?", "3");
	answer("PATCH " SMCNODES "/n1/status?", version);
	wait_for(&b.api, publish_acked(publish) == 1);
}

static void write_with_a_lower_version_lists_all_anew(void **state)
{
	open_two(SMCNODES);
	publish_at("9");
	all_is_listed_anew(SMCNODES "?");
}

/* The controls: a write of another kind's versions, one that changed nothing,
 * and one that was overtaken by an event. */
static void other_writes_list_nothing(void **state)
{
	open_two(SMCNODES);
	publish_at("3");
	turn();
	assert_false(is_listed_anew());
	set("{\"two\":2}");
	fake_wait(&b.api, "PATCH " SMCNODES "/n1/status?");
	fake_event(first, "MODIFIED", thing("a", "1", 15));
	wait_for(&b.api, b.log.len);
	answer("PATCH " SMCNODES "/n1/status?", "11");
	wait_for(&b.api, publish_acked(publish) == 2);
	turn();
	assert_false(is_listed_anew());
}

/* Without a watch (no pod of this node is annotated) the last write tells. */
static void write_below_the_last_one_lists_all_anew(void **state)
{
	open_two("/api/v1/things");
	publish_at("9");
	turn();
	assert_false(is_listed_anew());
	set("{\"two\":2}");
	answer("PATCH " SMCNODES "/n1/status?", "8");
	all_is_listed_anew("/api/v1/things?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lower_bookmark_lists_all_anew),
		TEST(versions_that_always_go_back_are_listed_once_a_minute),
		TEST(silent_server_is_asked_for_its_version),
		TEST(eager_watch_asks_for_the_version_after_trouble),
		TEST(write_with_a_lower_version_lists_all_anew),
		TEST(other_writes_list_nothing),
		TEST(write_below_the_last_one_lists_all_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
