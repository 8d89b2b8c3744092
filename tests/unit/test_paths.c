// SPDX-License-Identifier: Apache-2.0
/* Which RDMA paths are probed, and when. */
#include "unit.h"

#include "mesh/path_turns.h"

#define S 1000000000ULL
#define MS 1000000ULL
#define START (1000 * S)

static struct smc_path_key pair(unsigned int i)
{
	return (struct smc_path_key){{10, 0, 0, 1},
				     {10, 1 + (i >> 16), i >> 8, i}};
}

/* World with @n pairs, the first @near of them near. */
static struct mesh_paths world(size_t n, size_t near, __u64 now)
{
	struct mesh_path_want *wants = calloc(n + 1, sizeof(*wants));
	struct mesh_paths paths = {};

	for (size_t i = 0; i < n; i++)
		wants[i] = (struct mesh_path_want){pair(i), i < near};
	assert_int_equal(mesh_paths_set(&paths, wants, n, now), 0);
	free(wants);
	return paths;
}

/* How many probes of each pair in @seconds, asked once in each, sooner or later
 * by what a busy loop is late; the most in one is returned. @answer: rows are
 * kept as an agent would, of pairs below that number. */
static size_t run(struct mesh_paths *paths, __u64 *now, unsigned int seconds,
		  size_t answer, unsigned int *probes)
{
	static const __u64 late[] = {3 * MS, 200 * MS, 0, 40 * MS, 1 * MS};
	size_t out[MESH_PATHS_MAX], most = 0;

	for (unsigned int s = 0; s < seconds; s++, *now += S) {
		__u64 t = *now + late[s % 5];
		size_t n = mesh_paths_due(paths, t, out, MESH_PATHS_MAX);

		for (size_t i = 0; i < n; i++) {
			struct mesh_path *p = &paths->v[out[i]];

			probes[out[i]]++;
			if (out[i] < answer)
				p->row.proven_until_ns = t + SMC_PATH_PROVEN_NS;
		}
		if (n > most)
			most = n;
	}
	return most;
}

static void test_path_is_proven_for_a_time_and_bad_until_probed(void **state)
{
	struct smc_path row = {};

	assert_int_equal(mesh_path_state(&row, START), MESH_PATH_UNPROVEN);
	row.proven_until_ns = START + 1;
	assert_int_equal(mesh_path_state(&row, START), MESH_PATH_PROVEN);
	assert_int_equal(mesh_path_state(&row, START + 1), MESH_PATH_UNPROVEN);
	/* whatever an earlier probe proved; and time alone ends nothing */
	row.bad_ns = START - S;
	row.bad_until_ns = START - 1;
	assert_int_equal(mesh_path_state(&row, START), MESH_PATH_BAD);
}

static void test_new_near_pair_is_probed_every_second_at_first(void **state)
{
	struct mesh_paths paths = world(2, 1, START);
	unsigned int probes[2] = {};
	__u64 now = START;

	/* at once, and every second for a minute; then, with the ten minutes
	 * since it was new, every ten seconds; then as the other one */
	run(&paths, &now, 60, 2, probes);
	assert_in_range(probes[0], 59, 60);
	assert_int_equal(probes[1], 6);
	memset(probes, 0, sizeof(probes));
	run(&paths, &now, 540, 2, probes);
	assert_in_range(probes[0], 53, 55);
	assert_in_range(probes[1], 53, 55);
	mesh_paths_free(&paths);
}

