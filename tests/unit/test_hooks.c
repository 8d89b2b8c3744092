// SPDX-License-Identifier: Apache-2.0
/* When the hooks of everybody's sockets come and go. */
#include "unit.h"

#include "pods/hook_times.h"

#define START 1000000

static void test_hooks_are_attached_with_the_first_pod(void **state)
{
	struct hooks h = {};

	assert_int_equal(hooks_next(&h, false, false, START), HOOKS_STAY);
	assert_int_equal(hooks_next(&h, true, false, START + 1), HOOKS_ATTACH);
	hooks_attached(&h, 0, START + 1);
	/* What is missing is put back; it does nothing twice. */
	assert_int_equal(hooks_next(&h, true, true, START + 2), HOOKS_ATTACH);
}

static void test_failed_attach_is_tried_again_later(void **state)
{
	struct hooks h = {};

	assert_int_equal(hooks_next(&h, true, false, START), HOOKS_ATTACH);
	hooks_attached(&h, -EINVAL, START);
	assert_int_equal(hooks_next(&h, true, false, START + 1), HOOKS_STAY);
	assert_true(h.failed_at);
	assert_int_equal(hooks_next(&h, true, true, START + HOOKS_RETRY_MS),
			 HOOKS_ATTACH);
	hooks_attached(&h, 0, START + HOOKS_RETRY_MS);
	assert_false(h.failed_at);
	/* Nobody wants them any more: no failure either. */
	hooks_attached(&h, -EINVAL, START + HOOKS_RETRY_MS);
	hooks_next(&h, false, false, START + HOOKS_RETRY_MS + 1);
	assert_false(h.failed_at);
}

static void test_hooks_linger_after_the_last_pod(void **state)
{
	struct hooks h = {};
	__u64 left = START + 100000;

	hooks_next(&h, true, true, START);
	assert_int_equal(hooks_next(&h, false, true, left), HOOKS_STAY);
	assert_int_equal(
		hooks_next(&h, false, true, left + HOOKS_LINGER_MS - 1),
		HOOKS_STAY);
	/* One more came and went: from the start. */
	left += HOOKS_LINGER_MS - 1;
	hooks_next(&h, true, true, left);
	assert_int_equal(hooks_next(&h, false, true, left + 1), HOOKS_STAY);
	assert_int_equal(hooks_next(&h, false, true, left + HOOKS_LINGER_MS),
			 HOOKS_STAY);
	assert_int_equal(
		hooks_next(&h, false, true, left + 1 + HOOKS_LINGER_MS),
		HOOKS_DETACH);
	hooks_detached(&h, false, left + 1 + HOOKS_LINGER_MS);
	assert_int_equal(
		hooks_next(&h, false, false, left + 2 + HOOKS_LINGER_MS),
		HOOKS_STAY);
	assert_int_equal(h.idle_since, 0);
}

/* An agent that starts beside hooks of one before it, and wants no pod. */
static void test_hooks_of_an_agent_before_linger_too(void **state)
{
	struct hooks h = {};

	assert_int_equal(hooks_next(&h, false, true, START), HOOKS_STAY);
	assert_int_equal(hooks_next(&h, false, true, START + HOOKS_LINGER_MS),
			 HOOKS_DETACH);
}

/* Guards stay while there are SMC sockets; that is asked now and then. */
static void test_guards_that_stay_are_asked_about_again(void **state)
{
	__u64 now = START + HOOKS_LINGER_MS;
	struct hooks h = {};

	hooks_next(&h, false, true, START);
	assert_int_equal(hooks_next(&h, false, true, now), HOOKS_DETACH);
	hooks_detached(&h, true, now);
	assert_int_equal(hooks_next(&h, false, true, now + 1), HOOKS_STAY);
	now += HOOKS_RETRY_MS;
	assert_int_equal(hooks_next(&h, false, true, now), HOOKS_DETACH);
	hooks_detached(&h, true, now);
	/* A pod meanwhile: all of them come back, and linger anew. */
	assert_int_equal(hooks_next(&h, true, true, now + 1), HOOKS_ATTACH);
	assert_int_equal(hooks_next(&h, false, true, now + HOOKS_RETRY_MS),
			 HOOKS_STAY);
}

static void test_recorder_is_chosen_once_for_each_wish(void **state)
{
	struct hooks h = {};

	assert_true(hooks_record_due(&h, MESH_RECORDER_AUTO, START));
	hooks_recorded(&h, MESH_RECORDER_AUTO, 0, START);
	assert_false(hooks_record_due(&h, MESH_RECORDER_AUTO, START));
	assert_true(hooks_record_due(&h, MESH_RECORDER_SMC, START));
	hooks_recorded(&h, MESH_RECORDER_SMC, -EIO, START);
	assert_false(hooks_record_due(&h, MESH_RECORDER_SMC, START + 1));
	/* Something else is asked for: at once. */
	assert_true(hooks_record_due(&h, MESH_RECORDER_SOCKOPS, START + 1));
	assert_true(hooks_record_due(&h, MESH_RECORDER_SMC,
				     START + HOOKS_RETRY_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hooks_are_attached_with_the_first_pod),
		cmocka_unit_test(test_failed_attach_is_tried_again_later),
		cmocka_unit_test(test_hooks_linger_after_the_last_pod),
		cmocka_unit_test(test_hooks_of_an_agent_before_linger_too),
		cmocka_unit_test(test_guards_that_stay_are_asked_about_again),
		cmocka_unit_test(test_recorder_is_chosen_once_for_each_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
