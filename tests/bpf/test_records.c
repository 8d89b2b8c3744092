// SPDX-License-Identifier: Apache-2.0
/*
 * The tables of flows: the open ones are counted, each pod has its share of
 * them, and no number of short flows pushes an open one out.
 */
#include "flow_world.h"

/* What is open is counted, for the pod and the node, and nothing twice though
 * the program is attached twice. */
static void test_open_flows_are_counted_for_pod_and_node(void **state)
{
	struct pair p[3];

	for (int i = 0; i < 3; i++)
		p[i] = open_pair(HERE, PEER, true);
	assert_int_equal(open_flows(POD), 6);
	assert_int_equal(open_flows(0), 6);
	assert_int_equal(rows(skel[0]->maps.smc_flow), 6);
	close_pair(&p[1]);
	assert_int_equal(open_flows(POD), 4);
	close_pair(&p[0]);
	close_pair(&p[2]);
	assert_int_equal(open_flows(POD), 0);
	assert_int_equal(open_flows(0), 0);
	assert_int_equal(rows(skel[0]->maps.smc_flow), 0);
	assert_int_equal(closed_rows(NULL, NULL), 6);
}

/* ---- records without connections: the agent's programs ---- */

static int run_job(const struct bpf_program *prog, struct smc_flow_job *job)
{
	/* the kernel writes the context back to where it came from */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = job,
		    .ctx_size_in = sizeof(*job));

	must(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts),
	     bpf_program__name(prog));
	return job->result;
}

static struct smc_flow_job job(__u32 pod, __u32 n, __u8 outcome)
{
	return (struct smc_flow_job){
		.key = {.isn = n, .netns = pod, .kind = SMC_ROLE_CLIENT},
		.flow = {.pod_id = pod,
			 .role = SMC_ROLE_CLIENT,
			 .outcome = outcome}};
}

static int flow_put(__u32 pod, __u32 n)
{
	struct smc_flow_job j = job(pod, n, SMC_OUTCOME_TCP);

	return run_job(skel[0]->progs.flow_put, &j);
}

static int flow_drop(__u32 pod, __u32 n, __u8 outcome)
{
	struct smc_flow_job j = job(pod, n, outcome);

	return run_job(skel[0]->progs.flow_drop, &j);
}

static void test_flow_is_put_and_dropped_once(void **state)
{
	assert_int_equal(flow_put(POD, 1), 0);
	assert_int_equal(flow_put(POD, 1), -EEXIST);
	assert_int_equal(flow_put(POD, 2), 0);
	assert_int_equal(open_flows(POD), 2);
	assert_int_equal(flow_drop(POD, 1, SMC_OUTCOME_TCP), 0);
	assert_int_equal(flow_drop(POD, 1, SMC_OUTCOME_TCP), -ENOENT);
	assert_int_equal(flow_drop(POD, 2, SMC_OUTCOME_PENDING), 0);
	assert_int_equal(open_flows(POD), 0);
	assert_int_equal(open_flows(0), 0);
	/* what never became anything is not shown as closed */
	assert_int_equal(closed_rows(NULL, NULL), 1);
}

static struct smc_usage usage_of(__u32 slot)
{
	struct smc_usage usage;

	must(bpf_map_lookup_elem(bpf_map__fd(skel[0]->maps.smc_usage), &slot,
				 &usage),
	     "smc_usage");
	return usage;
}

static void assert_held(__u32 connections, __s64 bytes)
{
	const __u32 slots[] = {smc_slot(POD), SMC_SLOT_NODE};

	for (int i = 0; i < 2; i++) {
		assert_int_equal(usage_of(slots[i]).connections, connections);
		assert_int_equal(usage_of(slots[i]).bytes, bytes);
	}
}

/* What is SMC's, or agreed on, holds a place, and its buffers; nothing else
 * does. The record says what is given back, not the agent. */
static void test_only_smc_flows_hold_places_and_buffers(void **state)
{
	static const struct {
		__u8 verdict, outcome;
		bool holds;
	} cases[] = {
		{SMC_VERDICT_ACCELERATE, SMC_OUTCOME_PENDING, true},
		{SMC_VERDICT_ACCELERATE, SMC_OUTCOME_SMCD, true},
		{SMC_VERDICT_ACCELERATE, SMC_OUTCOME_SMCR, true},
		{SMC_VERDICT_ACCELERATE, SMC_OUTCOME_FALLBACK, false},
		{SMC_VERDICT_ACCELERATE, SMC_OUTCOME_FAILED, false},
		{SMC_VERDICT_BYPASS, SMC_OUTCOME_TCP, false},
		{SMC_VERDICT_BYPASS, SMC_OUTCOME_PENDING, false},
	};
	const __u32 size = 1U << 31;
	__u32 held = 0;

	for (__u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct smc_flow_job j = job(POD, i, cases[i].outcome);

		j.flow.verdict = cases[i].verdict;
		j.flow.buffers = size;
		assert_int_equal(run_job(skel[0]->progs.flow_put, &j), 0);
		assert_int_equal(run_job(skel[0]->progs.flow_put, &j), -EEXIST);
		held += cases[i].holds;
		assert_held(held, (__s64)held * size);
	}
	for (__u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(flow_drop(POD, i, SMC_OUTCOME_TCP), 0);
		assert_int_equal(flow_drop(POD, i, SMC_OUTCOME_TCP), -ENOENT);
		held -= cases[i].holds;
		assert_held(held, (__s64)held * size);
	}
	assert_int_equal(held, 0);
}

