// SPDX-License-Identifier: Apache-2.0
/* The ration of what is under way, on this machine's own kernel: bounds, and
 * that each socket is counted once and given back once. */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "bpf/ration.skel.h"
#include "ration_case.h"

#define POD 7
#define OTHER 8

static struct ration_bpf *skel;

static void put(const struct bpf_map *map, __u32 key, const void *value)
{
	assert_return_code(
		bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY),
		errno);
}

static struct ration_case ask(struct ration_case c)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &(char[64]){},
		    .data_size_in = 64);
	__u32 zero = 0;

	put(skel->maps.ration_case, 0, &c);
	assert_return_code(bpf_prog_test_run_opts(
				   bpf_program__fd(skel->progs.ration), &opts),
			   errno);
	assert_int_equal(opts.retval, 0);
	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(skel->maps.ration_case), &zero,
				    &c),
		errno);
	return c;
}

static bool left(__u32 slot)
{
	return ask((struct ration_case){.op = RATION_LEFT, .slot = slot}).yes;
}

static void limits(__u32 pod, __u32 node, __u32 uses)
{
	const struct smc_config c = {
		.abi_version = SMC_ABI_VERSION,
		.enabled = 1,
		.uses = uses,
		.limits = {.pending_pod = pod, .pending_node = node}};

	put(skel->maps.smc_config, 0, &c);
}

static void holds_of(__u32 slot, __u32 pending, __u32 max)
{
	const struct smc_usage u = {.pending = pending, .pending_max = max};

	put(skel->maps.smc_usage, slot, &u);
}

static void holds(__u32 slot, __u32 pending)
{
	holds_of(slot, pending, 0);
}

static __u32 held(__u32 slot)
{
	struct smc_usage u;

	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(skel->maps.smc_usage), &slot,
				    &u),
		errno);
	return u.pending;
}

static int before_each(void **state)
{
	limits(128, 512, SMC_USE_PENDING);
	for (__u32 slot = 0; slot <= OTHER; slot++)
		holds(slot, 0);
	holds(SMC_SLOT_STRANGERS, 0);
	return 0;
}

static void test_pod_at_its_bound_gets_no_more(void **state)
{
	holds(SMC_SLOT_NODE, 127);
	holds(POD, 127);
	assert_true(left(POD));
	holds(POD, 128);
	assert_false(left(POD));
	assert_true(left(OTHER));
	/* a count gone wrong allows nothing */
	holds(POD, -1);
	assert_false(left(POD));
}

static void test_pods_own_lower_bound_counts(void **state)
{
	holds_of(POD, 4, 5);
	assert_true(left(POD));
	holds_of(POD, 5, 5);
	assert_false(left(POD));
	assert_true(left(OTHER));
	/* more than the mesh's is the mesh's */
	holds_of(POD, 128, 500);
	assert_false(left(POD));
}

static void test_node_at_its_bound_allows_nobody(void **state)
{
	holds(SMC_SLOT_NODE, 512);
	assert_false(left(POD));
	assert_false(left(SMC_SLOT_STRANGERS));
	holds(SMC_SLOT_NODE, 511);
	assert_true(left(POD));
}

static void test_the_last_quarter_is_for_those_with_few(void **state)
{
	holds(SMC_SLOT_NODE, 383);
	holds(POD, 100);
	assert_true(left(POD));
	holds(SMC_SLOT_NODE, 384);
	assert_false(left(POD));
	holds(POD, SMC_PENDING_FEW);
	assert_false(left(POD));
	holds(POD, SMC_PENDING_FEW - 1);
	assert_true(left(POD));
	assert_true(left(OTHER));
}

/* All that is of no armed pod has a bound of its own, which is no setting. */
static void test_strangers_have_a_fixed_bound_of_their_own(void **state)
{
	limits(4, 4096, SMC_USE_PENDING);
	holds(SMC_SLOT_STRANGERS, SMC_PENDING_STRANGERS - 1);
	assert_true(left(SMC_SLOT_STRANGERS));
	holds(SMC_SLOT_STRANGERS, SMC_PENDING_STRANGERS);
	assert_false(left(SMC_SLOT_STRANGERS));
	assert_true(left(POD));
}

