// SPDX-License-Identifier: Apache-2.0
/*
 * The rules of the quarantine, on this machine's own kernel: what one pod sees,
 * what two see, and what time does to it. Times are the test's own, in the past
 * (the map is asked by the kernel's clock, the last minutes count).
 */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>

#include "base/cleanup.h"
#include "bpf/quarantine.skel.h"
#include "quarantine_case.h"
#include <smcmesh/counters.h>
#include <smcmesh/reasons.h>

#define SECOND 1000000000ULL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define C 7 /* pods */
#define V 8
#define W 9

static struct quarantine_bpf *skel;
static __u64 now;

/* ---- the world ---- */

static __u64 clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static int fd_of(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	assert_return_code(bpf_map_update_elem(fd_of(map), key, value, BPF_ANY),
			   errno);
}

static struct smc_addr_port peer_of(unsigned int i)
{
	struct smc_addr_port p = {.port = 80};

	memcpy(p.ip, addr("10.1.0.0").ip, sizeof(p.ip));
	p.ip[14] = i >> 8;
	p.ip[15] = i;
	return p;
}

static struct quarantine_case run(struct quarantine_case q)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	char packet[64] = "";
	__u32 zero = 0;

	opts.data_in = packet;
	opts.data_size_in = sizeof(packet);
	put(skel->maps.quarantine_case, &zero, &q);
	assert_return_code(
		bpf_prog_test_run_opts(bpf_program__fd(skel->progs.quarantine),
				       &opts),
		errno);
	assert_int_equal(opts.retval, 0);
	assert_return_code(
		bpf_map_lookup_elem(fd_of(skel->maps.quarantine_case), &zero,
				    &q),
		errno);
	return q;
}

static void see(__u32 pod, enum quarantine_what what, int code, __u64 began)
{
	run((struct quarantine_case){.what = what,
				     .pod_id = pod,
				     .peer = peer_of(1),
				     .code = code,
				     .now = now,
				     .began = began});
}

static void strike(__u32 pod)
{
	see(pod, WHAT_STRIKE, -ETIMEDOUT, 0);
}

/* @ago: before it failed, its connect() had begun */
static void reset(__u32 pod, __u64 ago)
{
	see(pod, WHAT_MARK, -ECONNRESET, now - ago);
}

static bool quarantined(__u32 pod)
{
	return run((struct quarantine_case){
			   .what = WHAT_ASK, .pod_id = pod, .peer = peer_of(1)})
		.quarantined;
}

/* The pod's row of the peer; a state of 0: there is none, or none any more. */
static struct smc_quarantine row(__u32 pod)
{
	const struct smc_addr_port peer = peer_of(1);
	struct smc_quarantine_key key = {.pod_id = pod, .port = peer.port};
	struct smc_quarantine q;

	memcpy(key.ip, peer.ip, sizeof(key.ip));
	if (bpf_map_lookup_elem(fd_of(skel->maps.smc_quarantine), &key, &q) ||
	    q.until_ns <= now)
		return (struct smc_quarantine){};
	return q;
}

static unsigned int rows_of(__u32 pod)
{
	struct smc_quarantine_key key, *prev = NULL;
	unsigned int n = 0;

	for (; !bpf_map_get_next_key(fd_of(skel->maps.smc_quarantine), prev,
				     &key);
	     prev = &key)
		n += key.pod_id == pod;
	return n;
}

static __u64 counter(__u32 pod, __u32 id)
{
	int n = libbpf_num_possible_cpus();
	_free_ struct smc_counters *v = calloc(n, sizeof(*v));
	__u64 sum = 0;

	assert_non_null(v);
	assert_return_code(
		bpf_map_lookup_elem(fd_of(skel->maps.smc_counter), &pod, v),
		errno);
	for (int i = 0; i < n; i++)
		sum += ((__u64 *)&v[i])[id];
	return sum;
}

static int fresh(void **state)
{
	quarantine_bpf__destroy(skel);
	skel = quarantine_bpf__open_and_load();
	now = clock_now();
	return skel ? 0 : -1;
}

static int teardown(void **state)
{
	quarantine_bpf__destroy(skel);
	return 0;
}

/* ---- strikes ---- */

static void test_strike_bars_the_pod_that_saw_it_alone(void **state)
{
	assert_false(quarantined(C));
	strike(C);
	assert_true(quarantined(C));
	assert_false(quarantined(V));
	assert_int_equal(row(C).state, SMC_QUARANTINE_STRUCK);
	assert_int_equal(row(C).reason, (__u32)-ETIMEDOUT);
	assert_int_equal(row(C).until_ns - now, MINUTE);
	assert_int_equal(counter(C, SMC_COUNTER_QUARANTINES), 1);
	/* connections that fail together */
	strike(C);
	now += SECOND;
	strike(C);
	assert_int_equal(row(C).strikes, 1);
	assert_int_equal(counter(C, SMC_COUNTER_QUARANTINES), 1);
	assert_false(quarantined(V));
}

