// SPDX-License-Identifier: Apache-2.0
/* What the agent counts itself, for /metrics: flows that have ended, bytes over
 * SMC, pods that have gone. */
#include "unit.h"

#include "agent/ended.h"
#include "agent/gone.h"
#include "agent/traffic.h"
#include "datapath/state.h"
#include "pods/known.h"

/* ---- flows that have ended ----------------------------------------------- */

static struct smc_flow flow(__u32 pod_id, __u32 outcome, __u64 took_ns)
{
	return (struct smc_flow){.pod_id = pod_id,
				 .role = SMC_ROLE_CLIENT,
				 .outcome = outcome,
				 .opened_ns = 5000,
				 .decided_ns = 5000 + took_ns,
				 .rx_bytes = 30,
				 .tx_bytes = 4};
}

static void test_latency_is_counted_by_outcome(void **state)
{
	struct agent_counts *c = calloc(1, sizeof(*c));
	struct smc_flow f = flow(1, SMC_OUTCOME_SMCD, 200000);

	assert_non_null(c);
	ended_count(c, &f);
	f = flow(1, SMC_OUTCOME_FALLBACK, 3000000);
	ended_count(c, &f);
	assert_int_equal(histogram_count(&c->connect[SMC_OUTCOME_SMCD]), 1);
	assert_int_equal(c->connect[SMC_OUTCOME_SMCD].n[1], 1);
	assert_int_equal(histogram_count(&c->connect[SMC_OUTCOME_FALLBACK]), 1);
	assert_int_equal(histogram_count(&c->connect[SMC_OUTCOME_TCP]), 0);
	free(c);
}

/* Of a server, of a flow that nobody watched, and of one without an outcome. */
static void test_what_has_no_latency_is_left_out(void **state)
{
	struct agent_counts *c = calloc(1, sizeof(*c));
	struct smc_flow not[] = {
		flow(1, SMC_OUTCOME_TCP, 1000), flow(1, SMC_OUTCOME_TCP, 0),
		flow(1, SMC_OUTCOME_PENDING, 1000), flow(1, 77, 1000)};

	assert_non_null(c);
	not[0].role = SMC_ROLE_SERVER;
	for (size_t i = 0; i < array_size(not); i++)
		ended_count(c, &not[i]);
	for (size_t o = 0; o < array_size(c->connect); o++)
		assert_int_equal(histogram_count(&c->connect[o]), 0);
	free(c);
}

static void test_bytes_are_the_pods_own(void **state)
{
	struct agent_counts *c = calloc(1, sizeof(*c));
	struct smc_flow old = flow(5, SMC_OUTCOME_TCP, 0);
	struct smc_flow next = flow(5 + SMC_PODS, SMC_OUTCOME_TCP, 0);

	assert_non_null(c);
	assert_null(pod_bytes_of(c, 5));
	ended_count(c, &old);
	ended_count(c, &old);
	assert_int_equal(pod_bytes_of(c, 5)->n[METRICS_TCP_RX], 60);
	assert_int_equal(pod_bytes_of(c, 5)->n[METRICS_TCP_TX], 8);
	/* another pod has the slot now; one of the first ends after that */
	ended_count(c, &next);
	ended_count(c, &old);
	assert_null(pod_bytes_of(c, 5));
	assert_int_equal(pod_bytes_of(c, next.pod_id)->n[METRICS_TCP_RX], 30);
	assert_null(pod_bytes_of(c, 0));
	free(c);
}

/* ---- bytes over SMC ------------------------------------------------------ */

static void test_bytes_over_smc_go_on_in_a_new_namespace(void **state)
{
	struct smc_stats s = {.smcr = {.rx_bytes = 100, .tx_bytes = 1},
			      .smcd = {.tx_bytes = 7}};
	struct pod_bytes at = {.pod_id = 1};

	traffic_add(&at, 11, &s, false);
	assert_int_equal(at.n[METRICS_SMCR_RX], 100);
	s.smcr.rx_bytes = 130;
	traffic_add(&at, 11, &s, false);
	assert_int_equal(at.n[METRICS_SMCR_RX], 130);
	s = (struct smc_stats){.smcr = {.rx_bytes = 20}};
	traffic_add(&at, 12, &s, false);
	assert_int_equal(at.n[METRICS_SMCR_RX], 150);
	assert_int_equal(at.n[METRICS_SMCR_TX], 1);
	assert_int_equal(at.n[METRICS_SMCD_TX], 7);
	assert_int_equal(at.n[METRICS_TCP_RX], 0);
}

