// SPDX-License-Identifier: Apache-2.0
/*
 * Watches against an API server that says what the test wants: lists of both
 * kinds, events, and everything that goes wrong.
 */
#include "kube/stream.h"
#include "watch_bench.h"

/* ---- lists --------------------------------------------------------------- */

static void a_streaming_list_becomes_a_watch(void **state)
{
	struct fake_conn *c;

	open_at("/api/v1/things", "spec.nodeName=n 1", false, true);
	c = fake_wait(&b.api, STREAM);
	assert_true(fake_asks(c, "GET /api/v1/things?watch=true&"));
	assert_true(fake_asks(c, "&allowWatchBookmarks=true"));
	assert_true(fake_asks(c, "&resourceVersionMatch=NotOlderThan"));
	assert_true(fake_asks(c, "&timeoutSeconds="));
	assert_true(fake_asks(c, "&fieldSelector=spec.nodeName%3Dn%201"));
	assert_true(fake_asks(c, "as=PartialObjectMetadata;g=meta.k8s.io"));
	assert_false(kube_watch_synced(b.watch));
	c = stream_two();
	assert_true(kube_watch_synced(b.watch));
	told("+d/a=1 +d/b=2 = ");
	fake_event(c, "MODIFIED", thing("a", "1", 11));
	fake_event(c, "DELETED", thing("b", "2", 12));
	fake_event(c, "ADDED", thing("c", "3", 13));
	wait_for(&b.api, b.log.data && strstr(b.log.data, "+d/c"));
	told("~d/a=1 -d/b=2 +d/c=3 ");
	assert_int_equal(b.troubles, 0);
}

static void a_refused_stream_is_a_plain_list(void **state)
{
	struct fake_conn *c;
	char items[600];

	open_at("/api/v1/things", "a=b", false, true);
	c = refuse_stream(422, PLAIN);
	assert_true(fake_asks(c, "GET /api/v1/things?resourceVersion=0"
				 "&limit=500&fieldSelector=a%3Db HTTP"));
	assert_true(fake_asks(c, "as=PartialObjectMetadataList;"));
	snprintf(items, sizeof(items), "%s,%s", thing("a", "1", 5),
		 thing("b", "2", 6));
	reply_list(c, 10, items);
	c = fake_wait(&b.api, WATCH "10");
	told("+d/a=1 +d/b=2 = ");
	fake_begin(c);
	fake_event(c, "ADDED", thing("c", "3", 11));
	wait_for(&b.api, b.log.len);
	told("+d/c=3 ");
	assert_int_equal(b.troubles, 0);
}

static void null_items_are_an_empty_list(void **state)
{
	open_watch();
	fake_reply(refuse_stream(400, PLAIN), 200,
		   "{\"kind\":\"ThingList\",\"items\":null,"
		   "\"metadata\":{\"resourceVersion\":\"3\"}}");
	fake_wait(&b.api, WATCH "3");
	told("= ");
}

/* Something else than an API server must not make all objects go. */
static void what_is_no_list_is_trouble(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"<html>",
		"{\"kind\":\"ThingList\",\"items\":[]}",
		"{\"kind\":\"Thing\",\"metadata\":{\"resourceVersion\":\"1\"},"
		"\"items\":[]}",
		"{\"kind\":\"ThingList\",\"items\":{},"
		"\"metadata\":{\"resourceVersion\":\"1\"}}",
	};

	open_watch();
	for (size_t i = 0; i < array_size(bad); i++) {
		fake_reply(refuse_stream(400, PLAIN), 200, bad[i]);
		wait_for(&b.api, kube_watch_problem(b.watch));
		assert_says(kube_watch_problem(b.watch), "cannot list things");
	}
	assert_false(kube_watch_synced(b.watch));
	told("");
	reply_list(refuse_stream(400, PLAIN), 9, thing("a", "1", 5));
	wait_for(&b.api, b.synced);
	assert_null(kube_watch_problem(b.watch));
}

static void objects_without_a_name_are_passed_over(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = fake_wait(&b.api, STREAM);
	fake_begin(c);
	fake_event(c, "ADDED", "{}");
	fake_event(c, "ADDED", "{\"metadata\":5}");
	fake_event(c, "ADDED", "{\"metadata\":{\"name\":7}}");
	fake_event(c, "ADDED", "{\"metadata\":{\"name\":\"\"}}");
	fake_event(c, "ADDED", "{\"metadata\":{\"name\":\"x\"}}");
	fake_event(c, "NEWS", "{\"metadata\":{\"name\":\"y\"}}");
	fake_event(c, "BOOKMARK", bookmark(10, true));
	wait_for(&b.api, b.synced);
	told("+/x= = ");
	assert_int_equal(b.troubles, 0);
}

