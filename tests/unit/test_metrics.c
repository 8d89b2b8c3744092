// SPDX-License-Identifier: Apache-2.0
/* /metrics: families, labels, escapes, what is added up, how much there is. */
#include "unit.h"

#include "base/cleanup.h"
#include "telemetry/fallback.h"
#include "telemetry/metrics.h"
#include "telemetry/metrics_rows.h"

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
		.revision = "0123456789ab-dirty",
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
	assert_says(text, "\nsmcmesh_build_info{version=\"1.2\","
			  "revision=\"0123456789ab-dirty\"} 1\n");
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
	/* What never counted has no sample. */
	assert_null(strstr(text, "smcmesh_answers_total{"));
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
	pods[0].gauge[METRICS_PENDING] = 120;
	text = write_out(&m);
	pods[0].gauge[METRICS_PENDING] = 0;
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
	fallbacks[0] = (struct metrics_fallback){77, 0x03030008, 1, NULL};
	fallbacks[1] = (struct metrics_fallback){78, 0x03030008, 2, NULL};
	m.n_counters = 2;
	m.n_fallbacks = 2;
	text = write_out(&m);
	assert_says(text,
		    "smcmesh_events_lost_total{namespace=\"\",pod=\"\"} 42\n");
	assert_says(text, "smcmesh_fallbacks_total{namespace=\"\",pod=\"\","
			  "code=\"no-ueid\"} 3\n");
}

static void test_a_gauge_stays_once_it_was_shown(void **state)
{
	static const char shown[] = "smcmesh_late_flows{namespace=\"default\","
				    "pod=\"web\"} ";
	struct metrics m = base();
	_free_ char *text = write_out(&m);

	assert_null(strstr(text, "smcmesh_late_flows{"));
	free(text);
	pods[0].gauge[METRICS_LATE_FLOWS] = 2;
	text = write_out(&m);
	assert_says(strstr(text, shown), "} 2\n");
	pods[0].shown = metrics_shown(&pods[0]);
	pods[0].gauge[METRICS_LATE_FLOWS] = 0;
	free(text);
	text = write_out(&m);
	assert_says(strstr(text, shown), "} 0\n");
	/* control: no other gauge */
	assert_null(strstr(text, "smcmesh_late_listeners{"));
	pods[0].shown = 0;
}

/* ---- --metrics-labels ---------------------------------------------------- */

static struct metrics_pod many[] = {
	{.id = 1, .ns = "a", .name = "web", .gauge = {[METRICS_PENDING] = 3}},
	{.id = 2, .ns = "b", .name = "db", .gauge = {[METRICS_PENDING] = 4}},
	{.id = 3, .ns = "a", .name = "api", .bytes = {[METRICS_TCP_TX] = 9}},
};

static struct metrics sums(enum metrics_labels labels)
{
	struct metrics m = base();

	m.labels = labels;
	m.pods = many;
	m.n_pods = 3;
	m.rations = true;
	m.strangers.pending = 10;
	counters[0] = (struct metrics_counter){{1, SMC_COUNTER_OFFERS}, 5};
	counters[1] = (struct metrics_counter){{2, SMC_COUNTER_OFFERS}, 20};
	counters[2] = (struct metrics_counter){{3, SMC_COUNTER_OFFERS}, 300};
	counters[3] = (struct metrics_counter){{0, SMC_COUNTER_OFFERS}, 4000};
	m.n_counters = 4;
	return m;
}

static void test_pods_are_added_up_by_namespace(void **state)
{
	struct metrics_gone gone[] = {{.ns = (char *)"a"}, {.ns = NULL}};
	struct metrics m = sums(METRICS_BY_NAMESPACE);
	_free_ char *text = NULL;

	fallbacks[0] = (struct metrics_fallback){0, 0x03030008, 7, "a"};
	m.n_fallbacks = 1;
	text = write_out(&m);
	assert_null(strstr(text, "pod=\""));
	assert_says(text, "smcmesh_offers_total{namespace=\"a\"} 305\n");
	assert_says(text, "smcmesh_offers_total{namespace=\"b\"} 20\n");
	assert_says(text, "smcmesh_offers_total{namespace=\"\"} 4000\n");
	assert_says(text, "smcmesh_sockets_pending{namespace=\"a\"} 3\n");
	assert_says(text, "smcmesh_sockets_pending{namespace=\"\"} 10\n");
	assert_says(text, "smcmesh_bytes_total{namespace=\"a\",transport="
			  "\"tcp\",direction=\"tx\"} 9\n");
	assert_says(text, "smcmesh_fallbacks_total{namespace=\"a\",code="
			  "\"no-ueid\"} 7\n");
	free(text);
	/* pods of a that have gone, less what was there before this agent */
	gone[0].sum[SMC_COUNTER_OFFERS] = 1000 - 300;
	m.gone = gone;
	m.n_gone = 2;
	text = write_out(&m);
	assert_says(text, "smcmesh_offers_total{namespace=\"a\"} 1005\n");
	assert_says(text, "smcmesh_offers_total{namespace=\"b\"} 20\n");
}

