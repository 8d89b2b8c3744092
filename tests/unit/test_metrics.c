// SPDX-License-Identifier: Apache-2.0
/* /metrics: families, labels, escapes, what is added up. */
#include "unit.h"

#include "base/cleanup.h"
#include "telemetry/fallback.h"
#include "telemetry/metrics.h"

static struct metrics_feature features[] = {{"smc", true}, {"rdma", false}};

static struct metrics_pod pods[] = {
	{.id = 1, .ns = "default", .name = "web", .armed = true},
	{.id = 2,
	 .ns = "q\"uo\\te",
	 .name = "two\nlines",
	 .reason = SMC_REASON_REFUSED},
	{.ns = "default", .name = "off", .reason = SMC_REASON_NOT_ANNOTATED},
};

static struct metrics_counter counters[8];
static struct metrics_fallback fallbacks[8];

static struct metrics base(void)
{
	return (struct metrics){
		.version = "1.2",
		.features = features,
		.n_features = 2,
		.ready = true,
		.knows_pods = true,
		.pods = pods,
		.n_pods = 3,
		.counters = counters,
		.fallbacks = fallbacks,
		.endpoints = 7,
		.source_age = 12.5,
	};
}

static char *write_out(struct metrics *m)
{
	struct buf out = {};

	assert_int_equal(metrics_write(&out, m), 0);
	return buf_take(&out);
}

static int count_of(const char *text, const char *part)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, part)); p++)
		n++;
	return n;
}

/* Of each family: one HELP, one TYPE, in this order, before its samples, and
 * no line twice. */
static void test_every_family_is_announced_once(void **state)
{
	struct metrics m = base();
	_free_ char *text = write_out(&m);
	char key[128];
	int families = 0;

	for (char *line = text; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		if (strncmp(line, "# TYPE ", 7))
			continue;
		families++;
		snprintf(key, sizeof(key), "# HELP %.*s ",
			 (int)strcspn(line + 7, " "), line + 7);
		assert_int_equal(count_of(text, key), 1);
		assert_true(strstr(text, key) < line);
		key[2] = 'T', key[3] = 'Y', key[4] = 'P', key[5] = 'E';
		assert_int_equal(count_of(text, key), 1);
	}
	assert_true(families > METRIC_MAX);
	assert_says(text, "\nsmcmesh_source_age_seconds 12.5\n");
}

static void test_counters_have_the_pods_labels(void **state)
{
	struct metrics m = base();
	_free_ char *text = NULL;

	counters[0] = (struct metrics_counter){{1, SMC_COUNTER_OFFERS}, 5};
	counters[1] =
		(struct metrics_counter){{1, SMC_COUNTER_FLOWS_CLIENT_SMCD}, 4};
	counters[2] = (struct metrics_counter){
		{2, SMC_COUNTER_REASON + SMC_REASON_NOT_ENDPOINT}, 3};
	m.n_counters = 3;
	text = write_out(&m);
	assert_says(text, "smcmesh_offers_total{namespace=\"default\","
			  "pod=\"web\"} 5\n");
	assert_says(text, "smcmesh_flows_total{namespace=\"default\","
			  "pod=\"web\",role=\"client\",outcome=\"smcd\"} 4\n");
	assert_says(text, "smcmesh_flows_bypassed_total{"
			  "namespace=\"q\\\"uo\\\\te\",pod=\"two\\nlines\","
			  "reason=\"not-endpoint\"} 3\n");
	/* An armed pod has every counter from its start, another one not. */
	assert_says(text, "smcmesh_answers_total{namespace=\"default\","
			  "pod=\"web\"} 0\n");
	assert_null(strstr(text, "pod=\"off\"}"));
}

static void test_rdma_paths_are_counted_by_state_and_result(void **state)
{
	struct metrics m = base();
	_free_ char *text = NULL;

	m.paths[MESH_PATH_PROVEN] = 3;
	m.paths[MESH_PATH_BAD] = 1;
	m.probes_answered = 40;
	m.probes_unanswered = 5;
	m.probes_failed = 6;
	text = write_out(&m);
	assert_says(text, "smcmesh_rdma_paths{state=\"unproven\"} 0\n");
	assert_says(text, "smcmesh_rdma_paths{state=\"proven\"} 3\n");
	assert_says(text, "smcmesh_rdma_paths{state=\"bad\"} 1\n");
	assert_says(text, "smcmesh_rdma_path_probes_total{result=\"answered\"} "
			  "40\n");
	assert_says(text,
		    "smcmesh_rdma_path_probes_total{result=\"unanswered\"} "
		    "5\n");
	assert_says(text, "smcmesh_rdma_path_probes_total{result=\"failed\"} "
			  "6\n");
}