static void test_strikes_of_two_pods_bar_the_peer_for_all(void **state)
{
	strike(C);
	assert_int_equal(row(0).state, SMC_QUARANTINE_MARK);
	strike(V);
	assert_int_equal(row(0).state, SMC_QUARANTINE_STRUCK);
	assert_int_equal(row(0).until_ns - now, MINUTE);
	assert_true(quarantined(W));
	assert_int_equal(counter(C, SMC_COUNTER_QUARANTINES), 1);
	assert_int_equal(counter(V, SMC_COUNTER_QUARANTINES), 1);
	assert_int_equal(counter(W, SMC_COUNTER_QUARANTINES), 0);
}

/* Again and again, and alone all the same. */
static void test_strikes_of_one_pod_never_bar_others(void **state)
{
	for (int i = 0; i < 5; i++) {
		strike(C);
		assert_int_equal(row(0).state, SMC_QUARANTINE_MARK);
		now = row(C).until_ns;
	}
	assert_false(quarantined(V));
}

static void test_strikes_long_apart_bar_no_third_pod(void **state)
{
	strike(C);
	now += 10 * MINUTE;
	strike(V);
	assert_int_equal(row(0).state, SMC_QUARANTINE_MARK);
	assert_false(quarantined(W));
}

static void test_sentences_double_and_are_forgotten(void **state)
{
	static const __u64 minutes[] = {1, 2, 4, 8, 16, 32, 64, 64};

	for (size_t i = 0; i < sizeof(minutes) / sizeof(*minutes); i++) {
		strike(C);
		assert_int_equal(row(C).until_ns - now, minutes[i] * MINUTE);
		now = row(C).until_ns;
	}
	now += 64 * MINUTE;
	strike(C);
	assert_int_equal(row(C).until_ns - now, MINUTE);
}

static void test_quarantine_ends_with_its_time(void **state)
{
	now -= MINUTE; /* whoever asks is asked by the clock */
	strike(C);
	strike(V);
	assert_false(quarantined(C));
	assert_false(quarantined(W));
}

/* ---- a success ---- */

static void test_a_success_forgives_ones_own(void **state)
{
	strike(C);
	see(V, WHAT_FORGIVE, 0, 0);
	assert_true(quarantined(C));
	see(C, WHAT_FORGIVE, 0, 0);
	assert_false(quarantined(C));
	assert_int_equal(rows_of(C) + rows_of(0), 0);
	strike(V); /* so this is the first pod */
	assert_false(quarantined(W));
}

static void test_a_success_takes_back_what_all_heard(void **state)
{
	strike(C);
	strike(V);
	assert_true(quarantined(W));
	see(C, WHAT_FORGIVE, 0, 0);
	assert_false(quarantined(W));
	assert_false(quarantined(C));
	assert_true(quarantined(V));
	assert_int_equal(row(0).state, SMC_QUARANTINE_MARK);
	assert_int_equal(row(0).pods[0], V);
	strike(W); /* V's is still there */
	assert_true(quarantined(C));
}

static void test_success_of_a_third_pod_takes_nothing_back(void **state)
{
	strike(C);
	strike(V);
	see(W, WHAT_FORGIVE, 0, 0);
	assert_true(quarantined(W));
}

/* ---- marks ---- */

static void test_a_reset_is_a_mark(void **state)
{
	reset(C, SECOND);
	assert_int_equal(row(C).state, SMC_QUARANTINE_MARK);
	assert_false(quarantined(C));
	assert_int_equal(rows_of(0), 0);
	/* eleven others that waited for the same server, and die with it */
	for (int i = 0; i < 11; i++) {
		now += SECOND / 10;
		reset(C, 2 * SECOND);
	}
	assert_int_equal(row(C).state, SMC_QUARANTINE_MARK);
	assert_false(quarantined(C));
	assert_int_equal(counter(C, SMC_COUNTER_QUARANTINES), 0);
}

static void test_a_second_reset_is_a_strike(void **state)
{
	reset(C, SECOND);
	now += 5 * SECOND;
	reset(C, SECOND);
	assert_int_equal(row(C).state, SMC_QUARANTINE_STRUCK);
	assert_int_equal(row(C).reason, (__u32)-ECONNRESET);
	assert_true(quarantined(C));
	assert_false(quarantined(V));
}