static void test_pods_are_added_up_without_a_name(void **state)
{
	struct metrics_gone gone = {.ns = (char *)""};
	struct metrics m = sums(METRICS_BY_NONE);
	_free_ char *text = NULL;

	gone.sum[SMC_COUNTER_OFFERS] = -(__u64)4000;
	m.gone = &gone;
	m.n_gone = 1;
	fallbacks[0] = (struct metrics_fallback){0, 0x03030008, 7, ""};
	m.n_fallbacks = 1;
	text = write_out(&m);
	assert_null(strstr(text, "pod=\""));
	assert_null(strstr(text, "namespace=\""));
	assert_says(text, "\nsmcmesh_offers_total 325\n");
	assert_says(text, "\nsmcmesh_sockets_pending 17\n");
	assert_says(text, "smcmesh_bytes_total{transport=\"tcp\","
			  "direction=\"tx\"} 9\n");
	assert_says(text, "smcmesh_fallbacks_total{code=\"no-ueid\"} 7\n");
}

static void test_labels_are_read(void **state)
{
	enum metrics_labels got = METRICS_BY_NONE;

	assert_int_equal(metrics_labels_parse("pod", &got), 0);
	assert_int_equal(got, METRICS_BY_POD);
	assert_int_equal(metrics_labels_parse("namespace", &got), 0);
	assert_int_equal(got, METRICS_BY_NAMESPACE);
	assert_int_equal(metrics_labels_parse("none", &got), 0);
	assert_int_equal(got, METRICS_BY_NONE);
	assert_int_equal(metrics_labels_parse("pods", &got), -EINVAL);
	assert_int_equal(metrics_labels_parse("", &got), -EINVAL);
	assert_int_equal(got, METRICS_BY_NONE);
}

/* ---- histograms ---------------------------------------------------------- */

static void test_bounds_of_histograms_rise(void **state)
{
	for (int id = 0; id < HISTOGRAM_MAX; id++) {
		const double *bounds = histogram_bounds(id);

		assert_true(bounds[0] > 0);
		for (int b = 1; b < HISTOGRAM_BUCKETS; b++)
			assert_true(bounds[b] > bounds[b - 1]);
	}
}

static void test_histograms_add_up(void **state)
{
	struct histogram connect[SMC_OUTCOME_FAILED + 1] = {};
	struct metrics m = base();
	_free_ char *text = NULL;

	histogram_add(&connect[SMC_OUTCOME_SMCR], HISTOGRAM_CONNECT, 0.0001);
	histogram_add(&connect[SMC_OUTCOME_SMCR], HISTOGRAM_CONNECT, 0.0002);
	histogram_add(&connect[SMC_OUTCOME_SMCR], HISTOGRAM_CONNECT, 60);
	histogram_add(&m.arming, HISTOGRAM_ARMED, -1);
	histogram_add(&m.event_to_map, HISTOGRAM_EVENT, 0.5);
	m.connect = connect;
	text = write_out(&m);
#define CONNECT "smcmesh_connect_latency_seconds"
	assert_says(text,
		    CONNECT "_bucket{outcome=\"smcr\",le=\"0.0001\"} 1\n");
	assert_says(text,
		    CONNECT "_bucket{outcome=\"smcr\",le=\"0.00025\"} 2\n");
	assert_says(text, CONNECT "_bucket{outcome=\"smcr\",le=\"5\"} 2\n");
	assert_says(text, CONNECT "_bucket{outcome=\"smcr\",le=\"+Inf\"} 3\n");
	assert_says(text, CONNECT "_sum{outcome=\"smcr\"} 60.0003\n");
	assert_says(text, CONNECT "_count{outcome=\"smcr\"} 3\n");
	assert_says(text, CONNECT "_count{outcome=\"tcp\"} 0\n");
	assert_null(strstr(text, "outcome=\"pending\""));
	assert_says(text, "smcmesh_pod_arming_seconds_bucket{le=\"0.01\"} 1\n");
	assert_says(text, "smcmesh_pod_arming_seconds_sum 0\n");
	assert_says(text,
		    "smcmesh_event_to_map_seconds_bucket{le=\"0.25\"} 0\n");
	assert_says(text, "smcmesh_event_to_map_seconds_count 1\n");
}

/* ---- how much there is --------------------------------------------------- */

#define ARMED 200

static const enum smc_counter_id usual[] = {
	SMC_COUNTER_SOCKETS_CONVERTED,
	SMC_COUNTER_FLOWS_CLIENT_SMCD,
	SMC_COUNTER_FLOWS_CLIENT_TCP,
	SMC_COUNTER_FLOWS_SERVER_SMCD,
	SMC_COUNTER_FLOWS_SERVER_TCP,
	SMC_COUNTER_OFFERS,
	SMC_COUNTER_ANSWERS,
	SMC_COUNTER_REASON + SMC_REASON_NOT_ENDPOINT,
	SMC_COUNTER_REASON + SMC_REASON_NOT_CONVERTED,
};

