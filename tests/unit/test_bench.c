// SPDX-License-Identifier: Apache-2.0
/* What `smcmesh bench` makes of its runs: percentiles, spreads, ratios, and
 * when it says none. */
#include "unit.h"

#include <math.h>
#include <unistd.h>
#include <linux/smc_diag.h>
#include "cli/bench_json.h"
#include "cli/bench_look.h"
#include "cli/bench_page.h"
#include "cli/kubectl.h"
#include "objects/json.h"
#include "mesh/bench.h"
#include "node/cpu_time.h"
#include "node/peer_flows.h"

#define near(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fabs(b))

/* ---- histograms ---------------------------------------------------------- */

static void test_percentiles_lie_within_their_bin(void **state)
{
	_cleanup_(bench_hist_free) struct bench_hist h = {};

	assert_int_equal(bench_hist_add(&h, 0.001, 0.002, 50), 0);
	assert_int_equal(bench_hist_add(&h, 0.002, 0.004, 40), 0);
	assert_int_equal(bench_hist_add(&h, 0.004, 0.104, 10), 0);
	near(h.count, 100.0);
	near(bench_hist_percentile(&h, 50), 0.002);
	near(bench_hist_percentile(&h, 75), 0.00325);
	near(bench_hist_percentile(&h, 90), 0.004);
	near(bench_hist_percentile(&h, 99), 0.094);
	near(bench_hist_percentile(&h, 100), 0.104);
	near(bench_hist_below(&h, 0.003), 70.0);
	assert_true(bench_hist_below(&h, 0) == 0);
	near(bench_hist_below(&h, 1), 100.0);
}

static void test_bins_of_several_runs_may_overlap(void **state)
{
	_cleanup_(bench_hist_free) struct bench_hist a = {}, b = {};

	assert_int_equal(bench_hist_add(&a, 0.010, 0.020, 10), 0);
	/* single times are bins without width */
	assert_int_equal(bench_hist_add(&b, 0.015, 0.015, 30), 0);
	assert_int_equal(bench_hist_merge(&a, &b), 0);
	near(a.count, 40.0);
	near(a.min, 0.010);
	near(bench_hist_percentile(&a, 50), 0.015);
	near(bench_hist_percentile(&a, 12.5), 0.015);
	near(bench_hist_percentile(&a, 10), 0.014);
	near(bench_hist_percentile(&a, 95), 0.018);
}

static void test_bins_that_cannot_be_are_refused(void **state)
{
	static const double bad[][3] = {
		{-1, 1, 1},  {2, 1, 1},	  {0, 1, -1},	    {NAN, 1, 1},
		{0, NAN, 1}, {0, 1, NAN}, {0, INFINITY, 1}, {0, 1, INFINITY},
	};
	struct bench_hist h = {};

	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(
			bench_hist_add(&h, bad[i][0], bad[i][1], bad[i][2]),
			-EINVAL);
	assert_int_equal(h.n, 0);
	assert_true(bench_hist_percentile(&h, 50) == 0);
}

/* Each value falls into a bucket that has it, and none is wider than a 64th. */
static void test_tally_keeps_each_value_within_a_64th(void **state)
{
	static struct bench_tally t;

	for (unsigned long v = 0; v < 1UL << 40; v = v * 9 / 8 + 1) {
		_cleanup_(bench_hist_free) struct bench_hist h = {};

		t = (struct bench_tally){};
		bench_tally_add(&t, v);
		assert_int_equal(bench_tally_take(&t, 1e-6, &h), 0);
		assert_int_equal(h.n, 1);
		assert_true(h.min <= v * 1e-6 * (1 + 1e-12));
		assert_true(h.max > v * 1e-6 * (1 - 1e-12));
		assert_true((h.max - h.min) * 64 <= (v + 64) * 1e-6 * 1.0001);
	}
	bench_tally_add(&t,
			~0UL); /* has no bucket of its own, and is not lost */
	{
		_cleanup_(bench_hist_free) struct bench_hist h = {};

		assert_int_equal(bench_tally_take(&t, 1e-6, &h), 0);
		near(h.count, 2.0);
	}
}

