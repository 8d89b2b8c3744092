// SPDX-License-Identifier: Apache-2.0
/* The ration of answers, on this machine's own kernel, at times of its own. */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "bpf/answers.skel.h"
#include "answers_case.h"

#define SECOND 1000000000ULL
#define SLOT (1ULL << SMC_ANSWER_SHIFT)
#define START (1000 * SLOT)
/* A SYN-ACK is sent six times, 63 s long (tcp_synack_retries) */
#define SYNACK (63 * SECOND)
#define OVER (69 * SECOND)

static struct answers_bpf *skel;

static int setup(void **state)
{
	skel = answers_bpf__open_and_load();
	return skel ? 0 : -1;
}

static int teardown(void **state)
{
	answers_bpf__destroy(skel);
	return 0;
}

/* Each test begins with an empty map. */
static int fresh(void **state)
{
	size_t row = bpf_map__value_size(skel->maps.smc_answering);
	_free_ char *none = calloc(1, row);
	int fd = bpf_map__fd(skel->maps.smc_answering);

	if (!none)
		return -1;
	for (__u32 i = 0; i <= SMC_ANSWER_PEERS; i++)
		if (bpf_map_update_elem(fd, &i, none, BPF_ANY))
			return -1;
	return 0;
}

static bool run(enum answers_what what, const char *peer, __u64 given,
		__u64 now)
{
	struct answers_case c = {
		.peer = addr(peer), .what = what, .now = now, .given = given};
	int fd = bpf_map__fd(skel->maps.answers_case);
	char packet[64] = "";
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet,
		    .data_size_in = sizeof(packet));
	__u32 zero = 0;

	assert_int_equal(bpf_map_update_elem(fd, &zero, &c, BPF_ANY), 0);
	assert_int_equal(bpf_prog_test_run_opts(
				 bpf_program__fd(skel->progs.answers), &opts),
			 0);
	assert_int_equal(opts.retval, 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &c), 0);
	return c.left;
}

static bool left(const char *peer, __u64 now)
{
	return run(ANSWERS_LEFT, peer, 0, now);
}

static void give(const char *peer, __u64 now, int n)
{
	while (n--)
		run(ANSWERS_GIVEN, peer, 0, now);
}

static void finish(const char *peer, __u64 given, __u64 now, int n)
{
	while (n--)
		run(ANSWERS_FINISHED, peer, given, now);
}

/* A row of the map is {slot, open, given[]}: the kept sum is that of the slots.
 */
static __s32 open_in(__u32 row)
{
	__s32 v[2 + SMC_ANSWER_SLOTS];
	__s32 sum = 0;

	assert_int_equal(bpf_map__value_size(skel->maps.smc_answering),
			 sizeof(v));
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(skel->maps.smc_answering), &row,
				    v),
		0);
	for (int i = 0; i < SMC_ANSWER_SLOTS; i++)
		sum += v[2 + i];
	assert_int_equal(v[1], sum);
	return sum;
}

static __s32 open_of_all(void)
{
	__s32 sum = 0;

	for (__u32 row = 1; row <= SMC_ANSWER_PEERS; row++)
		sum += open_in(row);
	assert_int_equal(open_in(0), sum);
	return sum;
}

static void test_each_peer_has_its_own_bound_of_answers(void **state)
{
	give("10.1.0.2", START, SMC_ANSWERS_PEER - 1);
	assert_true(left("10.1.0.2", START));
	give("10.1.0.2", START, 1);
	assert_false(left("10.1.0.2", START));
	assert_true(left("10.1.0.3", START));
	assert_true(left("fd00::2", START));
	finish("10.1.0.2", START, START + SECOND, 1);
	assert_true(left("10.1.0.2", START + SECOND));
	assert_int_equal(open_of_all(), SMC_ANSWERS_PEER - 1);
}

