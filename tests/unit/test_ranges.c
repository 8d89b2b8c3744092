// SPDX-License-Identifier: Apache-2.0
/* Sets of ports: text, ranges, blocks. Each against a bitmap. */
#include "unit.h"

#include "mesh/ranges.h"

#define PORTS 65536

/* ---- text ---- */

static void list_is_sorted_and_joined(void **state)
{
	struct mesh_ranges r = {0};
	char bad[32];

	assert_int_equal(mesh_ranges_parse(" 5432,80 ,\t65535, 80,8000-8999,1,"
					   "00022,8500-9001,9002,81",
					   &r, bad),
			 0);
	assert_int_equal(r.n, 6);
	assert_int_equal(r.v[0].first, 1);
	assert_int_equal(r.v[0].last, 1);
	assert_int_equal(r.v[1].first, 22);
	assert_int_equal(r.v[2].first, 80);
	assert_int_equal(r.v[2].last, 81);
	assert_int_equal(r.v[3].first, 5432);
	assert_int_equal(r.v[4].first, 8000);
	assert_int_equal(r.v[4].last, 9002);
	assert_int_equal(r.v[5].last, 65535);
	assert_true(mesh_ranges_has(&r, 8000));
	assert_true(mesh_ranges_has(&r, 9002));
	assert_true(mesh_ranges_has(&r, 65535));
	assert_false(mesh_ranges_has(&r, 9003));
	assert_false(mesh_ranges_has(&r, 7999));
	/* Again, into what is in use; nothing but blanks is no port. */
	assert_int_equal(mesh_ranges_parse(" \t", &r, bad), 0);
	assert_int_equal(r.n, 0);
	assert_false(mesh_ranges_has(&r, 1));
	assert_int_equal(mesh_ranges_parse("1-65535", &r, bad), 0);
	assert_int_equal(r.n, 1);
	free(r.v);
}

static void first_bad_part_is_named(void **state)
{
	static const struct {
		const char *text, *bad;
	} cases[] = {
		{"0", "0"},
		{"65536", "65536"},
		{"-1", "-1"},
		{"80,", ""},
		{",80", ""},
		{"80,,81", ""},
		{",", ""},
		{"80;81", "80;81"},
		{"1,x,y", "x"},
		{"1 2", "1 2"},
		{"+80", "+80"},
		{"http", "http"},
		{"8999-8000", "8999-8000"},
		{"0-80", "0-80"},
		{"80-65536", "80-65536"},
		{"80-", "80-"},
		{"-", "-"},
		{"80 - 90", "80 - 90"},
		{"80-90-100", "80-90-100"},
		{"80--90", "80--90"},
		{"99999999999999999999", "99999999999999999999"},
		{"0123456789012345678901234567890123456789",
		 "0123456789012345678901234567890"},
	};
	struct mesh_ranges r = {0};
	char bad[32];

	assert_int_equal(mesh_ranges_parse("7", &r, bad), 0);
	for (size_t i = 0; i < array_size(cases); i++) {
		assert_int_equal(mesh_ranges_parse(cases[i].text, &r, bad),
				 -EINVAL);
		assert_string_equal(bad, cases[i].bad);
		/* Untouched. */
		assert_int_equal(r.n, 1);
		assert_int_equal(r.v[0].first, 7);
	}
	free(r.v);
}

static void list_of_too_many_parts_is_refused(void **state)
{
	char text[8 * (MESH_RANGES_MAX + 1)], *end = text, bad[32];
	struct mesh_ranges r = {0};

	for (int i = 0; i < MESH_RANGES_MAX; i++)
		end += sprintf(end, "%s%d", i ? "," : "", 10000 + 2 * i);
	assert_int_equal(mesh_ranges_parse(text, &r, bad), 0);
	assert_int_equal(r.n, MESH_RANGES_MAX);
	/* One more, be it one that is there already. */
	sprintf(end, ",10000");
	assert_int_equal(mesh_ranges_parse(text, &r, bad), -E2BIG);
	assert_int_equal(r.n, MESH_RANGES_MAX);
	free(r.v);
}

/* ---- against a bitmap ---- */