/* ---- spreads, ratios ----------------------------------------------------- */

static void test_spread_is_median_and_both_ends(void **state)
{
	const double odd[] = {3, 1, 2}, even[] = {4, 1, 2, 3};
	const double some[] = {NAN, 5, NAN}, none[] = {NAN};
	struct bench_spread s = bench_spread_of(odd, 3);

	near(s.median, 2.0);
	near(s.low, 1.0);
	near(s.high, 3.0);
	near(bench_spread_of(even, 4).median, 2.5);
	s = bench_spread_of(some, 3);
	near(s.median, 5.0);
	assert_int_equal(s.n, 1);
	s = bench_spread_of(none, 1);
	assert_true(isnan(s.median) && !s.n);
	assert_true(!bench_spread_of(NULL, 0).n);
}

/* Rounds at which the machine was ever slower: the ratio of neighbours does not
 * move with it, that of the medians would. */
static void test_ratio_is_of_each_round(void **state)
{
	struct bench_run tcp[3] = {}, smc[3] = {};
	struct bench_spread r;

	for (int i = 0; i < 3; i++) {
		tcp[i].value[BENCH_RATE] = 1000 / (i + 1);
		smc[i].value[BENCH_RATE] = 1000 / (i + 1) * 1.5;
		tcp[i].value[BENCH_CPU] = NAN;
		smc[i].value[BENCH_CPU] = 1e-6;
	}
	r = bench_ratio(smc, tcp, 3, BENCH_RATE);
	near(r.median, 1.5);
	near(r.low, 1.5);
	near(r.high, 1.5);
	assert_int_equal(bench_ratio(smc, tcp, 3, BENCH_CPU).n, 0);
	tcp[1].value[BENCH_RATE] = 0; /* nothing can be divided by that */
	assert_int_equal(bench_ratio(smc, tcp, 3, BENCH_RATE).n, 2);
}

static struct bench_spread spread(double low, double median, double high)
{
	return (struct bench_spread){median, low, high, 3};
}

static void test_ratio_is_clear_beyond_the_controls(void **state)
{
	const struct bench_spread control = spread(0.9, 1, 1.2), none = {};
	struct bench_spread gain = spread(1.3, 1.4, 1.5);
	struct bench_spread loss = spread(0.5, 0.6, 0.7);
	struct bench_spread noise = spread(1.1, 1.3, 1.5);

	assert_true(bench_is_clear(&gain, &control));
	assert_true(bench_is_clear(&loss, &control));
	assert_false(bench_is_clear(&noise, &control));
	assert_true(bench_is_clear(&noise, &none));
	noise.low = 0.99;
	assert_false(bench_is_clear(&noise, &none));
	assert_false(bench_is_clear(&none, &control));
}

/* ---- may it be said? ----------------------------------------------------- */

struct given {
	struct bench_run tcp[3], smc[3], control[3];
};

static struct given given(void)
{
	const struct bench_flows tcp = {.looks = 2, .tcp = 8};
	const struct bench_flows smc = {.looks = 2, .smcd = 8};
	struct given g = {};

	for (int i = 0; i < 3; i++) {
		g.tcp[i].flows = g.control[i].flows = tcp;
		g.smc[i].flows = smc;
	}
	return g;
}

static enum bench_verdict judge(const struct given *g, size_t n)
{
	return bench_judge(
		(const struct bench_run *[]){g->tcp, g->smc, g->control}, n);
}

