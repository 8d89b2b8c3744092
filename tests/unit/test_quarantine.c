// SPDX-License-Identifier: Apache-2.0
/* telemetry/quarantine_text: what is held against a peer, in words and as JSON.
 */
#include "unit.h"

#include "base/cleanup.h"
#include "telemetry/quarantine_text.h"

#define SECOND 1000000000ULL

static struct smc_quarantine_key key_of(__u32 pod_id, const char *ip)
{
	struct smc_quarantine_key key = {.pod_id = pod_id, .port = 80};

	memcpy(key.ip, addr(ip).ip, sizeof(key.ip));
	return key;
}

/* Each state of one pod and of all, each with the words that matter. */
static void test_every_quarantine_state_has_words(void **state)
{
	static const struct {
		__u32 pod_id, state;
		int code;
		const char *label, *what, *then;
	} cases[] = {
		{7, SMC_QUARANTINE_MARK, -ECONNRESET, "mark",
		 "closed during the SMC handshake",
		 "it is offered SMC, unless"},
		{7, SMC_QUARANTINE_MARK, -EPIPE, "mark", "Broken pipe",
		 "it is offered SMC, unless"},
		{0, SMC_QUARANTINE_MARK, -ETIMEDOUT, "mark",
		 "agreed to SMC and then said nothing", "one pod saw it"},
		{7, SMC_QUARANTINE_SUSPICION, 0, "suspicion",
		 "SYNs with the SMC option were not answered",
		 "the next connection goes without"},
		{7, SMC_QUARANTINE_STRUCK, 0, "quarantined",
		 "were not answered, one without was",
		 "; it is not offered SMC"},
		{7, SMC_QUARANTINE_STRUCK, -EPROTO, "quarantined",
		 "did not speak it", "; it is not offered SMC"},
		{0, SMC_QUARANTINE_STRUCK, -ETIMEDOUT, "quarantined",
		 "said nothing", "two pods saw it"},
		{7, 99, 0, "unknown", "a state that this version", "(99)"},
		{7, 0, 0, "unknown", "a state that this version", "(0)"},
	};
	char text[QUARANTINE_SENTENCE_MAX];

	for (size_t i = 0; i < array_size(cases); i++) {
		struct smc_quarantine_key key =
			key_of(cases[i].pod_id, "10.1.0.2");
		struct smc_quarantine q = {.state = cases[i].state,
					   .reason = cases[i].code};

		assert_string_equal(quarantine_label(q.state), cases[i].label);
		quarantine_sentence(&key, &q, text);
		assert_says(text, cases[i].what);
		assert_says(text, cases[i].then);
	}
}

static char *json(const struct smc_quarantine_key *key,
		  const struct smc_quarantine *q, const char *second)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	const struct quarantine_row row = {
		.key = key,
		.value = q,
		.pod = {key->pod_id ? "shop" : NULL,
			key->pod_id ? "web-0" : NULL},
		.seen = {{"shop", "web-0"}, {second ? "shop" : NULL, second}},
	};
	char *text = yyjson_mut_val_write(
		quarantine_json(doc, &row, 100 * SECOND, 1000 * SECOND), 0,
		NULL);

	assert_non_null(text);
	yyjson_mut_doc_free(doc);
	return text;
}

static void test_quarantine_json_of_a_pod_is_whole(void **state)
{
	const struct smc_quarantine_key key = key_of(7, "fd00::2");
	const struct smc_quarantine q = {.state = SMC_QUARANTINE_STRUCK,
					 .since_ns = 40 * SECOND,
					 .until_ns = 160 * SECOND,
					 .strikes = 2,
					 .reason = -ETIMEDOUT};
	_free_ char *text = json(&key, &q, NULL);

	assert_string_equal(
		text,
		"{\"namespace\":\"shop\",\"pod\":\"web-0\",\"pod_id\":7,"
		"\"address\":\"fd00::2\",\"port\":80,\"peer\":\"[fd00::2]:80\","
		"\"state\":\"quarantined\","
		"\"since\":\"1970-01-01T00:17:20.000Z\","
		"\"until\":\"1970-01-01T00:19:20.000Z\",\"seconds_left\":60.0,"
		"\"strikes\":2,\"code\":\"etimedout\","
		"\"sentence\":\"the peer agreed to SMC and then said nothing; "
		"it is not offered SMC\",\"seen_by\":[]}");
}

/* One of the two has gone meanwhile: only its number is known. */
static void test_quarantine_json_of_the_node_says_who_saw_it(void **state)
{
	const struct smc_quarantine_key key = key_of(0, "10.1.0.2");
	const struct smc_quarantine q = {.state = SMC_QUARANTINE_STRUCK,
					 .until_ns = 90 * SECOND,
					 .pods = {7, 9}};
	_free_ char *text = json(&key, &q, NULL);

	assert_says(text, "{\"namespace\":\"\",\"pod\":\"\",\"pod_id\":0,");
	assert_says(text, "\"peer\":\"10.1.0.2:80\"");
	assert_says(text, "\"seconds_left\":0.0,");
	assert_says(text, "\"code\":\"none\"");
	assert_null(strstr(text, "\"since\""));
	assert_says(text, "\"seen_by\":[{\"namespace\":\"shop\","
			  "\"pod\":\"web-0\",\"pod_id\":7},"
			  "{\"namespace\":\"\",\"pod\":\"\",\"pod_id\":9}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_quarantine_state_has_words),
		cmocka_unit_test(test_quarantine_json_of_a_pod_is_whole),
		cmocka_unit_test(
			test_quarantine_json_of_the_node_says_who_saw_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
