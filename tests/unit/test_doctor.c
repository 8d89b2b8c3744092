// SPDX-License-Identifier: Apache-2.0
/* user/doctor: the table of checks, each on made-up facts with its control, and
 * the conclusion. What asks this machine itself has no test here. */
#include "unit.h"

#include "doctor/checks.h"
#include "doctor/method_list.h"

static struct doctor d;

static void all_features(enum feature_state state)
{
	for (int f = 0; f < FEATURE_MAX; f++)
		d.features.v[f].state = state;
}

static int fresh(void **state)
{
	d = (struct doctor){.proc = "/proc", .ueids.n = 1};
	all_features(FEATURE_PRESENT);
	return 0;
}

static const struct doctor_check *check(const char *name)
{
	const struct doctor_check *c = doctor_checks;

	while (c->name && strcmp(c->name, name))
		c++;
	if (!c->name)
		fail_msg("no check %s", name);
	return c;
}

static bool is_said(const char *name)
{
	_buf_ struct buf out = {};
	bool said = doctor_ask(check(name), &d, &out);

	assert_int_equal(said, out.len > 0);
	return said;
}

static void assert_said(const char *name, const char *text)
{
	_buf_ struct buf out = {};

	assert_true(doctor_ask(check(name), &d, &out));
	assert_string_equal(out.data, text);
}

/* ---- the table ---- */

static void rows_have_names_and_whole_sentences(void **state)
{
	size_t n = 0;

	for (const struct doctor_check *c = doctor_checks; c->name; c++, n++) {
		const char *gap = strstr(c->sentence, "{}");

		if (check(c->name) != c)
			fail_msg("two checks %s", c->name);
		assert_null(gap ? strstr(gap + 2, "{}") : NULL);
		assert_true(strchr(".:", c->sentence[strlen(c->sentence) - 1]));
		if (c->repair)
			assert_int_equal(c->repair[strlen(c->repair) - 1], '.');
		/* what is always so is a fact of some kernels alone */
		assert_true(c->probe || c->needs);
	}
	assert_int_equal(n, 11);
}

/* ---- asking ---- */

static void without_what_a_check_needs_it_is_not_asked(void **state)
{
	d.ueids.n = 0;
	assert_true(is_said("no-ueid"));
	assert_true(is_said("signal-during-connect"));
	for (int s = FEATURE_UNKNOWN; s <= FEATURE_MISSING; s++) {
		d.features.v[FEATURE_IPPROTO_SMC].state = s;
		for (const struct doctor_check *c = doctor_checks; c->name; c++)
			if (c->needs)
				assert_false(is_said(c->name));
	}
}

static void a_kernel_without_a_ueid_is_told_so(void **state)
{
	assert_false(is_said("no-ueid"));
	d.ueids.n = 0;
	assert_said("no-ueid",
		    "The kernel has no UEID: on x86 every SMC handshake falls "
		    "back to TCP without one. The agent adds the configured "
		    "one when it runs.");
}

static void a_hook_that_is_missing_is_told(void **state)
{
	static const struct {
		enum feature feature;
		const char *name;
	} hooks[] = {{FEATURE_LSM_CONNECT, "second-connect"},
		     {FEATURE_SMC_COUNT, "not-rationed"},
		     {FEATURE_LSM_REQUEST, "busy-listener"}};

	for (size_t i = 0; i < 3; i++) {
		assert_false(is_said(hooks[i].name));
		d.features.v[hooks[i].feature].state = FEATURE_UNKNOWN;
		assert_true(is_said(hooks[i].name));
		for (size_t j = i + 1; j < 3; j++)
			assert_false(is_said(hooks[j].name));
	}
}

static void without_maps_the_agent_is_not_called_silent(void **state)
{
	assert_false(is_said("agent-silent"));
}

static void without_an_rdma_device_no_path_is_missed(void **state)
{
	assert_false(is_said("no-path-probes"));
}

