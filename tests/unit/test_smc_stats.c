// SPDX-License-Identifier: Apache-2.0
/* SMC's statistics: messages made here, and a helper that goes through
 * namespaces of which some are none. */
#include "unit.h"

#include <linux/smc.h>
#include <unistd.h>
#include "node/nl.h"
#include "node/smc_stats.h"

/* @first: the first of its numbers, the others count up. */
static void put_tech(struct nlmsghdr *h, __u16 type, __u64 first, __u16 last)
{
	struct nlattr *nest = mnl_attr_nest_start(h, type);

	for (__u16 t = SMC_NLA_STATS_T_RX_BYTES; t <= last; t++)
		mnl_attr_put_u64(h, t, first++);
	mnl_attr_nest_end(h, nest);
}

static void make_message(struct nl_request *r, __u16 last)
{
	struct nlattr *nest;

	nl_genl_init(r, 77, SMC_NETLINK_GET_STATS, 1, 0);
	nest = mnl_attr_nest_start(r->head, SMC_GEN_STATS);
	put_tech(r->head, SMC_NLA_STATS_SMCD_TECH, 1ULL << 40, last);
	put_tech(r->head, SMC_NLA_STATS_SMCR_TECH, 7, last);
	mnl_attr_put_u64(r->head, SMC_NLA_STATS_CLNT_HS_ERR_CNT, 99);
	mnl_attr_nest_end(r->head, nest);
}

static void test_each_transport_has_its_own_numbers(void **state)
{
	struct smc_stats s = {};
	struct nl_request r;

	make_message(&r, SMC_NLA_STATS_T_TX_CNT + 2);
	smc_stats_parse(r.head, &s);
	assert_int_equal(s.smcr.rx_bytes, 7);
	assert_int_equal(s.smcr.tx_bytes, 8);
	assert_int_equal(s.smcr.rx_calls, 9);
	assert_int_equal(s.smcr.tx_calls, 10);
	assert_int_equal(s.smcr.rx_buffers, 11);
	assert_int_equal(s.smcr.tx_buffers, 12);
	assert_true(s.smcd.rx_bytes == 1ULL << 40);
	assert_true(s.smcd.tx_buffers == (1ULL << 40) + 5);
}

/* Before Linux 6.12 the buffers are not told; a message may have no part. */
static void test_what_is_missing_is_0(void **state)
{
	struct smc_stats s = {.smcr.rx_bytes = 5};
	struct nl_request r;

	make_message(&r, SMC_NLA_STATS_T_TX_CNT);
	smc_stats_parse(r.head, &s);
	assert_int_equal(s.smcr.tx_calls, 10);
	assert_int_equal(s.smcr.rx_buffers, 0);
	nl_genl_init(&r, 77, SMC_NETLINK_GET_STATS, 1, 0);
	smc_stats_parse(r.head, &s);
	assert_int_equal(s.smcr.rx_bytes, 0);
	assert_int_equal(s.smcd.tx_bytes, 0);
}

/* One that has gone, and what is no network namespace, cost the others
 * nothing: each has its own error. Which errno the last gets depends on rights
 * and kernel: it is this test's own namespace. */
static void test_a_namespace_that_has_gone_has_its_own_error(void **state)
{
	struct smc_stats_of v[] = {
		{.netns.path = "/proc/self/ns/nothing"},
		{.netns = {.path = "/proc/self/ns/net", .id.ino = 1}},
		{.netns.path = "/proc/self/ns/net", .err = 1},
	};

	assert_int_equal(smc_stats_each(v, array_size(v)), 0);
	assert_int_equal(v[0].err, -ENOENT);
	assert_int_equal(v[1].err, -ENOENT);
	assert_true(v[2].err <= 0);
	assert_true(v[0].read_ns && v[2].read_ns >= v[0].read_ns);
	assert_int_equal(smc_stats_each(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_transport_has_its_own_numbers),
		cmocka_unit_test(test_what_is_missing_is_0),
		cmocka_unit_test(
			test_a_namespace_that_has_gone_has_its_own_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