/* An old server takes the request for a plain watch, and never ends the list.
 */
static void a_list_that_does_not_end_is_given_up(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = fake_wait(&b.api, STREAM);
	fake_begin(c);
	fake_event(c, "ADDED", thing("a", "1", 5));
	fake_end(c);
	wait_for(&b.api, kube_watch_problem(b.watch));
	reply_list(fake_wait(&b.api, PLAIN), 9, thing("b", "2", 6));
	fake_wait(&b.api, WATCH "9");
	told("+d/a=1 +d/b=2 -d/a=1 = ");
	assert_null(kube_watch_problem(b.watch));
}

static void reply_page(struct fake_conn *c, const char *more, const char *items)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"ThingList\",\"metadata\":{\"continue\":\"%s\","
		 "\"resourceVersion\":\"10\"},\"items\":[%s]}",
		 more, items);
	fake_reply(c, 200, text);
}

/* The server's cache gives all or nothing. */
static void list_that_is_too_large_is_read_in_pages(void **state)
{
	size_t len = KUBE_BODY_MAX + 100;
	char *large = malloc(len + 1);
	struct fake_conn *c;

	memset(large, ' ', len);
	large[len] = '\0';
	open_at("/api/v1/things", "a=b", false, false);
	fake_reply(refuse_stream(400, PLAIN "0&limit=500&"), 200, large);
	free(large);
	c = fake_wait(&b.api, "/things?limit=500&fieldSelector=a%3Db HTTP");
	reply_page(c, "tok+/=", thing("a", "1", 5));
	c = fake_wait(&b.api, "/things?limit=500&continue=tok%2B%2F%3D"
			      "&fieldSelector=a%3Db HTTP");
	told("+d/a=1 ");
	assert_false(kube_watch_synced(b.watch));
	reply_page(c, "two", thing("b", "2", 6));
	c = fake_wait(&b.api, "&continue=two&");
	reply_page(c, "", "");
	c = fake_wait(&b.api, WATCH "10");
	told("+d/b=2 = ");
	assert_int_equal(b.troubles, 0);
	/* It knows by now. */
	fake_reply(c, 410, "{}");
	refuse_stream(400, "/things?limit=500&fieldSelector");
}

/* Half of a list is nothing: it is listed from the first page again. */
static void pages_that_expire_are_read_again(void **state)
{
	struct fake_conn *c;

	open_watch();
	reply_page(refuse_stream(400, PLAIN "0&limit=500 "), "x",
		   thing("a", "1", 5));
	fake_reply(fake_wait(&b.api, "&continue=x"), 410, "{}");
	c = fake_wait(&b.api, PLAIN "0&limit=500 ");
	told("+d/a=1 ");
	reply_page(c, "y", thing("b", "2", 6));
	reply_page(fake_wait(&b.api, "&continue=y"), "", thing("c", "3", 7));
	fake_wait(&b.api, WATCH "10");
	told("+d/b=2 +d/c=3 -d/a=1 = ");
	assert_int_equal(b.troubles, 0);
}

/* ---- resuming ------------------------------------------------------------ */

static void a_watch_resumes_where_it_ended(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = stream_two();
	told("+d/a=1 +d/b=2 = ");
	fake_event(c, "MODIFIED", thing("a", "1", 17));
	fake_event(c, "BOOKMARK", bookmark(23, false));
	fake_end(c);
	c = fake_wait(&b.api, WATCH "23");
	told("~d/a=1 ");
	fake_begin(c);
	fake_event(c, "DELETED", thing("a", "1", 31));
	wait_for(&b.api, b.log.len);
	fake_drop(c);
	fake_wait(&b.api, WATCH "31");
	told("-d/a=1 ");
	assert_int_equal(b.synced, 1);
}