static void test_reset_that_began_too_late_is_no_second_one(void **state)
{
	reset(C, SECOND);
	now += 62 * SECOND;
	reset(C, SECOND);
	assert_int_equal(row(C).state, SMC_QUARANTINE_MARK);
	/* it begins within the minute, and may end later */
	now += 61 * SECOND;
	reset(C, 2 * SECOND);
	assert_int_equal(row(C).state, SMC_QUARANTINE_STRUCK);
}

static void test_success_between_two_resets_leaves_a_mark(void **state)
{
	reset(C, SECOND);
	see(C, WHAT_FORGIVE, 0, 0);
	now += 5 * SECOND;
	reset(C, SECOND);
	assert_int_equal(row(C).state, SMC_QUARANTINE_MARK);
}

static void test_resets_of_two_pods_bar_nobody(void **state)
{
	reset(C, SECOND);
	now += 5 * SECOND;
	reset(V, SECOND);
	assert_false(quarantined(C) || quarantined(V) || quarantined(W));
	assert_int_equal(rows_of(0), 0);
}

/* Of a connect() whose record is missing nobody knows when it began. */
static void test_reset_without_a_beginning_is_no_second_one(void **state)
{
	reset(C, SECOND);
	now += 5 * SECOND;
	reset(C, now);
	assert_int_equal(row(C).state, SMC_QUARANTINE_MARK);
}

/* ---- suspicions ---- */

static void unanswered(enum smc_verdict verdict, enum smc_reason reason,
		       __u32 repeats, int cpu, enum smc_role role)
{
	run((struct quarantine_case){.what = WHAT_UNANSWERED,
				     .pod_id = C,
				     .peer = peer_of(1),
				     .role = role,
				     .verdict = verdict,
				     .reason = reason,
				     .repeats = repeats,
				     .cpu = cpu});
	now = clock_now(); /* by which that goes */
}

static void offered(__u32 repeats, int cpu)
{
	unanswered(SMC_VERDICT_ACCELERATE, SMC_REASON_NONE, repeats, cpu,
		   SMC_ROLE_CLIENT);
}

static void test_few_refused_or_unoffered_syns_are_no_suspicion(void **state)
{
	offered(0, -1); /* given up at once */
	offered(1, -1);
	offered(6, 0); /* it was refused in the end */
	unanswered(SMC_VERDICT_ACCELERATE, SMC_REASON_NONE, 6, -1,
		   SMC_ROLE_SERVER);
	unanswered(SMC_VERDICT_BYPASS, SMC_REASON_NOT_ENDPOINT, 6, -1,
		   SMC_ROLE_CLIENT);
	unanswered(SMC_VERDICT_BYPASS, SMC_REASON_QUARANTINED, 6, -1,
		   SMC_ROLE_CLIENT);
	assert_int_equal(rows_of(C), 0);
	assert_false(quarantined(C));
}

static void test_a_suspicion_bars_only_the_own_pod(void **state)
{
	offered(2, -1);
	assert_int_equal(row(C).state, SMC_QUARANTINE_SUSPICION);
	assert_true(quarantined(C));
	assert_false(quarantined(V));
	assert_int_equal(rows_of(0), 0);
	assert_int_equal(counter(C, SMC_COUNTER_QUARANTINES), 0);
}

static void test_an_answer_without_the_option_is_a_strike(void **state)
{
	see(V, WHAT_ANSWERED, 0, 0); /* nobody suspects anything */
	assert_int_equal(rows_of(V), 0);
	offered(2, -1);
	see(V, WHAT_ANSWERED, 0, 0);
	assert_int_equal(row(C).state, SMC_QUARANTINE_SUSPICION);
	see(C, WHAT_ANSWERED, 0, 0);
	assert_int_equal(row(C).state, SMC_QUARANTINE_STRUCK);
	assert_int_equal(row(C).reason, 0);
	assert_int_equal(row(C).until_ns - now, MINUTE);
	assert_int_equal(counter(C, SMC_COUNTER_QUARANTINES), 1);
}

static void test_a_dead_peer_gets_no_strike(void **state)
{
	offered(2, -1);
	/* says too little */
	unanswered(SMC_VERDICT_BYPASS, SMC_REASON_QUARANTINED, 1, -1,
		   SMC_ROLE_CLIENT);
	unanswered(SMC_VERDICT_BYPASS, SMC_REASON_QUARANTINED, 2, 0,
		   SMC_ROLE_CLIENT);
	assert_true(quarantined(C));
	unanswered(SMC_VERDICT_BYPASS, SMC_REASON_QUARANTINED, 2, -1,
		   SMC_ROLE_CLIENT);
	assert_false(quarantined(C));
	assert_int_equal(row(C).state, 0);
	see(C, WHAT_ANSWERED, 0, 0);
	assert_false(quarantined(C));
	assert_int_equal(counter(C, SMC_COUNTER_QUARANTINES), 0);
}