/* A pod gets its share and no more, so that others still have room; when the
 * node is nearly full only those get more that have few. */
static void test_pod_gets_its_share_of_flows_and_no_more(void **state)
{
	enum { OTHER = POD + 1, THIRD, FOURTH, FIFTH };
	__u32 n;

	for (__u32 slot = OTHER; slot <= FIFTH; slot++)
		clear_slot(slot);
	for (n = 0; !flow_put(POD, n); n++)
		;
	assert_int_equal(n, SMC_FLOW_SHARE);
	assert_int_equal(flow_put(POD, n), -E2BIG);
	for (n = 0; n < SMC_FLOW_SHARE; n++)
		assert_int_equal(flow_put(OTHER, n) | flow_put(THIRD, n), 0);
	assert_int_equal(open_flows(0), SMC_FLOW_FREE);
	for (n = 0; !flow_put(FOURTH, n); n++)
		;
	assert_int_equal(n, SMC_FLOW_SMALL);
	assert_int_equal(flow_put(FIFTH, 0), 0);
	/* and one that ends makes room for the next */
	assert_int_equal(flow_drop(POD, 0, SMC_OUTCOME_TCP), 0);
	assert_int_equal(flow_drop(POD, 1, SMC_OUTCOME_TCP), 0);
	for (n = 0; n < 600; n++)
		assert_int_equal(flow_drop(THIRD, n, SMC_OUTCOME_TCP), 0);
	assert_int_equal(flow_put(POD, SMC_FLOW_SHARE), 0);
}

/* A table without room costs a flow its record, and nothing else: it is
 * counted, by its outcome and as lost. */
static void test_flow_without_room_is_counted_as_lost(void **state)
{
	struct smc_usage full = {.flows = SMC_FLOW_SHARE};
	__u32 slot = POD;
	struct pair p;

	put(skel[0]->maps.smc_usage, &slot, &full);
	p = open_pair(HERE, PEER, true);
	send_all(p.client, p.server, 10);
	close_pair(&p);
	assert_int_equal(rows(skel[0]->maps.smc_flow), 0);
	assert_true(counter(SMC_COUNTER_FLOWS_LOST) >= 2);
	assert_int_equal(open_flows(POD), SMC_FLOW_SHARE);
}

/* Ten connections that stay open, and short ones by the tens of thousands: the
 * closed ones have a table of their own, and push out none that is open. */
static void test_short_flows_push_out_no_open_one(void **state)
{
	struct pair p[10];

	for (int i = 0; i < 10; i++)
		p[i] = open_pair(HERE, PEER, true);
	for (__u32 n = 0; n < 70000; n++) {
		assert_int_equal(flow_put(POD, n), 0);
		assert_int_equal(flow_drop(POD, n, SMC_OUTCOME_TCP), 0);
	}
	assert_int_equal(rows(skel[0]->maps.smc_flow), 20);
	assert_int_equal(closed_rows(NULL, NULL), SMC_FLOW_CLOSED_ENTRIES);
	for (int i = 0; i < 10; i++)
		close_pair(&p[i]);
	assert_int_equal(open_flows(POD), 0);
}

static void add(__u32 id, __u64 value)
{
	struct smc_counter_job j = {.slot = POD};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &j,
		    .ctx_size_in = sizeof(j));

	j.values[id] = value;
	must(bpf_prog_test_run_opts(bpf_program__fd(skel[0]->progs.counter_add),
				    &opts),
	     "counter_add");
}

static void test_added_counts_are_summed_by_counter(void **state)
{
	add(SMC_COUNTER_OFFERS, 7);
	add(SMC_COUNTER_OFFERS, 8);
	add(SMC_COUNTER_REASON + SMC_REASON_LOOPBACK, 9);
	add(SMC_COUNTERS_ROOM - 1, 10);
	assert_int_equal(counter(SMC_COUNTER_OFFERS), 15);
	assert_int_equal(counter(SMC_COUNTER_REASON + SMC_REASON_LOOPBACK), 9);
	assert_int_equal(counter(SMC_COUNTER_ANSWERS), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
	const struct CMUnitTest tests[] = {
		TEST(test_open_flows_are_counted_for_pod_and_node),
		TEST(test_flow_is_put_and_dropped_once),
		TEST(test_only_smc_flows_hold_places_and_buffers),
		TEST(test_pod_gets_its_share_of_flows_and_no_more),
		TEST(test_flow_without_room_is_counted_as_lost),
		TEST(test_added_counts_are_summed_by_counter),
		TEST(test_short_flows_push_out_no_open_one),
	};

	return cmocka_run_group_tests_name("records", tests, setup, teardown);
}