static void test_pending_sockets_are_shown_only_where_counted(void **state)
{
	struct metrics m = base();
	_free_ char *text = NULL;

	text = write_out(&m);
	assert_null(strstr(text, "smcmesh_sockets_pending"));
	free(text);
	m.rations = true;
	m.limits.pending_pod = 64;
	m.limits.pending_node = 512;
	m.node_usage.pending = 200;
	m.strangers.pending = 80;
	pods[0].usage.pending = 120;
	text = write_out(&m);
	assert_says(text, "smcmesh_sockets_pending{namespace=\"default\","
			  "pod=\"web\"} 120\n");
	assert_says(text, "smcmesh_sockets_pending{namespace=\"\","
			  "pod=\"\"} 80\n");
	/* of those that are not armed none */
	assert_int_equal(count_of(text, "smcmesh_sockets_pending{"), 2);
	assert_says(text, "smcmesh_node_sockets_pending 200\n");
	assert_says(text, "smcmesh_limit{resource=\"sockets_pending\","
			  "of=\"pod\"} 64\n");
	assert_says(text, "smcmesh_limit{resource=\"sockets_pending\","
			  "of=\"strangers\"} 128\n");
	assert_says(text, "smcmesh_limit{resource=\"sockets_pending\","
			  "of=\"node\"} 512\n");
}

/* Counters lie at the slot of the pod's number. */
static void test_a_pod_counts_at_its_slot(void **state)
{
	struct metrics_pod late[] = {
		{.id = 3 * SMC_PODS + 5, .ns = "a", .name = "web"},
		{.id = SMC_PODS + 6, .ns = "a", .name = "db"},
		{.ns = "a", .name = "none"},
	};
	struct metrics m = base();
	_free_ char *text = NULL;

	m.pods = late;
	m.n_pods = 3;
	counters[0] = (struct metrics_counter){{5, SMC_COUNTER_OFFERS}, 7};
	counters[1] = (struct metrics_counter){{6, SMC_COUNTER_ANSWERS}, 8};
	counters[2] = (struct metrics_counter){
		{6, SMC_COUNTER_REASON + SMC_REASON_CHANGED}, 9};
	counters[3] = (struct metrics_counter){{0, SMC_COUNTER_OFFERS}, 1};
	counters[4] = (struct metrics_counter){{7, SMC_COUNTER_OFFERS}, 2};
	m.n_counters = 5;
	text = write_out(&m);
	assert_says(text,
		    "smcmesh_offers_total{namespace=\"a\",pod=\"web\"} 7");
	assert_says(text,
		    "smcmesh_answers_total{namespace=\"a\",pod=\"db\"} 8");
	assert_says(text, "pod=\"db\",reason=\"changed\"} 9");
	assert_says(text, "smcmesh_offers_total{namespace=\"\",pod=\"\"} 3");
	assert_null(strstr(text, "pod=\"none\"}"));
}

static void test_numbers_without_a_name_are_one_sample(void **state)
{
	struct metrics m = base();
	_free_ char *text = NULL;

	counters[0] = (struct metrics_counter){{0, SMC_COUNTER_EVENTS_LOST}, 2};
	counters[1] =
		(struct metrics_counter){{77, SMC_COUNTER_EVENTS_LOST}, 40};
	fallbacks[0] = (struct metrics_fallback){77, 0x03030008, 1};
	fallbacks[1] = (struct metrics_fallback){78, 0x03030008, 2};
	m.n_counters = 2;
	m.n_fallbacks = 2;
	text = write_out(&m);
	assert_says(text,
		    "smcmesh_events_lost_total{namespace=\"\",pod=\"\"} 42\n");
	assert_says(text, "smcmesh_fallbacks_total{namespace=\"\",pod=\"\","
			  "code=\"no-ueid\"} 3\n");
}

static void test_fallback_codes_are_bounded(void **state)
{
	struct metrics m = base();
	_free_ char *text = NULL;

	fallbacks[0] = (struct metrics_fallback){1, 0x03010000, 1};
	fallbacks[1] = (struct metrics_fallback){1, -ETIMEDOUT, 2};
	fallbacks[2] = (struct metrics_fallback){1, 0x12345678, 3};
	fallbacks[3] = (struct metrics_fallback){1, 0x12345679, 4};
	m.n_fallbacks = 4;
	text = write_out(&m);
	assert_int_equal(count_of(text, "\nsmcmesh_fallbacks_total{"), 3);
	assert_says(text, "code=\"peer-no-smc\"} 1\n");
	assert_says(text, "code=\"etimedout\"} 2\n");
	assert_says(text, "code=\"other\"} 7\n");
}