static bool finds(const struct doctor *unused, struct buf *what)
{
	buf_printf(what, "a device");
	return true;
}

static void what_was_found_stands_in_the_sentence(void **state)
{
	struct doctor_check c = {"x", NULL, finds, "It has {}, alas.", "Wait."};
	_buf_ struct buf out = {};

	assert_true(doctor_ask(&c, &d, &out));
	assert_string_equal(out.data, "It has a device, alas. Wait.");
	buf_drop(&out, out.len);
	c.sentence = "It has.";
	c.repair = NULL;
	assert_true(doctor_ask(&c, &d, &out));
	assert_string_equal(out.data, "It has.");
}

/* ---- the conclusion ---- */

static void conclusion_follows_from_features_and_devices(void **state)
{
	assert_says(doctor_conclusion(&d), "This node can make");
	d.features.v[FEATURE_LOOPBACK].state = FEATURE_MISSING;
	assert_says(doctor_conclusion(&d), "neither shared memory nor");
	d.n_rdma = 2;
	assert_says(doctor_conclusion(&d), "neither shared memory nor");
	d.rdma[1].active = true;
	assert_says(doctor_conclusion(&d), "This node can make");
	d.features.v[FEATURE_SOCKPROTO].state = FEATURE_UNKNOWN;
	assert_says(doctor_conclusion(&d), "refuses to be tried");
	d.features.v[FEATURE_CAPABILITIES].state = FEATURE_MISSING;
	assert_says(doctor_conclusion(&d), "run it as root");
	d.features.v[FEATURE_HS_CTRL].state = FEATURE_MISSING;
	assert_says(doctor_conclusion(&d), "This node cannot");
}

static void recorder_is_the_first_that_can_be_had(void **state)
{
	assert_string_equal(doctor_recorder(&d), "smc");
	d.features.v[FEATURE_SMC_TRACE].state = FEATURE_MISSING;
	assert_string_equal(doctor_recorder(&d), "sockops");
	d.features.v[FEATURE_CGROUP2].state = FEATURE_MISSING;
	assert_string_equal(doctor_recorder(&d), "none");
}

/* ---- the list of converters, selectors and recorders ---- */

static char *list_text(void)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	char *text;

	yyjson_mut_doc_set_root(doc, method_list_json(doc, &d.features));
	text = yyjson_mut_write(doc, 0, NULL);
	yyjson_mut_doc_free(doc);
	assert_non_null(text);
	return text;
}

static void list_says_what_each_lacks_and_cannot_do(void **state)
{
	static const char *const rows[] = {
		"{\"kind\":\"converter\",\"name\":\"sockproto\",\"possible\":"
		"false,\"cannot\":\"sockets made by io_uring stay TCP\","
		"\"lacks\":[\"sockproto\"]}",
		"{\"kind\":\"selector\",\"name\":\"hs_ctrl\",\"possible\":true,"
		"\"cannot\":\"\",\"lacks\":[]}"};
	char *text;

	text = list_text();
	assert_null(strstr(text, rows[0]));
	assert_says(text, rows[1]);
	free(text);
	d.features.v[FEATURE_SOCKPROTO].state = FEATURE_UNKNOWN;
	text = list_text();
	assert_says(text, rows[0]);
	assert_says(text, rows[1]);
	free(text);
}

#define test(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(rows_have_names_and_whole_sentences),
		test(without_what_a_check_needs_it_is_not_asked),
		test(a_kernel_without_a_ueid_is_told_so),
		test(a_hook_that_is_missing_is_told),
		test(without_maps_the_agent_is_not_called_silent),
		test(without_an_rdma_device_no_path_is_missed),
		test(what_was_found_stands_in_the_sentence),
		test(conclusion_follows_from_features_and_devices),
		test(recorder_is_the_first_that_can_be_had),
		test(list_says_what_each_lacks_and_cannot_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