static void test_ratio_is_said_only_of_smc_against_tcp(void **state)
{
	struct given g = given();

	assert_int_equal(judge(&g, 3), BENCH_SAID);
	assert_int_equal(judge(&g, 2), BENCH_FEW);
	assert_int_equal(
		bench_judge((const struct bench_run *[]){g.tcp, g.smc, NULL},
			    3),
		BENCH_SAID);
	/* one of eight, in one of three runs */
	g.smc[2].flows = (struct bench_flows){.looks = 2, .smcr = 7, .tcp = 1};
	assert_int_equal(judge(&g, 3), BENCH_NOT_SMC);
	assert_int_equal(judge(&g, 2), BENCH_FEW);
	g = given();
	g.tcp[1].flows.smcd = 1;
	assert_int_equal(judge(&g, 3), BENCH_NOT_TCP);
	g = given();
	g.control[1].flows.smcr = 1;
	assert_int_equal(judge(&g, 3), BENCH_NOT_TCP);
}

static void test_no_ratio_of_what_was_not_seen_or_failed(void **state)
{
	struct given g = given();

	g.smc[0].flows = (struct bench_flows){};
	assert_int_equal(judge(&g, 3), BENCH_UNSEEN);
	g = given();
	g.tcp[0].errors = 1;
	assert_int_equal(judge(&g, 3), BENCH_ERRORS);
	/* that they were TCP explains more */
	g.smc[0].flows.tcp = 1;
	assert_int_equal(judge(&g, 3), BENCH_NOT_SMC);
}

static void test_each_verdict_has_its_words(void **state)
{
	for (int v = BENCH_FEW; v <= BENCH_NOT_TCP; v++) {
		assert_true(strlen(bench_verdict_word(v)) > 0);
		assert_true(strlen(bench_verdict_sentence(v)) > 0);
	}
	assert_string_equal(bench_verdict_sentence(BENCH_SAID), "");
	for (int m = 0; m < BENCH_METRICS; m++)
		assert_true(strlen(bench_metric_words[m]) > 0);
}

/* A fall-back that one look saw is not forgotten for the next one. */
static void test_worst_look_is_kept(void **state)
{
	const struct bench_flows none = {}, all = {.smcd = 8};
	const struct bench_flows half = {.smcd = 4, .tcp = 4, .code = 7};
	struct bench_flows f = {};

	bench_flows_take(&f, &none);
	assert_int_equal(f.looks, 0);
	bench_flows_take(&f, &all);
	bench_flows_take(&f, &half);
	bench_flows_take(&f, &all);
	bench_flows_take(&f, &none);
	assert_int_equal(f.looks, 3);
	assert_int_equal(f.smcd, 4);
	assert_int_equal(f.tcp, 4);
	assert_int_equal(f.code, 7);
}

static void test_pace_and_closed_loop(void **state)
{
	near(bench_pace(1000, 801), 560.0);
	assert_true(bench_pace(0, 1000) == 0);
	assert_true(bench_pace(NAN, NAN) == 0);
	assert_true(bench_is_closed(100000, 20000));
	assert_true(bench_is_closed(0, 20000));
	assert_false(bench_is_closed(1000, 999));
	assert_true(bench_keeps_pace(1000, 901));
	assert_false(bench_keeps_pace(1000, 899));
	assert_true(bench_keeps_pace(1000, NAN));
}

/* ---- what the kernel says of connections ----------------------------------
 */

static struct diag_smc smc_socket(__u16 port, __u8 state, __u8 mode)
{
	return (struct diag_smc){.local_port = port,
				 .remote_port = 8080,
				 .state = state,
				 .mode = mode};
}