static void test_pods_are_counted_by_state(void **state)
{
	struct metrics m = base();
	_free_ char *text = write_out(&m);

	assert_says(text, "smcmesh_pods{state=\"armed\",reason=\"none\"} 1\n");
	assert_says(text, "smcmesh_pods{state=\"not-armed\","
			  "reason=\"refused\"} 1\n");
	assert_says(text, "smcmesh_pods{state=\"not-armed\","
			  "reason=\"not-annotated\"} 1\n");
	assert_says(text, "\nsmcmesh_endpoints 7\n");
	assert_says(text, "\nsmcmesh_capability{feature=\"rdma\"} 0\n");
}

/* "No pod is armed" would be a lie. */
static void test_pods_that_are_not_known_yet_have_no_sample(void **state)
{
	struct metrics m = base();
	_free_ char *text = NULL;

	m.knows_pods = false;
	m.pods = NULL;
	m.n_pods = 0;
	text = write_out(&m);
	assert_says(text, "# TYPE smcmesh_pods gauge\n");
	assert_null(strstr(text, "smcmesh_pods{"));
	assert_null(strstr(text, "pod=\""));
	assert_says(text, "\nsmcmesh_endpoints 7\n");
}

static void test_every_fallback_code_has_a_label_of_its_own(void **state)
{
	static const __u32 codes[] = {
#define ROW(id, code, label, sentence, remedy) code,
		FALLBACKS(ROW)
#undef ROW
	};
	char a[FALLBACK_LABEL_MAX], b[FALLBACK_LABEL_MAX];

	for (size_t i = 0; i < array_size(codes); i++) {
		assert_string_not_equal(fallback_label(codes[i], a), "other");
		assert_false(fallback_is_errno(codes[i]));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(a, fallback_label(codes[k], b));
	}
	assert_true(fallback_is_errno(-EPROTO));
	assert_string_equal(fallback_label(0, a), "none");
	assert_string_equal(fallback_label(-EPROTO, a), "eproto");
	assert_string_equal(fallback_label(-4000, a), "other");
	assert_says(fallback_sentence(-ETIMEDOUT), "said nothing");
	assert_says(fallback_sentence(0x03030008), "UEID");
	assert_says(fallback_sentence(-EHOSTUNREACH), "No route");
	assert_says(fallback_sentence(0), "no reason");
	assert_says(fallback_sentence(0x0badc0de), "does not know");
}

static void test_every_fallback_code_says_what_to_do(void **state)
{
	static const __u32 codes[] = {
#define ROW(id, code, label, sentence, remedy) code,
		FALLBACKS(ROW)
#undef ROW
			- ETIMEDOUT,
		-EPROTO, -ECONNRESET, -EAGAIN};

	for (size_t i = 0; i < array_size(codes); i++) {
		const char *text = fallback_remedy(codes[i]);

		assert_true(strlen(text) > 10);
		assert_true(text[strlen(text) - 1] != '.');
	}
	assert_says(fallback_remedy(0x03030008), "same UEID");
	assert_says(fallback_remedy(-EPROTO), "exclude");
	/* control: of what is in no table nothing is claimed */
	assert_string_equal(fallback_remedy(0), "");
	assert_string_equal(fallback_remedy(0x0badc0de), "");
	assert_string_equal(fallback_remedy(-EHOSTUNREACH), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_family_is_announced_once),
		cmocka_unit_test(test_counters_have_the_pods_labels),
		cmocka_unit_test(
			test_rdma_paths_are_counted_by_state_and_result),
		cmocka_unit_test(
			test_pending_sockets_are_shown_only_where_counted),
		cmocka_unit_test(test_a_pod_counts_at_its_slot),
		cmocka_unit_test(test_numbers_without_a_name_are_one_sample),
		cmocka_unit_test(test_fallback_codes_are_bounded),
		cmocka_unit_test(test_pods_are_counted_by_state),
		cmocka_unit_test(
			test_pods_that_are_not_known_yet_have_no_sample),
		cmocka_unit_test(
			test_every_fallback_code_has_a_label_of_its_own),
		cmocka_unit_test(test_every_fallback_code_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