/* What was not listed again is gone, what did not change is not told again. */
static void expired_event_lists_anew(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = stream_two();
	told("+d/a=1 +d/b=2 = ");
	fake_event(c, "ERROR",
		   "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\","
		   "\"message\":\"too old resource version\"}");
	c = fake_wait(&b.api, STREAM);
	fake_begin(c);
	fake_event(c, "ADDED", thing("b", "2", 6));
	fake_event(c, "ADDED", thing("c", "3", 7));
	fake_event(c, "BOOKMARK", bookmark(50, true));
	wait_for(&b.api, b.synced == 2);
	told("+d/c=3 -d/a=1 = ");
	assert_int_equal(b.troubles, 0);
}

static void watch_answered_with_410_lists_anew(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = stream_two();
	fake_end(c);
	fake_reply(fake_wait(&b.api, WATCH "10"), 410, "{}");
	/* A server without streaming lists is not asked for what is older. */
	c = refuse_stream(400, PLAIN "10&resourceVersionMatch=NotOlderThan");
	/* It is behind: then what it has. */
	fake_reply(c, 504, "{\"message\":\"Too large resource version\"}");
	reply_list(fake_wait(&b.api, PLAIN "0"), 9, thing("a", "1", 5));
	fake_wait(&b.api, WATCH "9");
	told("+d/a=1 +d/b=2 = -d/b=2 = ");
}

static void a_list_that_broke_off_makes_nothing_go(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = stream_two();
	told("+d/a=1 +d/b=2 = ");
	fake_event(c, "ERROR", "{\"code\":410}");
	c = fake_wait(&b.api, STREAM);
	fake_begin(c);
	fake_event(c, "ADDED", thing("c", "3", 7));
	wait_for(&b.api, b.log.len);
	fake_drop(c);
	c = fake_wait(&b.api, STREAM);
	told("+d/c=3 ");
	fake_begin(c);
	fake_event(c, "ADDED", thing("a", "1", 5));
	fake_event(c, "BOOKMARK", bookmark(60, true));
	wait_for(&b.api, b.synced == 2);
	told("-d/b=2 -d/c=3 = ");
}

/* It is not asked for more than before, nor before it said. */
static void a_server_in_trouble_is_left_alone(void **state)
{
	__u64 begin;

	open_watch();
	fake_event(stream_two(), "ERROR", "{\"code\":410}");
	begin = uv_now(&b.loop);
	fake_reply_with(fake_wait(&b.api, STREAM), 503, "Retry-After: 1\r\n",
			"");
	wait_for(&b.api, kube_watch_problem(b.watch));
	fake_reply(fake_wait(&b.api, STREAM), 422, "{}");
	assert_true(uv_now(&b.loop) - begin >= 100);
	fake_reply(fake_wait(&b.api, PLAIN "10&"), 503, "");
	fake_reply(refuse_stream(422, PLAIN "10&"), 504, "etcd is slow");
	/* Its own error may be that it cannot stream. */
	fake_reply(wait_now(STREAM), 500, "{}");
	reply_list(wait_now(PLAIN "10&"), 12, thing("a", "1", 5));
	fake_wait(&b.api, WATCH "12");
	told("+d/a=1 +d/b=2 = -d/b=2 = ");
}

/* ---- UID decides --------------------------------------------------------- */

static void object_of_the_same_name_replaces_the_old_one(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = stream_two();
	told("+d/a=1 +d/b=2 = ");
	fake_event(c, "ADDED", thing("a", "9", 11));
	fake_event(c, "DELETED", thing("a", "1", 12));
	fake_event(c, "ADDED", thing("z", "0", 13));
	wait_for(&b.api, b.log.data && strstr(b.log.data, "+d/z"));
	told("-d/a=1 +d/a=9 +d/z=0 ");
	fake_event(c, "DELETED", thing("a", "9", 14));
	fake_event(c, "DELETED", thing("never", "8", 15));
	wait_for(&b.api, b.log.len);
	told("-d/a=9 ");
}

/* ---- trouble ------------------------------------------------------------- */

static void broken_json_is_said_and_listed_anew(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = stream_two();
	told("+d/a=1 +d/b=2 = ");
	fake_chunk(c, "{\"type\":\"ADDED\",\"object\":{]}\n");
	wait_for(&b.api, kube_watch_problem(b.watch));
	assert_says(kube_watch_problem(b.watch),
		    "cannot watch things: broken JSON at byte ");
	stream_two();
	assert_null(kube_watch_problem(b.watch));
	told("= ");
	assert_int_equal(b.troubles, 2);
}

