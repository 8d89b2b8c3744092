// SPDX-License-Identifier: Apache-2.0
/* Servers that fall silent while their kernel says that all is well. A minute
 * and a half of theirs takes a second here. */
#include "watch_bench.h"

#define HURRY 100
#define SILENT_MS (90000 / HURRY)

static int up_hurried(void **state)
{
	up(state);
	setenv("SMCMESH_HURRY", "100", 1);
	return 0;
}

static uint64_t now(void)
{
	uv_update_time(&b.loop);
	return uv_now(&b.loop);
}

/* The server says nothing until the watch is opened anew. */
static struct fake_conn *fall_silent(void)
{
	return fake_wait(&b.api, WATCH "10");
}

static void silent_watch_is_opened_anew_without_a_list(void **state)
{
	struct fake_conn *c, *anew;
	uint64_t begin;

	open_watch();
	c = stream_two();
	/* A bookmark is a sign of life, also a byte of one. */
	pass(SILENT_MS * 6 / 10);
	fake_event(c, "BOOKMARK", bookmark(10, false));
	pass(SILENT_MS * 6 / 10);
	fake_chunk(c, "{\"type\":");
	begin = now();
	anew = fall_silent();
	assert_in_range(now() - begin, SILENT_MS - TICK_MS, SILENT_MS * 3 / 2);
	assert_true(fake_asks(anew, "&timeoutSeconds=15&"));
	assert_ptr_not_equal(anew, c);
	told("+d/a=1 +d/b=2 = ");
	assert_int_equal(b.troubles, 0);
	/* What it missed comes now, and it is a watch like any other. */
	fake_begin(anew);
	fake_event(anew, "DELETED", thing("a", "1", 12));
	wait_for(&b.api, b.log.len);
	told("-d/a=1 ");
	assert_in_range(kube_watch_age_ms(b.watch), 0, SILENT_MS / 2);
	pass(120);
	fake_drop(anew);
	assert_false(fake_asks(fake_wait(&b.api, WATCH "12"),
			       "&timeoutSeconds=15&"));
	assert_int_equal(b.troubles, 0);
}

/* A server that never sends bookmarks has to say at least that it is over. */
static void doubted_watch_that_ends_was_well(void **state)
{
	struct fake_conn *c;

	/* It is to live for 10 s, and to end within 20: 200 ms, and 400. */
	setenv("SMCMESH_HURRY", "50", 1);
	open_watch();
	stream_two();
	c = fall_silent();
	assert_true(kube_watch_age_ms(b.watch) >= SILENT_MS - TICK_MS);
	fake_begin(c);
	pass(210);
	/* that an answer begins proves nothing */
	assert_true(kube_watch_age_ms(b.watch) >= SILENT_MS);
	fake_end(c);
	/* and what the version is now: test_kube_back */
	reply_list(fake_wait(&b.api, "?limit=1 "), 11, "");
	c = fake_wait(&b.api, WATCH "10");
	assert_true(kube_watch_age_ms(b.watch) < SILENT_MS / 2);
	assert_false(fake_asks(c, "&timeoutSeconds=15&"));
	assert_int_equal(b.troubles, 0);
	told("+d/a=1 +d/b=2 = ");
}

/* New connections are silent, too: it is said, and what is known grows old. */
static void server_that_stays_silent_is_trouble(void **state)
{
	struct fake_conn *c;

	open_watch();
	stream_two();
	for (int i = 0; i < 2; i++) {
		c = fake_wait(&b.api, WATCH "10");
		assert_true(fake_asks(c, "&timeoutSeconds=15&"));
		fake_begin(c);
		wait_for(&b.api, c->gone);
		assert_says(kube_watch_problem(b.watch),
			    "cannot watch things: no answer within 20 s");
	}
	assert_int_equal(b.troubles, 1);
	assert_true(kube_watch_age_ms(b.watch) >= SILENT_MS);
	c = fake_wait(&b.api, WATCH "10");
	fake_begin(c);
	fake_event(c, "BOOKMARK", bookmark(20, false));
	wait_for(&b.api, !kube_watch_problem(b.watch));
	assert_true(kube_watch_age_ms(b.watch) < SILENT_MS / 2);
	told("+d/a=1 +d/b=2 = ");
}

/* Half-open: the connection stands, nobody answers. */
static void server_that_does_not_answer_is_trouble(void **state)
{
	struct fake_conn *c;

	open_watch();
	c = stream_two();
	pass(120);
	fake_end(c);
	c = fake_wait(&b.api, WATCH "10");
	wait_for(&b.api, kube_watch_problem(b.watch));
	assert_says(kube_watch_problem(b.watch), "no answer within 30 s");
	wait_for(&b.api, c->gone);
	fake_begin(fake_wait(&b.api, WATCH "10"));
	wait_for(&b.api, !kube_watch_problem(b.watch));
	told("+d/a=1 +d/b=2 = ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up_hurried, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(silent_watch_is_opened_anew_without_a_list),
		TEST(doubted_watch_that_ends_was_well),
		TEST(server_that_stays_silent_is_trouble),
		TEST(server_that_does_not_answer_is_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
