// SPDX-License-Identifier: Apache-2.0
/* A flow record in words and in JSON. */
#include "unit.h"

#include "base/cleanup.h"
#include "telemetry/flows.h"
#include "telemetry/labels.h"

static struct smc_flow flow(__u8 outcome)
{
	struct smc_flow f = {
		.local_port = 40000,
		.remote_port = 80,
		.pod_id = 3,
		.role = SMC_ROLE_CLIENT,
		.outcome = outcome,
		.opened_ns = 1500000000,
	};

	memcpy(f.local_ip, addr("10.0.0.1").ip, 16);
	memcpy(f.remote_ip, addr("fd00::2").ip, 16);
	return f;
}

static void test_sentence_says_outcome_reason_and_code(void **state)
{
	struct smc_flow f = flow(SMC_OUTCOME_SMCD);
	char text[FLOW_SENTENCE_MAX];

	assert_says(flow_sentence(&f, text), "SMC-D");
	f.outcome = SMC_OUTCOME_TCP;
	f.reason = SMC_REASON_EXCLUDED_PORT;
	assert_string_equal(flow_sentence(&f, text),
			    "TCP: the port is excluded");
	f.outcome = SMC_OUTCOME_FALLBACK;
	f.kernel_code = 0x03030008;
	assert_string_equal(flow_sentence(&f, text),
			    "fell back to TCP: the two hosts share no UEID "
			    "(0x03030008)");
	f.outcome = SMC_OUTCOME_FAILED;
	f.kernel_code = -ETIMEDOUT;
	assert_says(flow_sentence(&f, text), "(ETIMEDOUT)");
	f.kernel_code = 0x09990000;
	assert_says(flow_sentence(&f, text), "(0x09990000)");
}

static void test_sentence_says_how_inexactly_it_was_noted(void **state)
{
	static const struct {
		__u32 flags;
		const char *noted, *says;
	} cases[] = {
		{0, "exact", NULL},
		{SMC_FLOW_DIAGNOSED, "diagnosis", "seconds late"},
		{SMC_FLOW_ATTEMPT | SMC_FLOW_DIAGNOSED, "attempt",
		 "connect() was called"},
		{SMC_FLOW_UPGRADED, "before-upgrade",
		 "opened before the upgrade"},
		{SMC_FLOW_UPGRADED | SMC_FLOW_DIAGNOSED, "before-upgrade",
		 "opened before the upgrade"},
	};
	char text[FLOW_SENTENCE_MAX];

	for (size_t i = 0; i < array_size(cases); i++) {
		struct smc_flow f = flow(SMC_OUTCOME_TCP);

		f.reason = SMC_REASON_NOT_CONVERTED;
		f.flags = cases[i].flags;
		assert_string_equal(flow_noted(&f), cases[i].noted);
		assert_says(flow_sentence(&f, text), "TCP: the socket is");
		if (cases[i].says)
			assert_says(text, cases[i].says);
		else
			assert_null(strchr(text, ';'));
		assert_true(strlen(text) < FLOW_SENTENCE_MAX - 1);
	}
}

static void test_flow_id_tells_client_server_and_socket(void **state)
{
	struct smc_handshake key = {.isn = 0xffffffff,
				    .netns = 0xfffffffe,
				    .local_port = 65535,
				    .kind = SMC_ROLE_CLIENT};
	char text[FLOW_ID_MAX];

	assert_string_equal(flow_id(&key, text), "c:fffffffe:ffffffff:ffff");
	key.kind = SMC_ROLE_SERVER;
	key.remote_port = 0xabcd;
	assert_string_equal(flow_id(&key, text),
			    "s:fffffffe:ffffffff:ffff:abcd");
	key = flow_socket_key(0x100000002, 0x123456789abcdef0);
	assert_int_equal(key.kind, SMC_KIND_SOCKET);
	assert_int_equal(key.isn, 0x9abcdef0);
	assert_string_equal(flow_id(&key, text), "t:2:123456789abcdef0");
}