/* How often each port is in a block of @r; and that each is a block. */
static size_t fill(const struct mesh_ranges *r, unsigned char map[PORTS])
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		for (__u32 at = r->v[i].first, last; at <= r->v[i].last;
		     at = last + 1, n++) {
			last = mesh_block(at, r->v[i].last);
			/* 2^n ports, of which the first is a multiple */
			assert_int_equal(at & (last - at), 0);
			assert_int_equal((last - at + 1) & (last - at), 0);
			assert_int_equal(1U << (16 - mesh_block_bits(at, last)),
					 last - at + 1);
			for (__u32 port = at; port <= last; port++)
				map[port]++;
		}
	return n;
}

static void check(const struct mesh_range *v, size_t n)
{
	static unsigned char got[PORTS], want[PORTS];
	struct mesh_ranges r = {0};

	memset(got, 0, sizeof(got));
	memset(want, 0, sizeof(want));
	for (size_t i = 0; i < n; i++)
		memset(want + v[i].first, 1, v[i].last - v[i].first + 1);
	assert_int_equal(mesh_ranges_set(&r, v, n), 0);
	assert_int_equal(mesh_blocks(&r), fill(&r, got));
	assert_memory_equal(got, want, sizeof(got));
	for (size_t i = 1; i < r.n; i++)
		assert_true(r.v[i - 1].last + 1 < r.v[i].first);
	for (__u32 port = 0; port < PORTS; port += n > 2 ? 1 : 13)
		assert_int_equal(mesh_ranges_has(&r, port), want[port]);
	free(r.v);
}

/* Every range of the first and of the last ports, and pairs of short ones in
 * every order. */
static void blocks_of_small_sets_hold_just_their_ports(void **state)
{
	enum { N = 18 };

	for (__u32 first = 0; first < N; first++)
		for (__u32 last = first; last < N; last++) {
			const struct mesh_range low = {first, last};
			const struct mesh_range high = {65535 - last,
							65535 - first};
			const struct mesh_range all = {first, 65535 - last};

			check(&low, 1);
			check(&high, 1);
			check(&all, 1);
		}
	for (__u32 a = 0; a < 8; a++)
		for (__u32 b = a; b < 8; b++)
			for (__u32 c = 0; c < 8; c++)
				for (__u32 d = c; d < 8; d++)
					check(
						(const struct mesh_range[]){
							{a, b}, {c, d}},
						2);
}

static void blocks_of_random_sets_hold_just_their_ports(void **state)
{
	struct mesh_range v[MESH_RANGES_MAX];

	srand(1);
	for (int round = 0; round < 200; round++) {
		size_t n = 3 + rand() % (MESH_RANGES_MAX - 2);

		for (size_t i = 0; i < n; i++) {
			__u16 first = rand(), most = rand() % 1000;

			v[i].first = first;
			v[i].last = first + most > 65535 ? 65535 : first + most;
		}
		check(v, n);
	}
}

/* The arithmetic in abi.h. */
static void blocks_of_the_worst_sets_fit_their_shares(void **state)
{
	struct mesh_range one = {1, 65534}, v[PORTS / 2];
	struct mesh_ranges r = {&one, 1};
	const __u32 step = PORTS / MESH_RANGES_MAX;

	assert_int_equal(mesh_blocks(&r), 30);
	/* in each aligned step all but its first and last port */
	for (__u32 i = 0; i < MESH_RANGES_MAX; i++)
		v[i] = (struct mesh_range){i * step + 1, i * step + step - 2};
	r = (struct mesh_ranges){v, MESH_RANGES_MAX};
	assert_int_equal(mesh_blocks(&r), MESH_RANGES_MAX * 14);
	/* 256 ports in each direction have room, twice */
	for (__u32 i = 0; i < MESH_RANGES_MAX; i++)
		v[i] = (struct mesh_range){2 * i + 1, 2 * i + 1};
	assert_int_equal(4 * mesh_blocks(&r), SMC_PORT_SHARE);
	/* no set of the mesh's is too large: this is the largest */
	for (__u32 i = 0; i < PORTS / 2; i++)
		v[i] = (struct mesh_range){2 * i + 1, 2 * i + 1};
	r.n = PORTS / 2;
	assert_int_equal(2 * mesh_blocks(&r), SMC_PORT_MESH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_sorted_and_joined),
		cmocka_unit_test(first_bad_part_is_named),
		cmocka_unit_test(list_of_too_many_parts_is_refused),
		cmocka_unit_test(blocks_of_small_sets_hold_just_their_ports),
		cmocka_unit_test(blocks_of_random_sets_hold_just_their_ports),
		cmocka_unit_test(blocks_of_the_worst_sets_fit_their_shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
