// SPDX-License-Identifier: Apache-2.0
/* How far connections came, and why not further: from the agents' records. */
#include "typed.h"

#include "base/buf.h"
#include "cli/check_flows.h"
#include "cli/check_print.h"

static struct check_pod a = {.name = "default/a", .armed = true};
static struct check_pod b = {.name = "default/b", .armed = true};
static struct check_pod plain = {.name = "default/plain",
				 .sentence = "not armed: so it is",
				 .remedy = "arm it"};

/* Two connections from @from to @to that were converted and came through. */
static struct check_way *way(const struct check_pod *from,
			     const struct check_pod *to)
{
	static struct check_way w;

	w = (struct check_way){
		.from = from, .to = to, .at.port = 7000, .wanted = 2, .n = 2};
	memcpy(w.at.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\2", 16);
	for (int i = 0; i < 2; i++)
		w.v[i] = (struct exchange){.port = 40000 + i,
					   .converted = true,
					   .connected = true,
					   .answered = true,
					   .mode = EXCHANGE_IS_SMCD,
					   .first_ns = 2000000,
					   .trip_ns = 1000000};
	return &w;
}

static void add_flow(struct buf *json, const char *pod, const char *role,
		     int local, int remote, const char *rest)
{
	buf_printf(json,
		   "%s{\"namespace\":\"default\",\"pod\":\"%s\","
		   "\"role\":\"%s\",\"local_port\":%d,\"remote_port\":%d,%s}",
		   json->len ? "," : "", pod, role, local, remote, rest);
}

#define SMC                                                                    \
	"\"verdict\":\"accelerate\",\"outcome\":\"smcd\",\"reason\":\"none\"," \
	"\"kernel_code\":\"0x00000000\",\"sentence\":\"SMC-D\""
#define TCP(reason)                                                       \
	"\"verdict\":\"bypass\",\"outcome\":\"tcp\",\"reason\":\"" reason \
	"\",\"kernel_code\":\"0x00000000\",\"sentence\":\"TCP: " reason "\""
#define FELL(code)                                                         \
	"\"verdict\":\"accelerate\",\"outcome\":\"fallback\","             \
	"\"reason\":\"none\",\"kernel_code\":\"" code "\",\"sentence\":\"" \
	"fell back " code "\""

/* The records of both connections at both ends; NULL: an end has none. */
static void take(struct check_way *w, const char *client, const char *server)
{
	_buf_ struct buf flows = {}, json = {};

	for (int i = 0; i < 2; i++) {
		/* others, newer and not of these connections */
		add_flow(&flows, "a", "server", 40000 + i, 7000, TCP("budget"));
		add_flow(&flows, "c", "client", 40000 + i, 7000, TCP("budget"));
		add_flow(&flows, "a", "client", 40000 + i, 7001, TCP("budget"));
		if (client)
			add_flow(&flows, "a", "client", 40000 + i, 7000,
				 client);
		if (server)
			add_flow(&flows, "b", "server", 7000, 40000 + i,
				 server);
		/* the ports' user before */
		add_flow(&flows, "a", "client", 40000 + i, 7000, TCP("budget"));
	}
	buf_printf(&json, "{\"flows\":[%s]}", flows.data);
	assert_int_equal(check_flows_take(json.data, json.len, w), 0);
}

static void assert_stop(const struct check_way *w, enum check_step step,
			const char *why, const char *remedy)
{
	const char *got_why, *got_remedy;

	assert_int_equal(check_stop(w, &got_why, &got_remedy), step);
	assert_string_equal(got_why, why);
	if (!strstr(got_remedy, remedy) || !*remedy != !*got_remedy)
		fail_msg("remedy: %s", got_remedy);
	assert_int_equal(check_ok(w), step == CHECK_STEPS);
}

static void test_all_is_smc(void **state)
{
	struct check_way *w = way(&a, &b);

	take(w, SMC, SMC);
	for (int step = 0; step < CHECK_STEPS; step++)
		assert_int_equal(check_passed(w, step), 2);
	assert_stop(w, CHECK_STEPS, "", "");
	assert_int_equal(check_smc(w), 2);
	assert_int_equal(check_is(w, EXCHANGE_IS_SMCD), 2);
	assert_int_equal(check_is(w, EXCHANGE_IS_SMCR), 0);
}

static void become_tcp(struct check_way *w)
{
	w->v[0].mode = w->v[1].mode = EXCHANGE_IS_TCP;
}

static void test_client_that_does_not_offer_says_why(void **state)
{
	struct check_way *w = way(&a, &b);

	become_tcp(w);
	take(w, TCP("not-endpoint"), TCP("not-offered"));
	assert_int_equal(check_passed(w, CHECK_CONVERTED), 2);
	assert_int_equal(check_passed(w, CHECK_BYTE), 2);
	assert_stop(w, CHECK_SENT, "TCP: not-endpoint", "annotate the peer");
}

static void test_option_lost_on_the_way(void **state)
{
	struct check_way *w = way(&a, &b);

	become_tcp(w);
	take(w, FELL("0x03010000"), TCP("not-offered"));
	assert_int_equal(check_passed(w, CHECK_SENT), 2);
	assert_int_equal(check_passed(w, CHECK_SEEN), 0);
	assert_stop(w, CHECK_SEEN,
		    "the option did not arrive: something on the way takes it "
		    "out of the SYN",
		    "pass TCP option 254");
}

static void test_server_that_does_not_answer_says_why(void **state)
{
	struct check_way *w = way(&a, &b);

	become_tcp(w);
	take(w, FELL("0x03010000"), TCP("listener-busy"));
	assert_int_equal(check_passed(w, CHECK_SEEN), 2);
	assert_stop(w, CHECK_ANSWERED, "TCP: listener-busy", "backlog");
}

static void test_kernels_that_do_not_agree(void **state)
{
	struct check_way *w = way(&a, &b);

	become_tcp(w);
	take(w, FELL("0x03030008"), SMC);
	assert_int_equal(check_passed(w, CHECK_ANSWERED), 2);
	assert_stop(w, CHECK_CLC, "fell back 0x03030008", "UEID");
}

static void test_pods_that_are_not_armed(void **state)
{
	struct check_way *w = way(&plain, &b);

	become_tcp(w);
	w->v[0].converted = w->v[1].converted = false;
	take(w, NULL, TCP("not-offered"));
	assert_stop(w, CHECK_CONVERTED, "not armed: so it is", "arm it");

	w = way(&a, &plain);
	become_tcp(w);
	take(w, SMC, NULL); /* as if it had been offered all the same */
	assert_stop(w, CHECK_SEEN, "not armed: so it is", "arm it");
}

static void test_halves_tell_what_they_know(void **state)
{
	struct check_way *w = way(&a, NULL);

	take(w, SMC, SMC);
	assert_false(check_step_known(w, CHECK_SEEN));
	assert_stop(w, CHECK_STEPS, "", "");

	w = way(NULL, &b);
	w->v[0] = (struct exchange){.port = 40000};
	w->v[1] = (struct exchange){.port = 40001};
	take(w, SMC, SMC);
	assert_false(check_step_known(w, CHECK_SENT));
	assert_false(check_step_known(w, CHECK_BYTE));
	assert_int_equal(check_smc(w), 2); /* the records alone tell */
	assert_stop(w, CHECK_STEPS, "", "");
}

static void test_connection_that_fails_ends_it(void **state)
{
	struct check_way *w = way(&a, &b);

	w->n = 1;
	w->v[0] = (struct exchange){.converted = true, .err = -ECONNREFUSED};
	take(w, TCP("budget"), NULL);
	assert_stop(w, CHECK_SENT, "Connection refused", "");
}

/* The kernel's word counts, whatever the records say. */
static void test_kernel_judges(void **state)
{
	struct check_way *w = way(&a, &b);

	take(w, SMC, SMC);
	w->v[1].mode = EXCHANGE_IS_TCP;
	assert_int_equal(check_smc(w), 1);
	assert_false(check_ok(w));

	w = way(&a, &b);
	w->v[0].mode = w->v[1].mode = EXCHANGE_UNTOLD;
	take(w, SMC, SMC);
	assert_true(check_ok(w));
	w->n = 1; /* of two */
	assert_false(check_ok(w));
}

static void test_answer_that_is_no_json(void **state)
{
	assert_int_equal(check_flows_take("{", 1, way(&a, &b)), -EINVAL);
}

static void test_medians(void **state)
{
	struct exchange v[4] = {{.first_ns = 9, .trip_ns = 1},
				{.first_ns = 1},
				{.first_ns = 5, .trip_ns = 3},
				{.trip_ns = 2}};

	assert_int_equal(check_median(v, 4, false), 5);
	assert_int_equal(check_median(v, 4, true), 2);
	assert_int_equal(check_median(v, 0, true), 0);
}

/* The words are in the command's texts and in the manual. */
static void test_wrong_calls(void **state)
{
	static const struct {
		char *argv[8];
		const char *said;
	} calls[] = {
		{{"--count", "101", "n/a", "n/b"}, "from 1 to 100, not 101"},
		{{"--count", "x", "n/a", "n/b"}, "not x"},
		{{"--local", "n/a"}, "take no operand"},
		{{"--local", "--serve", "n/a"}, "not for one call"},
		{{"--service", "n/a", "n/b"}, "--service is for --connect"},
		{{"--connect", "n/a"}, "one operand, ADDRESS:PORT"},
		{{"--connect", "n/a", "10.0.0.1"},
		 "ADDRESS:PORT, not 10.0.0.1"},
		{{"n/a"}, "expected two pods, or --local"},
		{{"a", "n/b"}, "expected NAMESPACE/POD, not a"},
		{{"n/a", "n/a"}, "connections to itself"},
	};

	for (size_t i = 0; i < array_size(calls); i++) {
		char *argv[12] = {"smcmesh", "check"};
		struct said s;

		memcpy(argv + 2, calls[i].argv, sizeof(calls[i].argv));
		s = type(argv);
		assert_int_equal(s.status, EXIT_USAGE);
		if (!strstr(s.err, calls[i].said))
			fail_msg("%s", s.err);
		assert_string_equal(s.out, "");
	}
}

static void test_without_an_agent_nothing_is_told(void **state)
{
	struct said s = TYPE("check", "--run", "/nowhere", "n/a", "n/b");

	assert_int_equal(s.status, EXIT_UNTOLD);
	assert_non_null(strstr(s.err, "no agent answers"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_is_smc),
		cmocka_unit_test(test_client_that_does_not_offer_says_why),
		cmocka_unit_test(test_option_lost_on_the_way),
		cmocka_unit_test(test_server_that_does_not_answer_says_why),
		cmocka_unit_test(test_kernels_that_do_not_agree),
		cmocka_unit_test(test_pods_that_are_not_armed),
		cmocka_unit_test(test_halves_tell_what_they_know),
		cmocka_unit_test(test_connection_that_fails_ends_it),
		cmocka_unit_test(test_kernel_judges),
		cmocka_unit_test(test_answer_that_is_no_json),
		cmocka_unit_test(test_medians),
		cmocka_unit_test(test_wrong_calls),
		cmocka_unit_test(test_without_an_agent_nothing_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