struct crowd {
	char names[ARMED][64];
	struct metrics_pod pods[ARMED + SMC_REASON_MAX];
	struct metrics_counter counters[ARMED * array_size(usual)];
	struct metrics_feature features[32];
	struct histogram connect[SMC_OUTCOME_FAILED + 1];
};

/* A pod of a busy service: it calls and is called, over SMC and TCP. */
static void fill_pod(struct crowd *c, struct metrics *m, size_t i)
{
	snprintf(c->names[i], sizeof(c->names[i]),
		 "recommendation-service-7d4b9c6f58-%05zu", i);
	c->pods[i] = (struct metrics_pod){
		.id = i + 1,
		.ns = "online-boutique-production",
		.name = c->names[i],
		.armed = true,
		.gauge = {[METRICS_CONNECTIONS] = 812,
			  [METRICS_BUFFER_BYTES] = 425721856,
			  [METRICS_PENDING] = 1},
		.bytes = {[METRICS_SMCD_RX] = 123456789012345,
			  [METRICS_SMCD_TX] = 123456789012345,
			  [METRICS_TCP_RX] = 123456789012,
			  [METRICS_TCP_TX] = 123456789012},
	};
	for (size_t k = 0; k < array_size(usual); k++)
		c->counters[m->n_counters++] =
			(struct metrics_counter){{i + 1, usual[k]}, 1234567890};
	m->n_pods++;
}

static int samples_of(const char *text, const char *part)
{
	int n = 0;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		n += *line != '#' && (!part || memmem(line, strcspn(line, "\n"),
						      part, strlen(part)));
	return n;
}

/* Each reason that a pod can have for not being armed is a series. */
static void fill_node(struct crowd *c, struct metrics *m)
{
	for (__u32 r = SMC_REASON_POD; r < SMC_REASON_MAX; r++)
		c->pods[m->n_pods++] = (struct metrics_pod){
			.ns = "n", .name = "p", .reason = r};
	for (size_t i = 0; i < array_size(c->features); i++)
		c->features[i] = (struct metrics_feature){"tracing", true};
	m->features = c->features;
	m->n_features = array_size(c->features);
	m->rations = m->publishes = true;
	m->connect = c->connect;
}

static void test_the_exposition_is_bounded(void **state)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct metrics m = base();
	_free_ char *text = NULL;
	const char *one;
	size_t alone;

	assert_non_null(c);
	m.pods = c->pods;
	m.counters = c->counters;
	m.n_pods = 0;
	fill_node(c, &m);
	text = write_out(&m);
	alone = strlen(text);
	print_message("# a node: %d series, %zu bytes\n",
		      samples_of(text, NULL), alone);
	assert_in_range(samples_of(text, NULL), 100, 250);
	free(text);
	m.n_pods = 0;
	for (size_t i = 0; i < ARMED; i++)
		fill_pod(c, &m, i);
	fill_node(c, &m);
	text = write_out(&m);
	one = c->names[77];
	print_message("# a pod: %d series, %zu bytes; all: %zu bytes\n",
		      samples_of(text, one), (strlen(text) - alone) / ARMED,
		      strlen(text));
	assert_int_equal(samples_of(text, one), 16);
	assert_in_range((strlen(text) - alone) / ARMED, 1, 2560);
	assert_in_range(strlen(text), 1, 600 << 10);
	free(c);
}

/* `smcmesh version --metrics` makes it. */
static void test_docs_have_the_reference(void **state)
{
	const char *tree = getenv("SMCMESH_TREE");
	struct buf want = {}, docs = {};
	char path[512], part[4096];
	_fclose_ FILE *f = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/deploy/docs/metrics.md", tree ?: ".");
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s: %m", path);
	while ((n = fread(part, 1, sizeof(part), f)))
		buf_add(&docs, part, n);
	assert_int_equal(metrics_reference(&want), 0);
	if (!strstr(docs.data, want.data))
		fail_msg("deploy/docs/metrics.md lacks what smcmesh version "
			 "--metrics prints now");
	buf_free(&docs);
	buf_free(&want);
}

static void test_fallback_codes_are_bounded(void **state)
{
	struct metrics m = base();
	_free_ char *text = NULL;

	fallbacks[0] = (struct metrics_fallback){1, 0x03010000, 1, NULL};
	fallbacks[1] = (struct metrics_fallback){1, -ETIMEDOUT, 2, NULL};
	fallbacks[2] = (struct metrics_fallback){1, 0x12345678, 3, NULL};
	fallbacks[3] = (struct metrics_fallback){1, 0x12345679, 4, NULL};
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
		cmocka_unit_test(test_a_gauge_stays_once_it_was_shown),
		cmocka_unit_test(test_pods_are_added_up_by_namespace),
		cmocka_unit_test(test_pods_are_added_up_without_a_name),
		cmocka_unit_test(test_labels_are_read),
		cmocka_unit_test(test_bounds_of_histograms_rise),
		cmocka_unit_test(test_histograms_add_up),
		cmocka_unit_test(test_the_exposition_is_bounded),
		cmocka_unit_test(test_docs_have_the_reference),
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
