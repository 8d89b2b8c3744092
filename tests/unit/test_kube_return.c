// SPDX-License-Identifier: Apache-2.0
/* After trouble: how soon a watch is back, and that it does not hammer. */
#include "kube/watch_impl.h"

#include "watch_bench.h"

static uint64_t now(void)
{
	uv_update_time(&b.loop);
	return uv_now(&b.loop);
}

static void hurry(const char *times)
{
	setenv("SMCMESH_HURRY", times, 1);
}

/* The server fails so often that the next wait would be 15 to 30 s. */
static void fail_often(const char *what)
{
	for (int i = 0; i < 8; i++)
		fake_reply(fake_wait(&b.api, what), 503, "{}");
	wait_for(&b.api, !fake_find(&b.api, what));
}

static void expire(struct fake_conn *c)
{
	fake_begin(c);
	fake_event(c, "ERROR", "{\"kind\":\"Status\",\"code\":410}");
}

/* What is listed anew is small: it need not wait for others. */
static void list_again(struct fake_conn *c, int version)
{
	fake_begin(c);
	fake_event(c, "ADDED", thing("b", "2", 6));
	fake_event(c, "BOOKMARK", bookmark(version, true));
}

static void expired_watch_lists_at_once_after_trouble(void **state)
{
	uint64_t begin;

	hurry("200");
	open_watch();
	stream_two();
	pass(60); /* it was well for some time */
	fake_drop(LIST_FIRST(&b.api.conns));
	fail_often(WATCH "10");
	expire(fake_wait(&b.api, WATCH "10"));
	begin = now();
	fake_wait(&b.api, STREAM);
	/* a back-off would be 75 to 150 ms */
	assert_true(now() - begin < 70);
	told("+d/a=1 +d/b=2 = ");
	/* the same of a 410 that is the answer */
	list_again(fake_find(&b.api, STREAM), 20);
	wait_for(&b.api, b.synced == 2);
	pass(60);
	fake_drop(LIST_FIRST(&b.api.conns));
	fail_often(WATCH "20");
	fake_reply(fake_wait(&b.api, WATCH "20"), 410, "{}");
	begin = now();
	fake_wait(&b.api, STREAM);
	assert_true(now() - begin < 70);
	told("-d/a=1 = ");
}

/* A server that forgets what it just said would be asked for list after list.
 */
static void watch_that_expires_at_once_backs_off(void **state)
{
	uint64_t begin;

	hurry("10");
	open_watch();
	fake_event(stream_two(), "ERROR", "{\"code\":410}");
	begin = now();
	for (int i = 1; i <= 3; i++) {
		list_again(fake_wait(&b.api, STREAM), 10 + i);
		wait_for(&b.api, b.synced == 1 + (unsigned int)i);
		fake_event(LIST_FIRST(&b.api.conns), "ERROR", "{\"code\":410}");
	}
	fake_wait(&b.api, STREAM);
	/* 25, 50, 100, 200 ms at least */
	assert_true(now() - begin >= 370);
}

static void lists_are_spread_by_their_size(void **state)
{
	unsigned int least = UINT_MAX, most = 0;

	assert_int_equal(watch_spread_ms(0), 0);
	for (int i = 0; i < 300; i++) {
		unsigned int ms = watch_spread_ms(5000);

		assert_true(watch_spread_ms(1) <= 6);
		assert_true(watch_spread_ms(100) <= 600);
		assert_true(watch_spread_ms(SIZE_MAX) <= 30000);
		assert_true(ms <= 30000);
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_true(least < 3000 && most > 27000);
}

/* A thousand objects, for which lists are spread over 6 s: 120 ms here. */
static void list_many(struct fake_conn *c)
{
	unsigned int synced = b.synced;
	char name[16];

	fake_begin(c);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		fake_event(c, "ADDED", thing(name, name, 5));
	}
	fake_event(c, "BOOKMARK", bookmark(10, true));
	wait_for(&b.api, b.synced == synced + 1);
}

/* The longest of some waits between a 410 and the list. @cut: the connection
 * had been cut before it, as of all nodes. */
static uint64_t longest_wait(int times, bool cut)
{
	uint64_t begin, longest = 0;

	for (int i = 0; i < times; i++) {
		struct fake_conn *c = LIST_FIRST(&b.api.conns);

		pass(220);
		if (cut) {
			fake_drop(c);
			c = fake_wait(&b.api, WATCH "10");
			fake_begin(c);
		}
		fake_event(c, "ERROR", "{\"code\":410}");
		begin = now();
		c = fake_wait(&b.api, STREAM);
		longest = now() - begin > longest ? now() - begin : longest;
		list_many(c);
	}
	return longest;
}

static void only_lists_after_trouble_are_spread(void **state)
{
	hurry("50");
	open_watch();
	list_many(fake_wait(&b.api, STREAM));
	assert_in_range(longest_wait(5, true), 20, 120 + 100);
	assert_int_equal(b.troubles, 0);
	assert_true(longest_wait(2, false) < 20);
}

/* The server is at the same address again. */
static void refused_connects_are_tried_often(void **state)
{
	uint64_t begin;

	hurry("100");
	open_watch();
	stream_two();
	fake_die(&b.api);
	/* as if for 100 s: others would wait 15 to 30 s by now */
	pass(1000);
	assert_says(kube_watch_problem(b.watch), "Connection refused");
	fake_listen(&b.api);
	begin = now();
	/* 4 s and some patience; the version is the old one */
	fake_begin(fake_wait(&b.api, WATCH "10"));
	assert_true(now() - begin < 40 + 100);
	wait_for(&b.api, !kube_watch_problem(b.watch));
	told("+d/a=1 +d/b=2 = ");
}

/* It says when to come, and is believed: no sooner, and no later than that and
 * a second. */
static void told_when_to_come_it_comes_then(void **state)
{
	hurry("20");
	open_watch();
	stream_two();
	fake_drop(LIST_FIRST(&b.api.conns));
	for (int i = 0; i < 5; i++) {
		uint64_t begin = now();

		fake_reply_with(fake_wait(&b.api, WATCH "10"), 429,
				"Retry-After: 1\r\n", "{}");
		wait_for(&b.api, !fake_find(&b.api, WATCH));
		fake_wait(&b.api, WATCH "10");
		if (i)
			assert_in_range(now() - begin, 50, 100 + 100);
	}
	told("+d/a=1 +d/b=2 = ");
}

/* The same event again and again is told once. */
static void duplicates_are_told_once(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = stream_two();
	for (int i = 0; i < 500; i++)
		fake_event(c, "MODIFIED", thing("a", "1", 11));
	fake_event(c, "MODIFIED", thing("a", "1", 12));
	fake_event(c, "DELETED", thing("b", "2", 13));
	wait_for(&b.api, b.log.data && strstr(b.log.data, "-d/b"));
	told("+d/a=1 +d/b=2 = ~d/a=1 ~d/a=1 -d/b=2 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(expired_watch_lists_at_once_after_trouble),
		TEST(watch_that_expires_at_once_backs_off),
		TEST(lists_are_spread_by_their_size),
		TEST(only_lists_after_trouble_are_spread),
		TEST(refused_connects_are_tried_often),
		TEST(told_when_to_come_it_comes_then),
		TEST(duplicates_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
