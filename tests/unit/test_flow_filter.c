// SPDX-License-Identifier: Apache-2.0
/* Which flows somebody asked for: the texts, and one flow after the other. */
#include "unit.h"

#include "base/clock.h"
#include "telemetry/flow_query.h"
#include "telemetry/flows.h"
#include "telemetry/labels.h"

/* ---- addresses ----------------------------------------------------------- */

static void assert_to(const char *text, const char *place, __u16 port)
{
	char said[ADDR_STRLEN];
	struct cidr to;
	__u16 got;

	if (mesh_flow_to_parse(text, &to, &got))
		fail_msg("%s is refused", text);
	assert_string_equal(cidr_format(&to, said), place);
	assert_int_equal(got, port);
}

static void test_places_have_a_port_or_none(void **state)
{
	static const char *const bad[] = {"",
					  ":80",
					  "10.0.0.1:",
					  "10.0.0.1:0",
					  "10.0.0.1:70000",
					  "10.0.0.1:8-9",
					  "10.0.0.0/8x",
					  "10.0.0.1/8",
					  "web:80",
					  "[fd00::1",
					  "[fd00::1]80",
					  "fd00::1]:80",
					  "[]:80",
					  "[fd00::1]:",
					  "10.0.0.0/33",
					  "10.0.0.1:80:90",
					  "10.0.0.1:80 "};
	struct cidr to = {.prefixlen = 5};
	__u16 port = 5;

	assert_to("10.0.0.0/8", "10.0.0.0/8", 0);
	assert_to("10.0.0.0/8:443", "10.0.0.0/8", 443);
	assert_to("10.1.2.3", "10.1.2.3/32", 0);
	assert_to("10.1.2.3:80", "10.1.2.3/32", 80);
	assert_to("fd00::1", "fd00::1/128", 0);
	assert_to("fd00::/64", "fd00::/64", 0);
	assert_to("[fd00::1]", "fd00::1/128", 0);
	assert_to("[fd00::1]:65535", "fd00::1/128", 65535);
	assert_to("[fd00::/64]:1", "fd00::/64", 1);
	for (size_t i = 0; i < array_size(bad); i++)
		if (mesh_flow_to_parse(bad[i], &to, &port) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(to.prefixlen, 5);
	assert_int_equal(port, 5);
}

/* ---- parameters ---------------------------------------------------------- */

static int take(struct flow_query *q, const char *name, const char *value)
{
	const char *expected = NULL;
	int err = flow_query_take(q, name, value, &expected);

	if (err == -EINVAL)
		assert_true(expected && *expected);
	return err;
}

static struct flow_query asked(const char *name, const char *value)
{
	struct flow_query q;

	flow_query_init(&q);
	if (take(&q, name, value))
		fail_msg("%s=%s is refused", name, value);
	return q;
}

static void test_wrong_values_are_refused_and_say_what_is_right(void **state)
{
	static const char *const wrong[][2] = {
		{"namespace", ""},
		{"namespace", "a/b"},
		{"pod", ""},
		{"pod", "/web"},
		{"pod", "shop/"},
		{"pod", "a/b/c"},
		{"to", "web"},
		{"port", "0"},
		{"port", "80,90"},
		{"port", "9-8"},
		{"outcome", ""},
		{"outcome", "smc"},
		{"outcome", "smcr,"},
		{"outcome", "smcr,x"},
		{"outcome", "unknown"},
		{"reason", "no-such"},
		{"reason", "unknown"},
		{"reason", "not-annotated"},
		{"reason", "0x"},
		{"reason", "0x123456789"},
		{"reason", "0x0"},
		{"since", "10"},
		{"since", "0s"},
		{"since", "0"},
		{"since", "yesterday"},
		{"last", "ten"},
		{"last", "-1"},
		{"limit", "1x"},
		{"follow", "yes"},
		{"follow", "2"},
	};
	struct flow_query q;

	for (size_t i = 0; i < array_size(wrong); i++) {
		flow_query_init(&q);
		if (take(&q, wrong[i][0], wrong[i][1]) != -EINVAL)
			fail_msg("%s=%s was taken", wrong[i][0], wrong[i][1]);
	}
	flow_query_init(&q);
	assert_int_equal(take(&q, "nmespace", "x"), -ENOENT);
	assert_int_equal(take(&q, "", ""), -ENOENT);
}

/* The words that the sentence about outcomes has are all that there are. */
static void test_every_outcome_is_taken_and_told(void **state)
{
	const struct flow_parameter *p = flow_parameters;

	while (strcmp(p->name, "outcome") != 0)
		p++;
	for (__u32 i = 0; i <= SMC_OUTCOME_FAILED; i++) {
		assert_int_equal(
			asked("outcome", outcome_label(i)).filter.outcomes,
			1U << i);
		assert_says(p->expected, outcome_label(i));
	}
	for (__u32 r = 0; r < SMC_REASON_FLOW_MAX; r++)
		assert_int_equal(
			asked("reason", reason_label(r)).filter.reasons,
			1U << r);
}

static void test_a_namespace_may_be_told_twice_and_is_one(void **state)
{
	struct flow_query q = asked("pod", "shop/web-0");

	assert_string_equal(q.filter.ns, "shop");
	assert_string_equal(q.filter.pod, "web-0");
	assert_int_equal(take(&q, "namespace", "shop"), 0);
	assert_int_equal(take(&q, "namespace", "sho"), -EINVAL);
	assert_int_equal(take(&q, "namespace", "shops"), -EINVAL);
	q = asked("pod", "web-0");
	assert_string_equal(q.filter.ns, "");
	assert_int_equal(take(&q, "namespace", "shop"), 0);
	assert_int_equal(take(&q, "pod", "default/web-0"), -EINVAL);
}

static void test_last_has_two_names_and_a_stream_neither(void **state)
{
	struct flow_query q = asked("limit", "7");

	assert_int_equal(q.last, 7);
	assert_null(flow_query_check(&q));
	assert_int_equal(take(&q, "last", "all"), 0);
	assert_true(q.last == SIZE_MAX);
	assert_int_equal(take(&q, "follow", "1"), 0);
	assert_non_null(flow_query_check(&q));
	q = asked("since", "1m");
	assert_int_equal(take(&q, "follow", ""), 0);
	assert_non_null(flow_query_check(&q));
	assert_int_equal(take(&q, "follow", "0"), 0);
	assert_null(flow_query_check(&q));
	q = asked("follow", "1");
	assert_null(flow_query_check(&q));
	assert_int_equal(q.last, FLOWS_TOLD);
}

static void test_since_counts_back_from_the_request(void **state)
{
	struct flow_query q = asked("since", "10s");

	flow_query_begin(&q, 100 * CLOCK_SECOND);
	assert_int_equal(q.filter.since_ns, 90 * CLOCK_SECOND);
	/* longer than the machine is up: still not those of unknown age */
	flow_query_begin(&q, CLOCK_SECOND);
	assert_int_equal(q.filter.since_ns, 1);
	q = asked("since", "999999999h");
	flow_query_begin(&q, 100 * CLOCK_SECOND);
	assert_int_equal(q.filter.since_ns, 1);
	flow_query_init(&q);
	flow_query_begin(&q, CLOCK_SECOND);
	assert_int_equal(q.filter.since_ns, 0);
}

/* ---- one flow ------------------------------------------------------------ */

static struct smc_flow flow(__u8 role)
{
	struct smc_flow f = {.local_port = role == SMC_ROLE_SERVER ? 80 : 40000,
			     .remote_port =
				     role == SMC_ROLE_SERVER ? 40000 : 80,
			     .role = role,
			     .outcome = SMC_OUTCOME_TCP,
			     .reason = SMC_REASON_NOT_ENDPOINT,
			     .opened_ns = 50};

	memcpy(f.local_ip, addr("10.0.0.1").ip, 16);
	memcpy(f.remote_ip, addr("10.0.0.2").ip, 16);
	return f;
}

static bool wanted(const char *name, const char *value, struct smc_flow f)
{
	const struct flow_query q = asked(name, value);

	return mesh_flow_wanted(&q.filter, &f);
}

static void test_to_is_the_end_that_was_connected_to(void **state)
{
	const struct smc_flow client = flow(SMC_ROLE_CLIENT);
	const struct smc_flow server = flow(SMC_ROLE_SERVER);
	struct smc_flow nobody = flow(0);

	assert_true(wanted("to", "10.0.0.2:80", client));
	assert_true(wanted("to", "10.0.0.0/30", client));
	assert_false(wanted("to", "10.0.0.2:81", client));
	assert_false(wanted("to", "10.0.0.1", client));
	assert_true(wanted("to", "10.0.0.1:80", server));
	assert_false(wanted("to", "10.0.0.2", server));
	/* from before the pod was armed: either may be the server */
	assert_true(wanted("to", "10.0.0.1", nobody));
	assert_true(wanted("to", "10.0.0.2", nobody));
	assert_false(wanted("to", "10.0.0.3", nobody));
	/* IPv4 is no part of an IPv6 prefix that only looks so */
	assert_false(wanted("to", "fd00::/8", client));
}

static void test_port_is_of_either_end(void **state)
{
	assert_true(wanted("port", "80", flow(SMC_ROLE_CLIENT)));
	assert_true(wanted("port", "80", flow(SMC_ROLE_SERVER)));
	assert_true(wanted("port", "39999-40000", flow(SMC_ROLE_SERVER)));
	assert_false(wanted("port", "81-39999", flow(SMC_ROLE_CLIENT)));
}

static void test_outcomes_and_reasons_are_sets(void **state)
{
	struct smc_flow f = flow(SMC_ROLE_CLIENT);

	assert_true(wanted("outcome", "smcr,tcp", f));
	assert_false(wanted("outcome", "smcr,smcd", f));
	assert_true(wanted("reason", "loopback,not-endpoint", f));
	assert_false(wanted("reason", "loopback", f));
	f.reason = SMC_REASON_NONE;
	f.outcome = SMC_OUTCOME_FALLBACK;
	f.kernel_code = 0x03030008;
	assert_true(wanted("outcome", "fallback", f));
	assert_true(wanted("reason", "0x03030008", f));
	assert_true(wanted("reason", "not-endpoint,0x3030008", f));
	assert_true(wanted("reason", "no-ueid", f));
	assert_false(wanted("reason", "0x03030007", f));
	assert_false(wanted("reason", "not-endpoint", f));
	/* a record of a newer version's programs */
	f.outcome = 200;
	f.reason = 200;
	f.kernel_code = 0;
	assert_false(wanted("outcome", "pending,tcp,fallback,failed", f));
	assert_false(wanted("reason", "none", f));
}

static void test_since_leaves_out_what_is_older_or_of_unknown_age(void **state)
{
	struct mesh_flow_filter filter = {.since_ns = 50};
	struct smc_flow f = flow(SMC_ROLE_CLIENT);

	assert_true(mesh_flow_wanted(&filter, &f));
	filter.since_ns = 51;
	assert_false(mesh_flow_wanted(&filter, &f));
	f.opened_ns = 0;
	filter.since_ns = 1;
	assert_false(mesh_flow_wanted(&filter, &f));
}

static void test_all_that_is_asked_must_hold(void **state)
{
	struct flow_query q = asked("to", "10.0.0.2:80");
	const struct smc_flow f = flow(SMC_ROLE_CLIENT);

	assert_int_equal(take(&q, "outcome", "tcp"), 0);
	assert_int_equal(take(&q, "reason", "not-endpoint"), 0);
	assert_true(mesh_flow_wanted(&q.filter, &f));
	assert_int_equal(take(&q, "port", "81"), 0);
	assert_false(mesh_flow_wanted(&q.filter, &f));
}

static void test_names_are_whole_and_those_of_a_gone_pod_unknown(void **state)
{
	struct mesh_flow_filter f = {};

	assert_true(mesh_flow_of_pod(&f, NULL, NULL));
	strcpy(f.ns, "shop");
	assert_true(mesh_flow_of_pod(&f, "shop", "web-0"));
	assert_false(mesh_flow_of_pod(&f, "shops", "web-0"));
	assert_false(mesh_flow_of_pod(&f, NULL, NULL));
	strcpy(f.pod, "web");
	assert_false(mesh_flow_of_pod(&f, "shop", "web-0"));
	assert_true(mesh_flow_of_pod(&f, "shop", "web"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_have_a_port_or_none),
		cmocka_unit_test(
			test_wrong_values_are_refused_and_say_what_is_right),
		cmocka_unit_test(test_every_outcome_is_taken_and_told),
		cmocka_unit_test(test_a_namespace_may_be_told_twice_and_is_one),
		cmocka_unit_test(test_last_has_two_names_and_a_stream_neither),
		cmocka_unit_test(test_since_counts_back_from_the_request),
		cmocka_unit_test(test_to_is_the_end_that_was_connected_to),
		cmocka_unit_test(test_port_is_of_either_end),
		cmocka_unit_test(test_outcomes_and_reasons_are_sets),
		cmocka_unit_test(
			test_since_leaves_out_what_is_older_or_of_unknown_age),
		cmocka_unit_test(test_all_that_is_asked_must_hold),
		cmocka_unit_test(
			test_names_are_whole_and_those_of_a_gone_pod_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