/* A record of a newer agent's programs must not be read out of the tables. */
static void test_numbers_out_of_range_are_unknown(void **state)
{
	struct smc_flow f = flow(200);
	char text[FLOW_SENTENCE_MAX];

	assert_says(flow_sentence(&f, text), "200");
	f.outcome = SMC_OUTCOME_TCP;
	f.reason = SMC_REASON_MAX;
	assert_says(flow_sentence(&f, text), "does not know");
	f.reason = SMC_REASON_FLOW_MAX;
	assert_says(flow_sentence(&f, text), "does not know");
	assert_string_equal(reason_label(~0U), "unknown");
	assert_string_equal(role_label(0), "unknown");
	assert_string_equal(outcome_label(99), "unknown");
	assert_string_equal(event_label(0), "unknown");
}

static void test_flow_json_has_every_known_field_escaped(void **state)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	struct smc_flow f = flow(SMC_OUTCOME_SMCR);
	const struct smc_handshake key = {.isn = 9, .kind = SMC_ROLE_CLIENT};
	const struct flow_pod pod = {"ns", "web\"0"};
	char *text;

	f.transports = SMC_TRANSPORT_SMCR | SMC_TRANSPORT_SMCD;
	f.cookie = 9;
	yyjson_mut_doc_set_root(doc,
				flow_json(doc, &key, &f, &pod, 1000000000000));
	text = yyjson_mut_write(doc, 0, NULL);
	assert_says(text, "\"id\":\"c:0:9:0\",");
	assert_says(text, "\"cookie\":9,");
	assert_says(text, "\"noted\":\"exact\",");
	assert_says(text, "\"pod\":\"web\\\"0\"");
	assert_says(text, "\"local_address\":\"10.0.0.1\"");
	assert_says(text, "\"remote_address\":\"fd00::2\"");
	assert_says(text, "\"remote_port\":80,");
	assert_says(text, "\"outcome\":\"smcr\"");
	assert_says(text, "\"kernel_label\":\"none\"");
	assert_says(text, "\"transports\":[\"smcr\",\"smcd\"]");
	assert_says(text, "\"opened\":\"1970-01-01T00:16:41.500Z\"");
	/* not decided, not closed: no such times */
	assert_null(strstr(text, "\"decided\""));
	assert_null(strstr(text, "\"ended\""));
	assert_null(strstr(text, "_seconds\""));
	free(text);
	yyjson_mut_doc_free(doc);
}

/* What nobody saw is not told, and no 0 in its place. */
static void test_lengths_of_time_are_those_that_were_seen(void **state)
{
	struct smc_handshake key = {.isn = 9, .kind = SMC_ROLE_CLIENT};
	struct smc_flow f = flow(SMC_OUTCOME_SMCD);

	assert_true(flow_connect_seconds(&key, &f) < 0); /* under way */
	assert_true(flow_lifetime_seconds(&f) < 0);
	f.decided_ns = f.opened_ns + 1500000;
	assert_float_equal(flow_connect_seconds(&key, &f), 0.0015, 1e-9);
	f.closed = 1;
	f.closed_ns = f.opened_ns + 2500000000;
	assert_float_equal(flow_lifetime_seconds(&f), 2.5, 1e-9);
	f.flags = SMC_FLOW_UPGRADED;
	assert_float_equal(flow_connect_seconds(&key, &f), 0.0015, 1e-9);
	f.flags = SMC_FLOW_DIAGNOSED;
	assert_true(flow_connect_seconds(&key, &f) < 0);
	f.flags = SMC_FLOW_ATTEMPT;
	assert_true(flow_connect_seconds(&key, &f) < 0);
	f.flags = 0;
	key.kind = SMC_KIND_SOCKET;
	assert_true(flow_connect_seconds(&key, &f) < 0);
	key.kind = SMC_ROLE_SERVER;
	/* noted when its handshake was complete: how long that took is not
	 * known */
	f.decided_ns = f.opened_ns;
	assert_true(flow_connect_seconds(&key, &f) < 0);
	f.opened_ns = 0;
	assert_true(flow_lifetime_seconds(&f) < 0);
}