static void test_connections_are_what_their_smc_sockets_are(void **state)
{
	struct diag_tcp tcp[6] = {};
	struct diag_smc smc[] = {
		smc_socket(1, DIAG_SMC_INIT, SMC_DIAG_MODE_SMCR),
		smc_socket(1, DIAG_SMC_ACTIVE, SMC_DIAG_MODE_SMCR),
		smc_socket(2, DIAG_SMC_ACTIVE, SMC_DIAG_MODE_SMCD),
		smc_socket(3, DIAG_SMC_ACTIVE, SMC_DIAG_MODE_FALLBACK_TCP),
		smc_socket(4, DIAG_SMC_INIT, SMC_DIAG_MODE_SMCR),
		/* to another port, and of nobody that is looked at */
		{.local_port = 5, .remote_port = 81, .state = DIAG_SMC_ACTIVE},
		smc_socket(77, DIAG_SMC_ACTIVE, SMC_DIAG_MODE_SMCD),
	};
	struct peer_flows f;

	for (int i = 0; i < 6; i++)
		tcp[i] = (struct diag_tcp){.local_port = i + 1,
					   .remote_port = 8080};
	smc[3].fallback = 0x03030008;
	peer_flows_join(tcp, 6, smc, array_size(smc), &f);
	assert_int_equal(f.smcr, 1);
	assert_int_equal(f.smcd, 1);
	assert_int_equal(f.tcp, 3); /* 3 fell back, 5 and 6 have none */
	assert_int_equal(f.pending, 1);
	assert_int_equal(f.code, 0x03030008);
	peer_flows_join(tcp, 6, NULL, 0, &f);
	assert_int_equal(f.tcp, 6);
	assert_int_equal(f.code, 0);
}

static void test_processors_time_is_what_they_worked(void **state)
{
	const double tick = 1.0 / sysconf(_SC_CLK_TCK);
	char dir[] = "/tmp/test_bench.XXXXXX", path[64];
	double seconds = -1;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/stat", dir);
	assert_int_equal(cpu_time_busy(dir, &seconds), -ENOENT);
	f = fopen(path, "we");
	assert_non_null(f);
	/* idle, iowait and what another machine stole are no work */
	fprintf(f, "cpu  1 20 300 4000 50000 600000 7000000 80000000 9 9\n");
	fclose(f);
	assert_int_equal(cpu_time_busy(dir, &seconds), 0);
	near(seconds, 7600321 * tick);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "cpu  1 2 x\n");
	fclose(f);
	assert_int_equal(cpu_time_busy(dir, &seconds), -EINVAL);
	unlink(path);
	rmdir(dir);
}

/* ---- as JSON --------------------------------------------------------------
 */

/* Three rounds, each slower than the last; SMC makes 1.5 times as many
 * requests, the control as many. */
static void fill(struct bench_plan *plan, struct bench_result *r)
{
	static char *argv[] = {"smcmesh", "bench", NULL};
	static const double factor[] = {1, 1.5, 1};

	plan->generator = &bench_generators[0];
	plan->argv = argv;
	plan->proc = "/proc";
	plan->rate = 100000;
	r->rounds = 3;
	for (int side = 0; side < BENCH_SIDES; side++) {
		struct bench_series *s = &r->side[side];

		plan->end[side].used = true;
		plan->end[side].target = "web:80";
		plan->end[side].to = (struct smc_addr_port){.port = 80};
		assert_int_equal(bench_hist_add(&s->times, 0.001, 0.002, 9), 0);
		for (int i = 0; i < 3; i++) {
			for (int m = 0; m < BENCH_METRICS; m++)
				s->run[i].value[m] = NAN;
			s->run[i].value[BENCH_RATE] =
				900.0 / (i + 1) * factor[side];
			s->run[i].flows.looks = 2;
			*(side == BENCH_SMC ? &s->run[i].flows.smcd
					    : &s->run[i].flows.tcp) = 8;
		}
		s->paced = s->run[0];
	}
}

static yyjson_doc *as_json(const struct bench_plan *plan,
			   const struct bench_result *r)
{
	size_t len = 0;
	char *text = bench_json(plan, r, &len);
	yyjson_doc *doc = yyjson_read(text, len, 0);

	free(text);
	assert_non_null(doc);
	return doc;
}

#define number(root, pointer) bench_json_number((root), (pointer))