static void test_used_linked_and_wished_paths_are_probed_oftener(void **state)
{
	struct mesh_paths paths = world(400, 0, START);
	unsigned int probes[400] = {};
	__u64 now = START + 1000 * S;

	run(&paths, &now, 20, 0, probes); /* each was asked by now */
	memset(probes, 0, sizeof(probes));
	paths.v[0].row.used_ns = now;
	paths.v[1].row.links[1] = 1;
	paths.v[2].row.wished_ns = now;
	paths.v[3].row.used_ns = now - 61 * S;
	paths.v[4].row.used_ns = now - 601 * S;
	run(&paths, &now, 60, 0, probes);
	assert_in_range(probes[0], 59, 60);
	for (int i = 1; i < 4; i++)
		assert_in_range(probes[i], 6, 7);
	/* 397 others share 20 in a second */
	assert_in_range(probes[4], 2, 4);
	assert_in_range(probes[399], 2, 4);
	mesh_paths_free(&paths);
}

static void test_a_wish_is_probed_within_a_second(void **state)
{
	struct mesh_paths paths = world(MESH_PATHS_MAX, 0, START);
	unsigned int *probes = calloc(MESH_PATHS_MAX, sizeof(*probes));
	__u64 now = START;
	size_t out[200];

	run(&paths, &now, 5, 0, probes);
	assert_int_equal(probes[16000], 0);
	paths.v[16000].row.wished_ns = now + 1;
	assert_true(mesh_paths_due(&paths, now + 2, out, 200) > 0);
	assert_int_equal(out[0], 16000);
	/* one that was asked a moment ago, and not again before a second */
	paths.v[16000].row.wished_ns = now + 3;
	for (size_t i = 0, n = mesh_paths_due(&paths, now + 4, out, 200); i < n;
	     i++)
		assert_int_not_equal(out[i], 16000);
	assert_true(mesh_paths_due(&paths, now + 2 + S, out, 200) > 0);
	assert_int_equal(out[0], 16000);
	free(probes);
	mesh_paths_free(&paths);
}

static void test_bad_path_is_not_probed_before_its_time(void **state)
{
	struct mesh_paths paths = world(1, 1, START);
	unsigned int probes[1] = {};
	__u64 now = START;

	paths.v[0].row = (struct smc_path){.bad_ns = START,
					   .bad_until_ns = START + 20 * S,
					   .wished_ns = START + 19 * S};
	run(&paths, &now, 20, 0, probes);
	assert_int_equal(probes[0], 0);
	run(&paths, &now, 1, 0, probes);
	assert_int_equal(probes[0], 1);
	mesh_paths_free(&paths);
}

/* 5,000 nodes that share one device each. */
static void test_idle_paths_to_5000_nodes_share_the_rate(void **state)
{
	enum { NODES = 5000, SECONDS = 600 };
	struct mesh_paths paths = world(NODES, 0, START);
	unsigned int *probes = calloc(NODES, sizeof(*probes));
	unsigned int all = 0;
	__u64 now = START;

	/* nothing is in use: 20 in a second, and each has its turn */
	assert_true(run(&paths, &now, 2, NODES, probes) <= 40);
	memset(probes, 0, NODES * sizeof(*probes));
	assert_true(run(&paths, &now, SECONDS, NODES, probes) <= 21);
	for (unsigned int i = 0; i < NODES; i++) {
		assert_in_range(probes[i], 2, 3);
		all += probes[i];
	}
	assert_true(all <= SECONDS * (MESH_PATHS_REST_RATE + 1));
	mesh_paths_free(&paths);
	free(probes);
}

/* More are in use than a second has probes: no proof ends, and those that were
 * used last are asked oftenest. */
static void test_no_proof_ends_with_more_in_use_than_the_rate(void **state)
{
	enum { USED = 1000, ALL = 5000, SECONDS = 100 };
	struct mesh_paths paths = world(ALL, 0, START);
	unsigned int *probes = calloc(ALL, sizeof(*probes));
	__u64 now = START;

	for (unsigned int i = 0; i < USED; i++)
		paths.v[i].row.used_ns = START + 15 * S + i;
	run(&paths, &now, 15, ALL, probes);
	memset(probes, 0, ALL * sizeof(*probes));
	for (int round = 0; round < SECONDS; round++) {
		assert_true(run(&paths, &now, 1, ALL, probes) <=
			    MESH_PATHS_RATE + 1);
		for (unsigned int i = 0; i < USED; i++) {
			paths.v[i].row.used_ns += S;
			assert_int_equal(mesh_path_state(&paths.v[i].row, now),
					 MESH_PATH_PROVEN);
		}
	}
	assert_true(probes[USED - 1] > 90);
	assert_in_range(probes[0], 7, 12);
	mesh_paths_free(&paths);
	free(probes);
}

