// SPDX-License-Identifier: Apache-2.0
/* At which step a pod stands still, who is behind a Service's address, and the
 * words that `smcmesh explain` knows. */
#include "casts.h"

#include "mesh/backends.h"
#include "mesh/explain.h"
#include "telemetry/fallback.h"
#include "telemetry/labels.h"

/* ---- steps --------------------------------------------------------------- */

static struct explain_facts armed(void)
{
	return (struct explain_facts){
		.known = true, .mesh_on = true, .lease = true};
}

static void assert_at(const struct explain_facts *f, enum explain_step step,
		      enum smc_reason reason)
{
	const struct explain_at at = explain_pod(f);

	assert_int_equal(at.failed, step);
	assert_int_equal(at.reason, reason);
}

static void armed_pod_has_no_step_that_failed(void **state)
{
	const struct explain_facts f = armed();

	assert_at(&f, EXPLAIN_STEP_MAX, SMC_REASON_NONE);
}

static void unknown_pod_fails_at_the_first_step_whatever_else(void **state)
{
	struct explain_facts f = {.reason = SMC_REASON_NO_NETNS};

	assert_at(&f, EXPLAIN_KNOWN, SMC_REASON_NONE);
}

/* Each by itself. */
static void each_fact_stops_at_its_step(void **state)
{
	struct explain_facts f = armed();

	f.reason = SMC_REASON_NOT_ANNOTATED;
	assert_at(&f, EXPLAIN_ANNOTATED, SMC_REASON_NOT_ANNOTATED);
	f = armed();
	f.mesh_on = false;
	assert_at(&f, EXPLAIN_MESH, SMC_REASON_MESH_OFF);
	f.no_room = true;
	assert_at(&f, EXPLAIN_MESH, SMC_REASON_NONE);
	f = armed();
	f.look = SMC_REASON_FOREIGN_SELECTOR;
	assert_at(&f, EXPLAIN_LOOK, SMC_REASON_FOREIGN_SELECTOR);
	f = armed();
	f.lease = false;
	assert_at(&f, EXPLAIN_LEASE, SMC_REASON_AGENT_SILENT);
	f = armed();
	f.unpublished = true;
	assert_at(&f, EXPLAIN_PUBLISHED, SMC_REASON_NONE);
	f = armed();
	f.ration = SMC_REASON_RATIONED;
	assert_at(&f, EXPLAIN_RATION, SMC_REASON_RATIONED);
}

/* What was read just now comes before what the agent knew, if it is earlier. */
static void the_earliest_step_that_failed_counts(void **state)
{
	struct explain_facts f = armed();

	f.reason = SMC_REASON_REFUSED;
	f.look = SMC_REASON_SELECTOR_FAILED;
	f.ration = SMC_REASON_BUDGET;
	f.unpublished = true;
	assert_at(&f, EXPLAIN_LOOK, SMC_REASON_SELECTOR_FAILED);
	f.look = SMC_REASON_NONE;
	assert_at(&f, EXPLAIN_ROW, SMC_REASON_REFUSED);
	f.reason = SMC_REASON_NO_CONVERTER;
	assert_at(&f, EXPLAIN_CAPABLE, SMC_REASON_NO_CONVERTER);
}

static void every_reason_of_pods_stops_at_a_step(void **state)
{
	for (__u32 r = SMC_REASON_POD; r < SMC_REASON_MAX; r++)
		if (explain_step_of(r) == EXPLAIN_STEP_MAX)
			fail_msg("%s stops at no step", reason_label(r));
	assert_int_equal(explain_step_of(SMC_REASON_NONE), EXPLAIN_STEP_MAX);
	assert_int_equal(explain_step_of(SMC_REASON_NOT_ENDPOINT),
			 EXPLAIN_STEP_MAX);
	assert_int_equal(explain_step_of(SMC_REASON_MAX), EXPLAIN_STEP_MAX);
}

/* A step that can fail without a reason has its own words. */
static void steps_without_a_reason_say_why_themselves(void **state)
{
	static const enum explain_step own[] = {EXPLAIN_KNOWN, EXPLAIN_MESH,
						EXPLAIN_PUBLISHED};

	for (size_t i = 0; i < array_size(own); i++) {
		assert_true(*explain_step_sentence(own[i]));
		assert_true(remedy_helps(explain_step_remedy(own[i])));
	}
	assert_string_equal(explain_step_label(EXPLAIN_STEP_MAX), "");
	assert_string_equal(explain_step_label(EXPLAIN_KNOWN), "known");
}

/* ---- backends ------------------------------------------------------------ */

static struct backends behind(const struct cast *c, const char *ip, __u16 port)
{
	const struct smc_addr a = addr(ip);
	const struct smc_addr_port at = addr_port(&a, port);
	struct backends b = {};

	assert_int_equal(backends_of(&c->s->world, &at, &b), 0);
	return b;
}