static void events_of_wrong_types_are_trouble(void **state)
{
	static const char *const bad[] = {
		"[]\n",
		"5\n",
		"{}\n",
		"{\"type\":5,\"object\":{}}\n",
		"{\"type\":\"ADDED\",\"object\":[]}\n",
		"{\"type\":\"ADDED\"}\n",
		"{\"type\":\"ERROR\"}\n",
		"{\"type\":\"ERROR\",\"object\":{\"code\":\"x\"}}\n",
	};

	open_watch();
	for (size_t i = 0; i < array_size(bad); i++) {
		struct fake_conn *c;

		if (!i || !strstr(bad[i - 1], "ERROR")) {
			c = stream_two();
		} else {
			c = wait_now(WATCH);
			fake_begin(c);
		}
		fake_chunk(c, bad[i]);
		wait_for(&b.api, kube_watch_problem(b.watch));
	}
	told("+d/a=1 +d/b=2 = = = = = = = ");
}

static void refusals_name_verb_and_resource(void **state)
{
	open_watch();
	fake_reply(fake_wait(&b.api, STREAM), 403,
		   "{\"message\":\"User \\\"x\\\" cannot watch things\"}");
	wait_for(&b.api, kube_watch_problem(b.watch));
	assert_string_equal(
		kube_watch_problem(b.watch),
		"cannot watch things: 403, User \"x\" cannot watch things");
	fake_reply(fake_wait(&b.api, STREAM), 401, "Unauthorized");
	wait_for(&b.api, strstr(kube_watch_problem(b.watch), "401"));
	stream_two();
	assert_null(kube_watch_problem(b.watch));
}

static void refused_connection_is_trouble(void **state)
{
	open_watch();
	fake_die(&b.api);
	wait_for(&b.api, kube_watch_problem(b.watch));
	assert_says(kube_watch_problem(b.watch),
		    "cannot watch things: Connection refused (http://127.0");
	assert_int_equal(b.troubles, 1);
}

static void a_server_that_ends_at_once_is_not_hammered(void **state)
{
	open_watch();
	fake_end(stream_two());
	for (int i = 0; i < 3; i++) {
		struct fake_conn *c = fake_wait(&b.api, WATCH "10");

		fake_begin(c);
		fake_end(c);
		wait_for(&b.api, !fake_find(&b.api, WATCH));
	}
	wait_for(&b.api, kube_watch_problem(b.watch));
	assert_says(kube_watch_problem(b.watch), "it ended at once");
}

/* ---- CRDs ---------------------------------------------------------------- */

static void optional_resource_not_installed_is_empty(void **state)
{
	struct fake_conn *c;

	open_at("/apis/x.io/v1/things", NULL, true, false);
	fake_reply(fake_wait(&b.api, STREAM), 404, "404 page not found\n");
	wait_for(&b.api, b.synced);
	assert_true(kube_watch_synced(b.watch));
	assert_null(kube_watch_problem(b.watch));
	told("= ");
	/* Said once. */
	for (int i = 0; i < 3; i++)
		fake_reply(wait_now(STREAM), 404, "404 page not found\n");
	/* Installed: the server needs a moment. */
	fake_reply_with(wait_now(STREAM), 429, "Retry-After: 1\r\n", "{}");
	wait_for(&b.api, kube_watch_problem(b.watch));
	told("");
	c = stream_two();
	told("+d/a=1 +d/b=2 = ");
	/* And gone again: the server ends the watch. */
	fake_event(c, "DELETED", thing("a", "1", 11));
	fake_end(c);
	fake_reply(fake_wait(&b.api, WATCH "11"), 404, "");
	wait_for(&b.api, kube_watch_problem(b.watch));
	told("-d/a=1 ");
	for (int i = 0; i < 2; i++)
		fake_reply(fake_wait(&b.api, STREAM), 404, "");
	wait_for(&b.api, b.synced == 3);
	told("-d/b=2 = ");
	assert_null(kube_watch_problem(b.watch));
}

static void required_resource_not_installed_is_trouble(void **state)
{
	open_watch();
	for (int i = 0; i < 3; i++)
		fake_reply(fake_wait(&b.api, STREAM), 404, "");
	wait_for(&b.api, kube_watch_problem(b.watch));
	assert_false(kube_watch_synced(b.watch));
	told("");
}

/* What an outage left behind is over, and what stands before the server cannot
 * tell what is installed. */
