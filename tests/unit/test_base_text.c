// SPDX-License-Identifier: Apache-2.0
/* base/text, base/once: strings that are kept, and what is said once. */
#include "unit.h"

#include "base/once.h"

static void text_set_copies_and_forgets(void **state)
{
	char from[] = "one", *kept = NULL;

	assert_int_equal(text_set(&kept, from), 0);
	from[0] = 'O';
	assert_string_equal(kept, "one");
	assert_int_equal(text_set(&kept, "two"), 0);
	assert_string_equal(kept, "two");
	assert_int_equal(text_set(&kept, kept), 0);
	assert_string_equal(kept, "two");
	assert_int_equal(text_set(&kept, NULL), 0);
	assert_null(kept);
}

static void none_is_the_same_as_none_alone(void **state)
{
	assert_true(text_same(NULL, NULL));
	assert_false(text_same(NULL, ""));
	assert_false(text_same("", NULL));
	assert_true(text_same("a", "a"));
	assert_false(text_same("a", "b"));
}

static void a_trouble_is_news_until_it_changes(void **state)
{
	char *said = NULL;
	bool blind = false;
	int err = 0;

	assert_false(once_text(&said, NULL));
	assert_true(once_text(&said, "no route"));
	assert_false(once_text(&said, "no route"));
	assert_true(once_text(&said, "refused"));
	assert_true(once_text(&said, NULL));
	assert_false(once_text(&said, NULL));
	assert_null(said);

	assert_true(once_err(&err, -EPERM));
	assert_false(once_err(&err, -EPERM));
	assert_true(once_err(&err, -EACCES));
	assert_true(once_err(&err, 0));
	assert_false(once_err(&err, 0));

	assert_false(once_bool(&blind, false));
	assert_true(once_bool(&blind, true));
	assert_false(once_bool(&blind, true));
	assert_true(once_bool(&blind, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_set_copies_and_forgets),
		cmocka_unit_test(none_is_the_same_as_none_alone),
		cmocka_unit_test(a_trouble_is_news_until_it_changes),
	};

	return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
