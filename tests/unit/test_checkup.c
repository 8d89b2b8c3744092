// SPDX-License-Identifier: Apache-2.0
/* Doctor's checks, asked by a helper while the agent goes on. */
#include "unit.h"

#include <stdlib.h>
#include <uv.h>
#include "cluster/checkup.h"

#define HURRY "600" /* a minute takes 100 ms */
#define MINUTE_MS 100

static struct bench {
	uv_loop_t loop;
	struct features features;
	struct datapath_options opt;
	struct checkup *checkup;
	unsigned int answers;
	__u64 first_at, last_at; /* uv_now() */
} b;

static void done(void *arg)
{
	b.answers++;
	b.last_at = uv_now(&b.loop);
	if (b.answers == 1)
		b.first_at = b.last_at;
	uv_stop(&b.loop);
}

/* A node that can do SMC, as the agent has found, whose bpffs has gone. */
static int up(void **state)
{
	memset(&b, 0, sizeof(b));
	setenv("SMCMESH_HURRY", HURRY, 1);
	uv_loop_init(&b.loop);
	for (int f = 0; f < FEATURE_MAX; f++)
		b.features.v[f].state = FEATURE_PRESENT;
	b.opt = (struct datapath_options){.bpffs = "/proc", .proc = "/proc"};
	b.checkup = checkup_new(&b.loop, &b.opt, &b.features, done, NULL);
	assert_non_null(b.checkup);
	return 0;
}

static int down(void **state)
{
	checkup_close(b.checkup);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b.loop), 0);
	unsetenv("SMCMESH_HURRY");
	return 0;
}

static bool is_wrong(const char *id)
{
	const struct mesh_wrong *w = checkup_found(b.checkup);

	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->id[i], id))
			return true;
	return false;
}

/* Of the hooks it believes the agent, of mounts the kernel. */
static void what_is_wrong_is_found(void **state)
{
	assert_null(checkup_found(b.checkup));
	uv_run(&b.loop, UV_RUN_DEFAULT);
	assert_int_equal(b.answers, 1);
	assert_true(is_wrong("bpffs"));
	assert_true(is_wrong("signal-during-connect"));
	assert_false(is_wrong("ipproto_smc"));
	assert_false(is_wrong("hs_ctrl"));
}

static void they_are_asked_once_a_minute(void **state)
{
	for (int i = 0; i < 3; i++)
		uv_run(&b.loop, UV_RUN_DEFAULT);
	assert_int_equal(b.answers, 3);
	assert_true(b.last_at - b.first_at >= 2 * MINUTE_MS);
}

/* The helper is ended with it, whatever it does. */
static void it_can_be_closed_while_the_helper_runs(void **state)
{
	while (uv_run(&b.loop, UV_RUN_ONCE) && !b.answers) {
		checkup_close(b.checkup);
		b.checkup = NULL;
	}
	assert_int_equal(b.answers, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_is_wrong_is_found),
		test(they_are_asked_once_a_minute),
		test(it_can_be_closed_while_the_helper_runs),
	};

	return cmocka_run_group_tests_name("checkup", tests, NULL, NULL);
}