static void what_is_not_installed_is_no_trouble_after_an_outage(void **state)
{
	open_at("/apis/x.io/v1/things", NULL, true, false);
	/* On a connection that is used again curl would ask once more. */
	fake_reply_with(fake_wait(&b.api, STREAM), 404, "Connection: close\r\n",
			"");
	wait_for(&b.api, b.synced);
	told("= ");
	fake_drop(wait_now(STREAM));
	wait_for(&b.api, kube_watch_problem(b.watch));
	fake_reply(wait_now(STREAM), 404, "");
	wait_for(&b.api, !kube_watch_problem(b.watch));
	for (int i = 0; i < 3; i++) {
		fake_reply(wait_now(STREAM), (int[]){401, 403, 503}[i], "");
		wait_for(&b.api, kube_watch_problem(b.watch));
		fake_reply(wait_now(STREAM), 404, "");
		wait_for(&b.api, !kube_watch_problem(b.watch));
	}
	told("");
}

/* ---- closing ------------------------------------------------------------- */

static void closing_the_watch_deletes_all_objects(void **state)
{
	open_watch();
	stream_two();
	told("+d/a=1 +d/b=2 = ");
	close_watch();
	assert_int_equal(b.log.len, strlen("-d/a=1 -d/b=2 "));
}

static void put_handler_may_close_the_watch(void **state)
{
	struct fake_conn *c;

	b.close_in_put = true;
	open_watch();
	c = fake_wait(&b.api, STREAM);
	fake_begin(c);
	fake_event(c, "ADDED", thing("a", "1", 5));
	fake_event(c, "ADDED", thing("b", "2", 6));
	wait_for(&b.api, !b.watch);
	told("+d/a=1 -d/a=1 ");
}

static void put_handler_of_a_plain_list_may_close_the_watch(void **state)
{
	b.close_in_put = true;
	open_watch();
	reply_list(refuse_stream(400, PLAIN), 9, thing("a", "1", 5));
	wait_for(&b.api, !b.watch);
	told("+d/a=1 -d/a=1 ");
}

static void synced_handler_may_close_the_watch(void **state)
{
	b.close_in_synced = true;
	open_watch();
	stream_two();
	assert_null(b.watch);
}

static void each_is_called_in_order(struct kube_object *obj, void *arg)
{
	note("", obj);
}

static void objects_are_walked_in_order(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = fake_wait(&b.api, STREAM);
	fake_begin(c);
	for (const char *p = "zmaqkb"; *p; p++)
		fake_event(c, "ADDED", thing((char[]){*p, '\0'}, "u", 5 + *p));
	fake_event(c, "BOOKMARK", bookmark(500, true));
	wait_for(&b.api, b.synced);
	buf_drop(&b.log, b.log.len);
	kube_watch_each(b.watch, each_is_called_in_order, NULL);
	told("d/a=u d/b=u d/k=u d/m=u d/q=u d/z=u ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_streaming_list_becomes_a_watch),
		TEST(a_refused_stream_is_a_plain_list),
		TEST(null_items_are_an_empty_list),
		TEST(what_is_no_list_is_trouble),
		TEST(objects_without_a_name_are_passed_over),
		TEST(a_list_that_does_not_end_is_given_up),
		TEST(list_that_is_too_large_is_read_in_pages),
		TEST(pages_that_expire_are_read_again),
		TEST(a_watch_resumes_where_it_ended),
		TEST(expired_event_lists_anew),
		TEST(watch_answered_with_410_lists_anew),
		TEST(a_server_in_trouble_is_left_alone),
		TEST(a_list_that_broke_off_makes_nothing_go),
		TEST(object_of_the_same_name_replaces_the_old_one),
		TEST(broken_json_is_said_and_listed_anew),
		TEST(events_of_wrong_types_are_trouble),
		TEST(refusals_name_verb_and_resource),
		TEST(refused_connection_is_trouble),
		TEST(a_server_that_ends_at_once_is_not_hammered),
		TEST(optional_resource_not_installed_is_empty),
		TEST(what_is_not_installed_is_no_trouble_after_an_outage),
		TEST(required_resource_not_installed_is_trouble),
		TEST(closing_the_watch_deletes_all_objects),
		TEST(put_handler_may_close_the_watch),
		TEST(put_handler_of_a_plain_list_may_close_the_watch),
		TEST(synced_handler_may_close_the_watch),
		TEST(objects_are_walked_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
