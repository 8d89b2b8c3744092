// SPDX-License-Identifier: Apache-2.0
/* base/array: arrays that grow one by one, and that are sorted. */
#include "unit.h"

#include "base/array.h"

struct row {
	int key, value;
};

static int by_key(const void *a, const void *b)
{
	return ((const struct row *)a)->key - ((const struct row *)b)->key;
}

static int by_both(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return by_key(a, b) ?: x->value - y->value;
}

static void of_doubles_the_first_in_order_stays(void **state)
{
	struct row v[] = {{3, 1}, {1, 2}, {3, 0}, {2, 5},
			  {1, 1}, {3, 2}, {1, 1}};
	const struct row want[] = {{1, 1}, {2, 5}, {3, 0}};

	assert_int_equal(array_sort_once(v, 7, sizeof(*v), by_both, by_key), 3);
	assert_memory_equal(v, want, sizeof(want));
}

static void elements_that_differ_stay(void **state)
{
	struct row v[] = {{2, 0}, {1, 1}, {1, 0}};
	const struct row want[] = {{1, 0}, {1, 1}, {2, 0}};

	assert_int_equal(array_sort_once(v, 3, sizeof(*v), by_both, by_both),
			 3);
	assert_memory_equal(v, want, sizeof(want));
	assert_int_equal(array_sort_once(v, 1, sizeof(*v), by_both, by_key), 1);
	assert_int_equal(array_sort_once(NULL, 0, sizeof(*v), by_both, by_key),
			 0);
}

static void an_array_grows_with_zeroed_elements(void **state)
{
	struct row *v = NULL;
	size_t n = 0;

	for (int i = 0; i < 100; i++) {
		struct row *slot = array_push(v, n);

		assert_non_null(slot);
		assert_int_equal(slot->key, 0);
		assert_int_equal(slot->value, 0);
		*slot = (struct row){i, -i};
	}
	assert_int_equal(n, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(v[i].key, i);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_doubles_the_first_in_order_stays),
		cmocka_unit_test(elements_that_differ_stay),
		cmocka_unit_test(an_array_grows_with_zeroed_elements),
	};

	return cmocka_run_group_tests_name("base/array", tests, NULL, NULL);
}