static void test_json_has_the_ratio_of_each_round(void **state)
{
	struct bench_plan plan = {};
	static struct bench_result r;
	_doc_ yyjson_doc *doc = NULL;
	_buf_ struct buf why = {}, page = {};
	yyjson_val *root;

	fill(&plan, &r);
	r.verdict = BENCH_SAID;
	r.pace = 210;
	strcpy(r.software, "rxe0");
	strcpy(r.machine.name, "n1");
	strcpy(r.server_machine.name, "n2");
	strcpy(r.server_machine.kernel, "7.3.4");
	doc = as_json(&plan, &r);
	root = yyjson_doc_get_root(doc);
	assert_int_equal(bench_json_check(root, &why), 0);
	near(number(root, "/ratio/requests_per_second/smc/median"), 1.5);
	near(number(root, "/ratio/requests_per_second/smc/low"), 1.5);
	near(number(root, "/ratio/requests_per_second/control/high"), 1.0);
	assert_true(yyjson_get_bool(
		yyjson_ptr_get(root, "/ratio/requests_per_second/clear")));
	/* what is not known is null, and no reason for a ratio */
	assert_true(yyjson_is_null(
		yyjson_ptr_get(root, "/sides/smc/spread/p50_seconds/median")));
	assert_false(yyjson_get_bool(
		yyjson_ptr_get(root, "/ratio/p50_seconds/clear")));
	near(number(root, "/sides/smc/spread/requests_per_second/median"),
	     675.0);
	near(number(root, "/sides/smc/runs/1/connections/smcd"), 8.0);
	near(number(root, "/paced/smc/requests_per_second"), 1350.0);
	near(number(root, "/paced/wanted_requests_per_second"), 210.0);
	assert_true(yyjson_get_bool(yyjson_obj_get(root, "closed_loop")));
	bench_page(root, &page);
	assert_says(
		page.data,
		"SMC had 1.50 (1.50-1.50) times the requests of TCP, beyond the noise: the control had 1.00");
	assert_says(page.data,
		    "SMC-R ran over rxe0, an RDMA device made of software");
	assert_says(page.data, "that of n1 and n2 together");
	assert_says(page.data, "SMC-D 8");
	/* the paced runs of fill() make more than was wanted */
	assert_null(strstr(page.data, "At one rate TCP"));
	bench_result_free(&r);
}

static void test_run_that_did_not_keep_its_pace_is_named(void **state)
{
	struct bench_plan plan = {};
	static struct bench_result r;
	_doc_ yyjson_doc *doc = NULL;
	_buf_ struct buf page = {};

	fill(&plan, &r);
	r.pace = 1001;
	doc = as_json(&plan, &r);
	bench_page(yyjson_doc_get_root(doc), &page);
	assert_says(page.data, "At one rate TCP made 900 of the 1001");
	assert_null(strstr(page.data, "At one rate SMC"));
	bench_result_free(&r);
}

static void test_json_without_a_verdict_has_no_ratio(void **state)
{
	static struct bench_plan plan;
	static struct bench_result r;
	_doc_ yyjson_doc *doc = NULL;
	_buf_ struct buf page = {};
	yyjson_val *root;

	fill(&plan, &r);
	plan.end[BENCH_CONTROL].used = false;
	r.verdict = BENCH_NOT_SMC;
	strcpy(r.why.sentence, "so it is");
	doc = as_json(&plan, &r);
	root = yyjson_doc_get_root(doc);
	assert_true(yyjson_is_null(yyjson_obj_get(root, "ratio")));
	assert_true(yyjson_is_null(yyjson_obj_get(root, "paced")));
	assert_null(yyjson_ptr_get(root, "/sides/control"));
	assert_string_equal(bench_json_text(root, "/verdict"), "not-smc");
	bench_page(root, &page);
	assert_says(page.data, "Why: so it is");
	assert_null(strstr(page.data, "SMC/TCP"));
	assert_null(strstr(page.data, "made of software"));
	assert_null(yyjson_obj_get(root, "server_machine"));
	bench_result_free(&r);
}

/* ---- lines of `smcmesh bench look` ----------------------------------------
 */