static void test_what_was_there_before_is_skipped_once(void **state)
{
	struct smc_stats s = {.smcd = {.rx_bytes = 100}};
	struct pod_bytes at = {.pod_id = 1};

	traffic_add(&at, 11, &s, true);
	assert_int_equal(at.n[METRICS_SMCD_RX], 0);
	s.smcd.rx_bytes = 130;
	traffic_add(&at, 11, &s, true);
	assert_int_equal(at.n[METRICS_SMCD_RX], 30);
	s.smcd.rx_bytes = 5;
	traffic_add(&at, 12, &s, true);
	assert_int_equal(at.n[METRICS_SMCD_RX], 35);
}

/* ---- pods that have gone ------------------------------------------------- */

static struct pod pods[] = {
	{.id = 1, .ns = (char *)"a", .name = (char *)"web"},
	{.id = 2, .ns = (char *)"b", .name = (char *)"db"},
};
static struct pod *both[] = {&pods[0], &pods[1]};

static struct agent *agent_of(enum metrics_labels labels)
{
	static struct agent_options opt;
	static struct datapath dp;
	struct agent *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	opt.labels = labels;
	/* no map: of the datapath's counters there are none */
	for (int i = 0; i < MAP_MAX; i++)
		dp.map_fd[i] = -1;
	a->opt = &opt;
	a->dp = &dp;
	a->pods.v = both;
	a->pods.n = 2;
	return a;
}

static void test_bytes_of_gone_pods_stay_with_their_namespace(void **state)
{
	struct agent *a = agent_of(METRICS_BY_NAMESPACE);
	struct smc_flow f = flow(1, SMC_OUTCOME_TCP, 0);
	const char *ns;

	gone_begin(a);
	ended_count(&a->counts, &f);
	gone_add(a, &pods[0]);
	ns = gone_ns(a, "a");
	assert_string_equal(ns, "a");
	assert_ptr_equal(gone_ns(a, "a"), ns);
	assert_ptr_not_equal(gone_ns(a, "b"), ns);
	for (size_t i = 0; i < a->counts.n_gone; i++)
		assert_int_equal(a->counts.gone[i].sum[METRICS_SUM_BYTES +
						       METRICS_TCP_RX],
				 a->counts.gone[i].ns == ns ? 30 : 0);
	gone_free(a);
	free(a);
}

static void test_a_namespace_without_pods_is_forgotten(void **state)
{
	struct metrics_fallback v[2] = {{.code = 1}, {.code = 2}};
	struct agent *a = agent_of(METRICS_BY_NAMESPACE);
	size_t rows;

	v[0].ns = gone_ns(a, "a");
	v[1].ns = gone_ns(a, "b");
	a->counts.fallbacks = v;
	a->counts.n_fallbacks = 2;
	gone_sweep(a);
	assert_int_equal(a->counts.n_fallbacks, 2);
	both[0] = &pods[1];
	gone_sweep(a);
	assert_int_equal(a->counts.n_fallbacks, 1);
	assert_int_equal(v[0].code, 2);
	/* its room is used again */
	rows = a->counts.n_gone;
	assert_string_equal(gone_ns(a, "c"), "c");
	assert_int_equal(a->counts.n_gone, rows);
	both[0] = &pods[0];
	gone_free(a);
	free(a);
}

static void test_only_sums_keep_what_has_gone(void **state)
{
	struct agent *a = agent_of(METRICS_BY_POD);

	gone_begin(a);
	gone_add(a, &pods[0]);
	assert_null(gone_ns(a, "a"));
	assert_int_equal(a->counts.n_gone, 0);
	free(a);
	a = agent_of(METRICS_BY_NONE);
	assert_string_equal(gone_ns(a, "a"), "");
	assert_ptr_equal(gone_ns(a, "b"), gone_ns(a, "a"));
	gone_sweep(a);
	assert_non_null(gone_ns(a, ""));
	assert_int_equal(a->counts.n_gone, 1);
	gone_free(a);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latency_is_counted_by_outcome),
		cmocka_unit_test(test_what_has_no_latency_is_left_out),
		cmocka_unit_test(test_bytes_are_the_pods_own),
		cmocka_unit_test(test_bytes_over_smc_go_on_in_a_new_namespace),
		cmocka_unit_test(test_what_was_there_before_is_skipped_once),
		cmocka_unit_test(
			test_bytes_of_gone_pods_stay_with_their_namespace),
		cmocka_unit_test(test_a_namespace_without_pods_is_forgotten),
		cmocka_unit_test(test_only_sums_keep_what_has_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
