// SPDX-License-Identifier: Apache-2.0
/* The newest so many of records, against a sort of all. */
#include "unit.h"

#include "mesh/newest.h"

#define N 3000

static struct mesh_record all[N];

static int newest_first(const void *a, const void *b)
{
	const struct mesh_record *x = a, *y = b;

	if (x->flow.opened_ns != y->flow.opened_ns)
		return x->flow.opened_ns < y->flow.opened_ns ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* Times of which many are equal; in the order of @way. */
static void make_all(int way)
{
	for (__u32 i = 0; i < N; i++) {
		__u64 time[] = {i / 3, (N - i) / 3, i * 7919ULL % N / 2, 5};

		all[i] = (struct mesh_record){
			.key = {.isn = i * 2654435761U, .kind = 1},
			.flow = {.opened_ns = time[way], .cookie = i}};
	}
}

static void keep(struct mesh_newest *s)
{
	for (size_t i = 0; i < N; i++)
		assert_return_code(
			mesh_newest_add(s, &all[i].key, &all[i].flow), 0);
	mesh_newest_sort(s);
}

static void test_newest_are_those_of_a_sort(void **state)
{
	static const size_t limits[] = {0,    1,     2, 3,     7,
					1000, N - 1, N, N + 1, SIZE_MAX};

	for (int way = 0; way < 4; way++) {
		for (size_t i = 0; i < array_size(limits); i++) {
			struct mesh_newest s = {.most = limits[i]};
			size_t want = limits[i] < N ? limits[i] : N;

			make_all(way);
			keep(&s);
			assert_int_equal(s.total, N);
			assert_int_equal(s.n, want);
			qsort(all, N, sizeof(*all), newest_first);
			if (want)
				assert_memory_equal(s.v, all,
						    want * sizeof(*all));
			mesh_newest_free(&s);
		}
	}
}

static void test_newest_of_none_is_empty(void **state)
{
	struct mesh_newest s = {.most = 5};

	mesh_newest_sort(&s);
	assert_int_equal(s.total, 0);
	assert_int_equal(s.n, 0);
	mesh_newest_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_are_those_of_a_sort),
		cmocka_unit_test(test_newest_of_none_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