static void test_a_limit_of_0_allows_nothing(void **state)
{
	limits(0, 512, SMC_USE_PENDING);
	assert_false(left(POD));
	limits(128, 0, SMC_USE_PENDING);
	assert_false(left(POD));
	assert_false(left(SMC_SLOT_STRANGERS));
}

/* What nobody counts is no reason to refuse anything. */
static void test_nothing_is_refused_where_nothing_is_counted(void **state)
{
	holds(SMC_SLOT_NODE, 5000);
	holds(POD, 5000);
	limits(0, 0, 0);
	assert_true(left(POD));
	assert_true(left(SMC_SLOT_STRANGERS));
}

static void test_socket_is_counted_and_given_back_once(void **state)
{
	struct ration_case c = {.cookie = 1ULL << 33 | 5, .slot = POD};
	struct smc_pending row;

	for (int i = 0; i < 2; i++) {
		c.op = RATION_PUT;
		ask(c);
		assert_int_equal(held(POD), 1);
		assert_int_equal(held(SMC_SLOT_NODE), 1);
	}
	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(skel->maps.smc_pending),
				    &c.cookie, &row),
		errno);
	assert_int_equal(row.slot, POD);
	assert_int_equal(row.netns, 77);
	assert_true(row.since_ns);
	for (int i = 0; i < 2; i++) {
		c.op = RATION_DROP;
		/* by the slot in the row, whatever the pod is by now */
		c.slot = OTHER;
		assert_int_equal(ask(c).yes, !i);
		assert_int_equal(held(POD), 0);
		assert_int_equal(held(OTHER), 0);
		assert_int_equal(held(SMC_SLOT_NODE), 0);
	}
}

/* What finds no row is not counted, and so not given back. */
static void test_socket_without_a_row_is_not_counted(void **state)
{
	struct ration_case c = {.slot = SMC_SLOT_STRANGERS};

	for (c.cookie = 1; c.cookie <= SMC_PENDING_ENTRIES + 3; c.cookie++) {
		c.op = RATION_PUT;
		ask(c);
	}
	assert_int_equal(held(SMC_SLOT_STRANGERS), SMC_PENDING_ENTRIES);
	assert_int_equal(held(SMC_SLOT_NODE), SMC_PENDING_ENTRIES);
	for (c.cookie = 1; c.cookie <= SMC_PENDING_ENTRIES + 3; c.cookie++) {
		c.op = RATION_DROP;
		ask(c);
	}
	assert_int_equal(held(SMC_SLOT_STRANGERS), 0);
	assert_int_equal(held(SMC_SLOT_NODE), 0);
}

static void test_only_an_armed_pod_counts_at_its_slot(void **state)
{
	struct ration_case c = {.op = RATION_SLOT,
				.has_pod = 1,
				.pod = {.pod_id = 3 * SMC_PODS + 9}};

	assert_int_equal(ask(c).slot, 9);
	c.pod.flags = SMC_POD_SIDECAR;
	assert_int_equal(ask(c).slot, 9);
	/* its number may be another's */
	c.pod.flags = SMC_POD_DENY;
	assert_int_equal(ask(c).slot, SMC_SLOT_STRANGERS);
	c.pod.flags = SMC_POD_REFUSED;
	assert_int_equal(ask(c).slot, SMC_SLOT_STRANGERS);
	c.has_pod = 0;
	assert_int_equal(ask(c).slot, SMC_SLOT_STRANGERS);
}

static int setup(void **state)
{
	skel = ration_bpf__open_and_load();
	return skel ? 0 : -1;
}

static int teardown(void **state)
{
	ration_bpf__destroy(skel);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup(fn, before_each)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pod_at_its_bound_gets_no_more),
		TEST(test_pods_own_lower_bound_counts),
		TEST(test_node_at_its_bound_allows_nobody),
		TEST(test_the_last_quarter_is_for_those_with_few),
		TEST(test_strangers_have_a_fixed_bound_of_their_own),
		TEST(test_a_limit_of_0_allows_nothing),
		TEST(test_nothing_is_refused_where_nothing_is_counted),
		TEST(test_socket_is_counted_and_given_back_once),
		TEST(test_socket_without_a_row_is_not_counted),
		TEST(test_only_an_armed_pod_counts_at_its_slot),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
