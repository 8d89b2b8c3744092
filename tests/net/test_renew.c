// SPDX-License-Identifier: Apache-2.0
/* user/datapath: a selector that somebody unregistered, also where the kernel
 * has none: then one of the test's own. See world.h. */
#include "world.h"

#include "datapath/selector.h"

#define FIRST_ID 700

static bool registered, fails;
static __u32 id;

static int own_check(struct datapath *dp)
{
	return registered ? 0 : -ESTALE;
}

static int own_enroll(struct datapath *dp, struct bpf_object *obj)
{
	registered = true;
	id++;
	return 0;
}

static const char *own_name(const struct datapath *dp)
{
	return SMC_CTRL_PREFIX "7";
}

static int own_ids(struct datapath *dp, __u32 ids[SMC_SELECTORS])
{
	if (fails)
		return -ENOMEM;
	memset(ids, 0, SMC_SELECTORS * sizeof(*ids));
	ids[0] = id;
	return 0;
}

static const struct selector own = {
	.name = "own",
	.programs = (const char *const[]){NULL},
	.check = own_check,
	.enroll = own_enroll,
	.name_of = own_name,
	.ids = own_ids,
};

/* It is registered, and BPF knows its id; then somebody takes it away. */
static struct datapath *open_and_lose(void)
{
	struct datapath *dp = open_idle();

	dp->selector = &own;
	registered = true;
	fails = false;
	id = FIRST_ID;
	assert_int_equal(config_selectors(dp), 0);
	assert_int_equal(heal(dp), 0);
	assert_int_equal(config_now(dp).selectors[0], FIRST_ID);
	registered = false;
	return dp;
}

static void test_lost_selector_is_registered_again(void **state)
{
	struct datapath *dp = open_and_lose();

	assert_int_equal(heal(dp), 1);
	assert_true(registered);
	assert_int_equal(config_now(dp).selectors[0], FIRST_ID + 1);
	assert_int_equal(heal(dp), 0);
	assert_int_equal(id, FIRST_ID + 1);
	datapath_close(dp);
	remove_all();
}

/* Else nothing is converted where it is chosen, until it is the only one. */
static void test_id_that_was_not_told_is_told_by_the_next_check(void **state)
{
	struct datapath *dp = open_and_lose();
	unsigned int repairs;

	fails = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(datapath_check(dp, &repairs), -ENOMEM);
		assert_int_equal(repairs, 0);
		assert_true(registered);
		assert_int_equal(config_now(dp).selectors[0], FIRST_ID);
	}
	fails = false;
	assert_int_equal(heal(dp), 1);
	assert_int_equal(config_now(dp).selectors[0], FIRST_ID + 1);
	assert_int_equal(id, FIRST_ID + 1);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lost_selector_is_registered_again),
		TEST(test_id_that_was_not_told_is_told_by_the_next_check),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