static void test_line_of_a_look_is_read(void **state)
{
	static const char line[] =
		"{\"smcr\":1,\"smcd\":2,\"tcp\":3,\"pending\":4,\"kernel_code\":50528259,"
		"\"software_rdma\":\"rxe0\",\"why\":\"off\",\"remedy\":\"on\",\"busy_seconds\":7.5,"
		"\"machine\":{\"name\":\"n1\",\"kernel\":\"7.3.4\",\"processors\":2}}";
	struct bench_sight s;

	assert_int_equal(bench_look_read(line, sizeof(line) - 1, &s), 0);
	assert_int_equal(s.found.smcr, 1);
	assert_int_equal(s.found.smcd, 2);
	assert_int_equal(s.found.tcp, 3);
	assert_int_equal(s.found.pending, 4);
	assert_int_equal(s.found.code, 0x03030003);
	assert_string_equal(s.found.software, "rxe0");
	assert_string_equal(s.why.sentence, "off");
	assert_string_equal(s.why.remedy, "on");
	near(s.busy, 7.5);
	assert_string_equal(s.machine.kernel, "7.3.4");
	assert_int_equal(s.machine.processors, 2);
}

static void test_what_is_no_look_is_refused(void **state)
{
	static const char *const lines[] = {"", "{", "[]", "{\"smcr\":1}",
					    "{\"tcp\":\"1\"}"};
	static const char short_one[] = "{\"tcp\":1}";
	struct bench_sight s;

	for (size_t i = 0; i < array_size(lines); i++)
		assert_int_equal(
			bench_look_read(lines[i], strlen(lines[i]), &s),
			-EINVAL);
	assert_int_equal(bench_look_read(short_one, strlen(short_one), &s), 0);
	assert_true(isnan(s.busy));
	assert_string_equal(s.machine.kernel, "");
}

static void test_kubectl_is_called_by_its_words(void **state)
{
	struct kubectl k = {};
	_strv_ char **argv = NULL;

	assert_int_equal(kubectl_read(&k, "  "), -EINVAL);
	assert_int_equal(kubectl_read(&k, " k3s  kubectl"), 0);
	assert_int_equal(kubectl_argv(&k, &argv, "get", "pods", NULL), 0);
	assert_string_equal(argv[0], "k3s");
	assert_string_equal(argv[1], "kubectl");
	assert_string_equal(argv[2], "get");
	assert_string_equal(argv[3], "pods");
	assert_null(argv[4]);
	strv_free(&k.words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles_lie_within_their_bin),
		cmocka_unit_test(test_bins_of_several_runs_may_overlap),
		cmocka_unit_test(test_bins_that_cannot_be_are_refused),
		cmocka_unit_test(test_tally_keeps_each_value_within_a_64th),
		cmocka_unit_test(test_spread_is_median_and_both_ends),
		cmocka_unit_test(test_ratio_is_of_each_round),
		cmocka_unit_test(test_ratio_is_clear_beyond_the_controls),
		cmocka_unit_test(test_ratio_is_said_only_of_smc_against_tcp),
		cmocka_unit_test(test_no_ratio_of_what_was_not_seen_or_failed),
		cmocka_unit_test(test_each_verdict_has_its_words),
		cmocka_unit_test(test_worst_look_is_kept),
		cmocka_unit_test(test_pace_and_closed_loop),
		cmocka_unit_test(
			test_connections_are_what_their_smc_sockets_are),
		cmocka_unit_test(test_processors_time_is_what_they_worked),
		cmocka_unit_test(test_json_has_the_ratio_of_each_round),
		cmocka_unit_test(test_json_without_a_verdict_has_no_ratio),
		cmocka_unit_test(test_run_that_did_not_keep_its_pace_is_named),
		cmocka_unit_test(test_line_of_a_look_is_read),
		cmocka_unit_test(test_what_is_no_look_is_refused),
		cmocka_unit_test(test_kubectl_is_called_by_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