static void assert_found(const struct cast *c, const char *ip, __u16 port,
			 enum backends_found found, size_t n)
{
	struct backends b = behind(c, ip, port);

	assert_int_equal(b.found, found);
	assert_int_equal(b.n, n);
	assert_int_equal(b.service != NULL, found != BACKENDS_NO_SERVICE);
	backends_free(&b);
}

static void backends_of_every_slice_are_found_once(void **state)
{
	struct cast *c = *state;
	char text[ADDR_PORT_STRLEN];
	struct backends b;

	SERVICE(c, "web", VIP);
	assert_found(c, VIP, 80, BACKENDS_NONE, 0);
	SLICE(c, "web", "10.1.0.2", "10.1.0.1", "fd00::1");
	SLICE(c, "web", "10.1.0.1", "10.2.0.1");
	SLICE(c, "other", "10.3.0.1");
	b = behind(c, VIP, 80);
	assert_int_equal(b.found, BACKENDS_SOME);
	assert_int_equal(b.n, 3);
	assert_string_equal(b.service->name, "web");
	assert_string_equal(addr_port_format(&b.v[0], text), "10.1.0.1:8080");
	backends_free(&b);
	assert_found(c, VIP, 81, BACKENDS_NO_PORT, 0);
	assert_found(c, "10.1.0.1", 8080, BACKENDS_NO_SERVICE, 0);
}

static void external_address_has_a_remedy_of_its_own(void **state)
{
	struct smc_addr outside = addr("192.0.2.7");
	struct cast *c = *state;

	SERVICE(c, "web", VIP);
	c->services[0].externals = (struct mesh_addrs){&outside, 1};
	assert_found(c, "192.0.2.7", 80, BACKENDS_EXTERNAL, 0);
	assert_false(remedy_helps(backends_remedy(BACKENDS_EXTERNAL)));
	assert_false(remedy_helps(backends_remedy(BACKENDS_NO_PORT)));
	assert_true(remedy_helps(backends_remedy(BACKENDS_NONE)));
	assert_string_equal(backends_remedy(BACKENDS_SOME), "");
	c->services[0].externals = (struct mesh_addrs){};
}

/* ---- words --------------------------------------------------------------- */

static void every_reason_is_found_by_its_label(void **state)
{
	__u32 found;

	for (__u32 r = 0; r < SMC_REASON_MAX; r++) {
		if (!reason_known(r))
			continue;
		found = SMC_REASON_MAX;
		assert_true(reason_find(reason_label(r), &found));
		assert_int_equal(found, r);
		assert_true(*reason_remedy(r));
	}
	assert_false(reason_find("unknown", &found));
	assert_false(reason_find("", &found));
}

/* And no label is both a reason's and a code's: explain takes either. */
static void every_code_is_found_by_its_label(void **state)
{
	static const __u32 codes[] = {
#define CODE(id, code, label, sentence, remedy) code,
		FALLBACKS(CODE)
#undef CODE
			- ETIMEDOUT,
		-EPROTO,
		-ECONNRESET,
		-EAGAIN,
	};
	char label[FALLBACK_LABEL_MAX];
	__u32 found;

	for (size_t i = 0; i < array_size(codes); i++) {
		fallback_label(codes[i], label);
		if (reason_find(label, &found))
			fail_msg("%s is a reason, too", label);
		assert_true(fallback_find(label, &found));
		assert_int_equal(found, codes[i]);
		assert_true(fallback_known(codes[i]));
		assert_true(*fallback_remedy(codes[i]));
	}
	assert_false(fallback_find("other", &found));
	assert_false(fallback_known(0));
	assert_false(fallback_known(0x03031234));
	assert_false(fallback_known(-EPERM));
}

static void remedy_that_begins_with_nothing_does_not_help(void **state)
{
	assert_false(remedy_helps(reason_remedy(SMC_REASON_LOOPBACK)));
	assert_false(remedy_helps(fallback_remedy(0x03030003)));
	assert_false(remedy_helps(""));
	assert_true(remedy_helps(reason_remedy(SMC_REASON_NOT_ENDPOINT)));
	assert_true(remedy_helps("nothingness is no nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(armed_pod_has_no_step_that_failed),
		cmocka_unit_test(
			unknown_pod_fails_at_the_first_step_whatever_else),
		cmocka_unit_test(each_fact_stops_at_its_step),
		cmocka_unit_test(the_earliest_step_that_failed_counts),
		cmocka_unit_test(every_reason_of_pods_stops_at_a_step),
		cmocka_unit_test(steps_without_a_reason_say_why_themselves),
		test(backends_of_every_slice_are_found_once),
		test(external_address_has_a_remedy_of_its_own),
		cmocka_unit_test(every_reason_is_found_by_its_label),
		cmocka_unit_test(every_code_is_found_by_its_label),
		cmocka_unit_test(remedy_that_begins_with_nothing_does_not_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