/* A black hole that was opened again: each sentence is longer all the same. */
static void test_strikes_outlive_a_suspicion(void **state)
{
	now -= 2 * MINUTE;
	strike(C);
	offered(2, -1);
	assert_int_equal(row(C).strikes, 1);
	see(C, WHAT_ANSWERED, 0, 0);
	assert_int_equal(row(C).strikes, 2);
	assert_int_equal(row(C).until_ns - now, 2 * MINUTE);
}

static void test_a_suspicion_shortens_no_sentence(void **state)
{
	strike(C);
	offered(2, -1);
	assert_int_equal(row(C).state, SMC_QUARANTINE_STRUCK);
	reset(C, 0);
	assert_int_equal(row(C).state, SMC_QUARANTINE_STRUCK);
}

/* ---- the share ---- */

static void fill(__u32 pod, enum quarantine_what what, unsigned int from,
		 unsigned int n)
{
	for (unsigned int i = from; i < from + n; i++)
		run((struct quarantine_case){.what = what,
					     .pod_id = pod,
					     .peer = peer_of(i),
					     .code = -ETIMEDOUT,
					     .now = now,
					     .began = now});
}

/* Whatever it sees, and however much: the other's row stays. */
static void test_one_pod_flushes_no_row_of_another(void **state)
{
	strike(V);
	fill(C, WHAT_STRIKE, 2, SMC_QUARANTINE_ENTRIES);
	fill(C, WHAT_MARK, 5000, SMC_QUARANTINE_ENTRIES);
	fill(C, WHAT_SUSPECT, 10000, SMC_QUARANTINE_ENTRIES);
	assert_true(quarantined(V));
	assert_int_equal(row(0).pods[0], V);
	assert_int_equal(rows_of(C) + rows_of(0) - 1, SMC_QUARANTINE_SHARE);
	assert_true(counter(C, SMC_COUNTER_QUARANTINES_LOST) >=
		    3 * SMC_QUARANTINE_ENTRIES - SMC_QUARANTINE_SHARE);
	assert_int_equal(counter(V, SMC_COUNTER_QUARANTINES_LOST), 0);
}

static void test_share_of_rows_comes_back_after_its_period(void **state)
{
	__u64 lost;

	fill(C, WHAT_MARK, 2, 2 * SMC_QUARANTINE_SHARE);
	lost = counter(C, SMC_COUNTER_QUARANTINES_LOST);
	assert_int_equal(lost, SMC_QUARANTINE_SHARE);
	now += 1ULL << SMC_QUARANTINE_PERIOD;
	fill(C, WHAT_MARK, 2000, SMC_QUARANTINE_SHARE);
	assert_int_equal(counter(C, SMC_COUNTER_QUARANTINES_LOST), lost);
	assert_int_equal(rows_of(C), 2 * SMC_QUARANTINE_SHARE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
	const struct CMUnitTest tests[] = {
		TEST(test_strike_bars_the_pod_that_saw_it_alone),
		TEST(test_strikes_of_two_pods_bar_the_peer_for_all),
		TEST(test_strikes_of_one_pod_never_bar_others),
		TEST(test_strikes_long_apart_bar_no_third_pod),
		TEST(test_sentences_double_and_are_forgotten),
		TEST(test_quarantine_ends_with_its_time),
		TEST(test_a_success_forgives_ones_own),
		TEST(test_a_success_takes_back_what_all_heard),
		TEST(test_success_of_a_third_pod_takes_nothing_back),
		TEST(test_a_reset_is_a_mark),
		TEST(test_a_second_reset_is_a_strike),
		TEST(test_reset_that_began_too_late_is_no_second_one),
		TEST(test_success_between_two_resets_leaves_a_mark),
		TEST(test_resets_of_two_pods_bar_nobody),
		TEST(test_reset_without_a_beginning_is_no_second_one),
		TEST(test_few_refused_or_unoffered_syns_are_no_suspicion),
		TEST(test_a_suspicion_bars_only_the_own_pod),
		TEST(test_an_answer_without_the_option_is_a_strike),
		TEST(test_a_dead_peer_gets_no_strike),
		TEST(test_strikes_outlive_a_suspicion),
		TEST(test_a_suspicion_shortens_no_sentence),
		TEST(test_one_pod_flushes_no_row_of_another),
		TEST(test_share_of_rows_comes_back_after_its_period),
	};

	return cmocka_run_group_tests_name("quarantine", tests, NULL, teardown);
}