static void test_node_has_a_bound_of_answers_to_all_peers(void **state)
{
	char peer[32];
	int peers = SMC_ANSWERS_NODE / SMC_ANSWERS_PEER;

	for (int i = 0; i < peers; i++) {
		assert_true(left("10.1.9.9", START));
		snprintf(peer, sizeof(peer), "10.1.0.%d", i);
		give(peer, START, SMC_ANSWERS_PEER);
	}
	assert_false(left("10.1.9.9", START));
	finish("10.1.0.0", START, START, 1);
	assert_true(left("10.1.9.9", START));
	assert_int_equal(open_of_all(), SMC_ANSWERS_NODE - 1);
}

/* Nobody finishes them: they count while a SYN-ACK may be repeated, and no
 * longer, whatever the time at which they were given. */
static void test_answers_that_nobody_finishes_end_by_themselves(void **state)
{
	for (__u64 in = 0; in < SLOT; in += SLOT / 8) {
		__u64 given = START + in;

		fresh(NULL);
		give("10.1.0.2", given, SMC_ANSWERS_PEER);
		assert_false(left("10.1.0.2", given + SYNACK));
		assert_true(left("10.1.0.2", given + OVER));
		assert_int_equal(open_of_all(), 0);
	}
}

/* The sum is that of the slots, however far apart the looks are. */
static void test_answers_of_each_time_slot_end_on_their_own(void **state)
{
	__u64 now = START;

	for (int i = 0; i < 3 * SMC_ANSWER_SLOTS; i++, now += SLOT) {
		int young = i < SMC_ANSWER_SLOTS ? i : SMC_ANSWER_SLOTS - 1;

		assert_true(left("10.1.0.2", now));
		assert_int_equal(open_of_all(), young);
		give("10.1.0.2", now, 1);
	}
	now += (SMC_ANSWER_SLOTS / 2 - 1) * SLOT;
	assert_true(left("10.1.0.2", now));
	assert_int_equal(open_of_all(), SMC_ANSWER_SLOTS / 2);
	assert_true(left("10.1.0.2", now + 1000 * SLOT));
	assert_int_equal(open_of_all(), 0);
}

/* One that is finished when it no longer counts is not taken off twice; one
 * that is finished late is taken off where it was given. */
static void test_answer_finished_late_is_taken_off_once(void **state)
{
	give("10.1.0.2", START, 3);
	give("10.1.0.2", START + 5 * SLOT, 4);
	finish("10.1.0.2", START, START + 10 * SLOT, 1);
	assert_int_equal(open_of_all(), 6);
	finish("10.1.0.2", START, START + 16 * SLOT, 2);
	assert_int_equal(open_of_all(), 4);
	finish("10.1.0.2", START + 5 * SLOT, START + 17 * SLOT, 4);
	assert_int_equal(open_of_all(), 0);
}

/* Two CPUs' clocks need not agree about which slot it is. */
static void test_clock_behind_loses_no_answer(void **state)
{
	give("10.1.0.2", START, 5);
	assert_true(left("10.1.0.2", START));
	assert_true(left("10.1.0.2", START - 1));
	assert_int_equal(open_of_all(), 5);
}

/* The pods of a node, one after the other: few of them meet in a row. */
static void test_peers_of_a_node_are_spread_over_rows(void **state)
{
	unsigned int shared = 0;
	char peer[32];

	for (int i = 0; i < 256; i++) {
		snprintf(peer, sizeof(peer), "10.244.%d.%d", i / 64, i % 64);
		give(peer, START, 1);
	}
	for (__u32 row = 1; row <= SMC_ANSWER_PEERS; row++)
		shared += open_in(row) > 1;
	assert_true(shared < 16);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
	const struct CMUnitTest tests[] = {
		TEST(test_each_peer_has_its_own_bound_of_answers),
		TEST(test_node_has_a_bound_of_answers_to_all_peers),
		TEST(test_answers_that_nobody_finishes_end_by_themselves),
		TEST(test_answers_of_each_time_slot_end_on_their_own),
		TEST(test_answer_finished_late_is_taken_off_once),
		TEST(test_clock_behind_loses_no_answer),
		TEST(test_peers_of_a_node_are_spread_over_rows),
	};

	return cmocka_run_group_tests_name("answers", tests, setup, teardown);
}