static void test_pairs_that_stay_keep_what_is_known(void **state)
{
	struct mesh_paths paths = world(3, 0, START);
	struct mesh_path_want wants[] = {
		{pair(1), false}, {pair(2), true}, {pair(7), true}};
	struct smc_path_key gone = pair(0);
	size_t out[8];

	assert_int_equal(mesh_paths_due(&paths, START, out, 8), 3);
	assert_int_equal(mesh_paths_set(&paths, wants, 3, START + S), 0);
	assert_int_equal(paths.n, 3);
	assert_null(mesh_paths_find(&paths, &gone));
	/* what is known stays; one that became near is as new; one is new */
	assert_int_equal(mesh_paths_find(&paths, &wants[0].key)->asked_ns,
			 START);
	assert_int_equal(mesh_paths_find(&paths, &wants[1].key)->since_ns,
			 START + S);
	assert_int_equal(mesh_paths_due(&paths, START + S, out, 8), 2);
	/* the same again changes nothing */
	assert_int_equal(mesh_paths_set(&paths, wants, 3, START + 9 * S), 0);
	assert_int_equal(mesh_paths_find(&paths, &wants[2].key)->since_ns,
			 START + S);
	assert_int_equal(mesh_paths_set(&paths, NULL, 0, START), 0);
	assert_int_equal(mesh_paths_due(&paths, START + S, out, 8), 0);
	mesh_paths_free(&paths);
}

/* Beyond the bound the near ones are kept, wherever they stand. */
static void test_near_pairs_are_kept_of_too_many(void **state)
{
	enum { ALL = MESH_PATHS_MAX + 100 };
	struct mesh_path_want *wants = calloc(ALL, sizeof(*wants));
	struct mesh_paths paths = {};

	for (unsigned int i = 0; i < ALL; i++)
		wants[i] = (struct mesh_path_want){pair(i), i >= ALL - 50};
	assert_int_equal(mesh_paths_set(&paths, wants, ALL, START), 0);
	assert_int_equal(paths.n, MESH_PATHS_MAX);
	assert_non_null(mesh_paths_find(&paths, &wants[ALL - 1].key));
	assert_non_null(mesh_paths_find(&paths, &wants[ALL - 50].key));
	assert_null(mesh_paths_find(&paths, &wants[ALL - 51].key));
	for (unsigned int i = 0; i < ALL; i++)
		wants[i].near = true;
	assert_int_equal(mesh_paths_set(&paths, wants, ALL, START), 0);
	assert_int_equal(paths.n, MESH_PATHS_MAX);
	for (size_t i = 1; i < paths.n; i++)
		assert_true(mesh_path_cmp(&paths.v[i - 1], &paths.v[i]) < 0);
	mesh_paths_free(&paths);
	free(wants);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_path_is_proven_for_a_time_and_bad_until_probed),
		cmocka_unit_test(
			test_new_near_pair_is_probed_every_second_at_first),
		cmocka_unit_test(
			test_used_linked_and_wished_paths_are_probed_oftener),
		cmocka_unit_test(test_a_wish_is_probed_within_a_second),
		cmocka_unit_test(test_bad_path_is_not_probed_before_its_time),
		cmocka_unit_test(test_idle_paths_to_5000_nodes_share_the_rate),
		cmocka_unit_test(
			test_no_proof_ends_with_more_in_use_than_the_rate),
		cmocka_unit_test(test_pairs_that_stay_keep_what_is_known),
		cmocka_unit_test(test_near_pairs_are_kept_of_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