static void test_event_of_a_pod_that_is_gone_has_its_number(void **state)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	const struct smc_event e = {.type = SMC_EVENT_CLOSED,
				    .time_ns = 1,
				    .flow = flow(SMC_OUTCOME_SMCD)};
	const struct flow_pod nobody = {};
	char *text;

	yyjson_mut_doc_set_root(doc, flow_event_json(doc, &e, &nobody, 0));
	text = yyjson_mut_write(doc, 0, NULL);
	assert_says(text, "\"event\":\"closed\"");
	assert_says(text, "\"pod\":\"\"");
	assert_says(text, "\"pod_id\":3");
	free(text);
	yyjson_mut_doc_free(doc);
}

static void test_transports_are_named_or_none(void **state)
{
	char text[TRANSPORTS_STRLEN];

	assert_string_equal(transports_format(0, text), "none");
	assert_string_equal(transports_format(SMC_TRANSPORT_SMCD, text),
			    "smcd");
	assert_string_equal(transports_format(~0U, text), "smcr,smcd");
}

/* Between the reasons of flows and those of pods there are none. */
static void test_numbers_between_reasons_are_unknown(void **state)
{
	unsigned int known = 0;

	for (__u32 r = 0; r <= SMC_REASON_MAX + 1; r++) {
		bool hole = r >= SMC_REASON_MAX ||
			    (r >= SMC_REASON_FLOW_MAX && r < SMC_REASON_POD);

		assert_int_equal(reason_known(r), !hole);
		assert_int_equal(!strcmp(reason_label(r), "unknown"), hole);
		assert_non_null(reason_sentence(r));
		known += !hole;
	}
	assert_int_equal(known,
			 SMC_REASON_FLOW_MAX + SMC_REASON_MAX - SMC_REASON_POD);
	assert_string_equal(reason_label(SMC_REASON_POD), "not-annotated");
	assert_string_equal(reason_label(SMC_REASON_CHANGED), "changed");
}

/* Each says what to do or that nothing can be done, as a phrase; the manual has
 * it as it stands. */
static void test_every_reason_says_what_to_do(void **state)
{
	for (__u32 r = 0; r < SMC_REASON_MAX; r++) {
		const char *text = reason_remedy(r);

		if (!reason_known(r)) {
			assert_string_equal(text, "");
			continue;
		}
		assert_true(strlen(text) > 10);
		assert_null(strpbrk(text, "\"\\|`"));
		assert_true(text[strlen(text) - 1] != '.');
		assert_string_equal(text, reason_remedy_of(reason_label(r)));
		assert_string_not_equal(text, reason_sentence(r));
	}
	assert_string_equal(reason_remedy(~0U), "");
	assert_string_equal(reason_remedy_of("unknown"), "");
	assert_string_equal(reason_remedy_of(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_reason_says_what_to_do),
		cmocka_unit_test(test_sentence_says_outcome_reason_and_code),
		cmocka_unit_test(test_sentence_says_how_inexactly_it_was_noted),
		cmocka_unit_test(test_flow_id_tells_client_server_and_socket),
		cmocka_unit_test(test_numbers_out_of_range_are_unknown),
		cmocka_unit_test(test_numbers_between_reasons_are_unknown),
		cmocka_unit_test(test_flow_json_has_every_known_field_escaped),
		cmocka_unit_test(test_lengths_of_time_are_those_that_were_seen),
		cmocka_unit_test(
			test_event_of_a_pod_that_is_gone_has_its_number),
		cmocka_unit_test(test_transports_are_named_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
