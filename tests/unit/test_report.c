// SPDX-License-Identifier: Apache-2.0
/* Events on pods: what is said in them, how often, and what the log has of
 * those that do not arrive. */
#include "talk.h"

#include <fcntl.h>
#include "cluster/events.h"
#include "telemetry/labels.h"

#define EVENTS "POST /api/v1/namespaces/ns/events "
#define WAITING_MAX 64

static struct bench {
	struct talk t;
	struct report *report;
	struct pods pods;
	struct mesh_plan plan;
	int log, stderr_was; /* what is logged is read from the first */
} b;

static int up(void **state)
{
	int ends[2];

	memset(&b, 0, sizeof(b));
	talk_open(&b.t);
	b.report = report_new(&b.t.loop, b.t.client, 0);
	assert_non_null(b.report);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	b.stderr_was = dup(STDERR_FILENO);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	b.log = ends[0];
	return 0;
}

/* What was logged since the last time. */
static const char *logged(void)
{
	static char text[4096];
	ssize_t n = read(b.log, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int down(void **state)
{
	dup2(b.stderr_was, STDERR_FILENO);
	fputs(logged(), stderr); /* why it failed */
	close(b.stderr_was);
	close(b.log);
	report_close(b.report);
	pods_free(&b.pods);
	talk_close(&b.t);
	return 0;
}

/* The next Event says this, and is answered with this. */
static void take(const char *says, int status)
{
	struct fake_conn *c = fake_wait(&b.t.api, EVENTS);

	assert_true(fake_asks(c, says));
	fake_reply(c, status, "{}");
}

/* ---- the queue ----------------------------------------------------------- */

/* Return: does it wait? */
static bool say_of(const char *pod, enum report_topic topic,
		   const char *message, bool warning)
{
	return report_pod(b.report, topic,
			  &(struct kube_event){.ns = "ns",
					       .pod = pod,
					       .uid = pod,
					       .node = "n1",
					       .warning = warning,
					       .reason = "Reason",
					       .message = message,
					       .when = 1});
}

static void say(const char *pod)
{
	assert_true(say_of(pod, REPORT_LATE, "late", true));
}

/* @n of pods that are called so and have a number. Return: how many wait. */
static int say_many(const char *name, int n, bool warning)
{
	char pod[32];
	int wait = 0;

	for (int i = 0; i < n; i++) {
		snprintf(pod, sizeof(pod), "%s-%d", name, i);
		wait += say_of(pod, REPORT_ARMING, "text", warning);
	}
	return wait;
}

static void too_many_events_find_no_place(void **state)
{
	assert_int_equal(say_many("normal", 2 * WAITING_MAX, false),
			 WAITING_MAX / 2);
	assert_int_equal(say_many("warning", 2 * WAITING_MAX, true),
			 WAITING_MAX / 2);
	/* one that takes another's place */
	assert_true(say_of("normal-1", REPORT_ARMING, "newer", false));
	take("\"normal-0\"", 201);
	fake_wait(&b.t.api, EVENTS);
	assert_int_equal(say_many("more", 2, true), 1);
	assert_string_equal(logged(), "");
}

static void warnings_are_said_first(void **state)
{
	assert_int_equal(say_many("normal", 3, false), 3);
	assert_int_equal(say_many("warning", 2, true), 2);
	take("\"normal-0\"", 201); /* it was under way */
	take("\"warning-0\"", 201);
	take("\"warning-1\"", 201);
	take("\"normal-1\"", 201);
	take("\"normal-2\"", 201);
	assert_true(talk_is_quiet(&b.t));
}

static void newest_event_of_a_pod_and_topic_is_said(void **state)
{
	say("first");
	assert_true(say_of("p", REPORT_ARMING, "old", false));
	assert_true(say_of("p", REPORT_LATE, "other topic", false));
	assert_true(say_of("q", REPORT_ARMING, "other pod", false));
	assert_true(say_of("p", REPORT_ARMING, "newest", false));
	/* what is under way is said, and then what is newer */
	assert_true(say_of("first", REPORT_LATE, "newer", true));
	take("\"first\"", 201);
	take("\"newer\"", 201);
	take("\"newest\"", 201);
	take("\"other topic\"", 201);
	take("\"other pod\"", 201);
	assert_true(talk_is_quiet(&b.t));
}

static void dropped_event_is_not_said(void **state)
{
	say("first");
	assert_true(say_of("p", REPORT_ARMING, "gone", false));
	assert_true(say_of("p", REPORT_LATE, "stays", false));
	report_drop(b.report, REPORT_ARMING, "p");
	report_drop(b.report, REPORT_ARMING, "nobody");
	report_drop(b.report, REPORT_LATE, "first"); /* under way */
	take("\"first\"", 201);
	take("\"stays\"", 201);
	assert_true(talk_is_quiet(&b.t));
}

/* Of three the first comes at once, the others each later by this. */
static void events_come_one_after_a_while(void **state)
{
	const unsigned int between = 300;
	__u64 begin;

	report_close(b.report);
	b.report = report_new(&b.t.loop, b.t.client, between);
	uv_update_time(&b.t.loop);
	begin = uv_now(&b.t.loop);
	assert_int_equal(say_many("p", 3, false), 3);
	for (unsigned int i = 0; i < 3; i++) {
		fake_wait(&b.t.api, EVENTS);
		uv_update_time(&b.t.loop);
		assert_true(uv_now(&b.t.loop) - begin >= i * between);
		take("\"Reason\"", 201);
	}
	/* a pause begins with the last answer, also if nothing waited then */
	assert_true(talk_is_quiet(&b.t));
	begin = uv_now(&b.t.loop);
	say("late");
	fake_wait(&b.t.api, EVENTS);
	assert_true(uv_now(&b.t.loop) - begin >= between - 2 * QUIET_MS);
}

static void refused_events_are_said_until_it_is_over(void **state)
{
	for (int round = 0; round < 2; round++) {
		say("p1");
		take("\"p1\"", 403);
		assert_true(talk_is_quiet(&b.t));
		assert_says(logged(), "cannot create events in namespace ns");
		say("p2");
		take("\"p2\"", 403);
		say("p3");
		take("\"p3\"", 409); /* an agent before said so */
		say("p4");
		take("\"p4\"", 403);
		say("p5");
		take("\"p5\"", 201);
		assert_true(talk_is_quiet(&b.t));
		assert_string_equal(logged(), "");
	}
}

/* ---- what is said -------------------------------------------------------- */

/* One whose arming was told of. */
static struct pod *add(const char *name)
{
	struct pod *p =
		pods_put(&b.pods, &(struct mesh_pod){.uid = (char *)name,
						     .ns = (char *)"ns",
						     .name = (char *)name});

	assert_non_null(p);
	p->arming = POD_ARMED;
	p->told.flags = POD_TOLD_ARMED;
	return p;
}

static void listen_late(struct pod *p, unsigned int n)
{
	free(p->late);
	p->late = calloc(n, sizeof(*p->late));
	p->n_late = n;
	for (unsigned int i = 0; i < n; i++) {
		p->late[i].addr = addr(i % 2 ? "::" : "10.0.0.1");
		p->late[i].port = 80 + i;
	}
}

#define BEGIN 1000000 /* ms */

static void tell_at(__u64 ms)
{
	tell_pods(b.report, &b.pods, &b.plan, "n1", BEGIN + ms);
}

static void tell(void)
{
	tell_at(0);
}

/* ---- armed, or not ------------------------------------------------------- */

/* A pod that was never told of. */
static struct pod *add_unarmed(const char *name, enum smc_reason reason)
{
	struct pod *p = add(name);

	p->told.flags = 0;
	p->arming = POD_UNARMED;
	p->reason = reason;
	return p;
}

static void arm(struct pod *p)
{
	p->arming = POD_ARMED;
	p->reason = SMC_REASON_NONE;
	p->kernel.transports = SMC_TRANSPORT_SMCD;
}

static void disarm(struct pod *p, enum smc_reason reason)
{
	p->arming = POD_UNARMED;
	p->reason = reason;
}

static void
unarmed_pod_is_told_why_and_what_to_do_after_ten_seconds(void **state)
{
	struct pod *p = add_unarmed("p1", SMC_REASON_SELECTOR_FAILED);

	strcpy(p->facts.detail, "Operation not permitted");
	tell_at(0);
	tell_at(9999);
	assert_true(talk_is_quiet(&b.t));
	tell_at(10000);
	take("\"type\":\"Warning\",\"reason\":\"NotArmed\",\"message\":\"the selector could not be set in the namespace (Operation not permitted); the agent tries again each minute",
	     201);
	/* once for this reason, and once for another */
	tell_at(20000);
	assert_true(talk_is_quiet(&b.t));
	p->reason = SMC_REASON_NO_ADDRESS;
	tell_at(20000);
	tell_at(30000);
	take("none of the pod's addresses is in its namespace", 201);
	p->reason = SMC_REASON_SELECTOR_FAILED;
	tell_at(40000);
	assert_true(talk_is_quiet(&b.t));
}

static void annotation_not_understood_is_named_in_the_event(void **state)
{
	struct pod *p = add_unarmed("p1", SMC_REASON_BAD_ANNOTATION);

	p->problem = strdup("annotation a is maybe");
	tell_at(0);
	tell_at(10000);
	take("\"annotation a is maybe; correct the annotation: the sentence names the value",
	     201);
}

/* Each reason is told of, but of those whom nobody wants armed. */
static void each_reason_has_an_event_or_none(void **state)
{
	for (int r = 1; r < SMC_REASON_MAX; r++) {
		bool none = r == SMC_REASON_NOT_ANNOTATED ||
			    r == SMC_REASON_MESH_OFF ||
			    r == SMC_REASON_POD_ENDED;
		struct pod *p;

		if (!reason_known(r))
			continue;
		p = add_unarmed(reason_label(r), r);
		pod_set(p, POD_RUNNING, true);
		tell_at(0);
		tell_at(10000);
		if (!none)
			take(reason_remedy(r), 201);
		pods_free(&b.pods);
	}
	assert_true(talk_is_quiet(&b.t));
}

/* kubelet may take minutes to begin with a pod, which is no trouble of ours. */
static void pod_that_has_not_started_has_time(void **state)
{
	struct pod *p = add_unarmed("p1", SMC_REASON_NO_NETNS);

	tell_at(0);
	tell_at(60000);
	assert_true(talk_is_quiet(&b.t));
	pod_set(p, POD_RUNNING, true);
	tell_at(60000);
	tell_at(69999);
	assert_true(talk_is_quiet(&b.t));
	tell_at(70000);
	take("network namespace was not found", 201);
}

static void armed_pod_is_told_once(void **state)
{
	struct pod *p = add_unarmed("p1", SMC_REASON_NO_NETNS);

	tell_at(0);
	arm(p);
	tell_at(1000);
	tell_at(2000);
	take("\"type\":\"Normal\",\"reason\":\"Armed\",\"message\":\"new sockets become SMC sockets, transports=smcd\"",
	     201);
	/* a moment without a row is nothing to tell */
	disarm(p, SMC_REASON_NO_NETNS);
	tell_at(3000);
	arm(p);
	tell_at(9000);
	assert_true(talk_is_quiet(&b.t));
}

static void what_changes_is_told_again(void **state)
{
	struct pod *p = add_unarmed("p1", SMC_REASON_NO_ADDRESS);

	for (int round = 0; round < 2; round++) {
		disarm(p, SMC_REASON_NO_ADDRESS);
		tell_at(0);
		tell_at(10000);
		take("\"NotArmed\"", 201);
		arm(p);
		tell_at(11000);
		take("\"Armed\"", 201);
	}
	/* and where somebody took the annotation away and put it back */
	disarm(p, SMC_REASON_NOT_ANNOTATED);
	tell_at(20000);
	arm(p);
	tell_at(21000);
	take("\"Armed\"", 201);
	assert_true(talk_is_quiet(&b.t));
}

/* The agent before has told that it is armed. */
static void pod_that_was_found_armed_is_not_told(void **state)
{
	struct pod *p = add_unarmed("p1", SMC_REASON_NONE);

	arm(p);
	pod_set(p, POD_ADOPTED, true);
	tell_at(0);
	tell_at(60000);
	assert_true(talk_is_quiet(&b.t));
	/* control: this agent arms it again */
	disarm(p, SMC_REASON_NO_TRANSPORT);
	tell_at(61000);
	tell_at(71000);
	take("\"NotArmed\"", 201);
	arm(p);
	tell_at(72000);
	take("\"Armed\"", 201);
	/* what was armed before, and is not when this agent begins, too */
	p = add_unarmed("p2", SMC_REASON_NO_TRANSPORT);
	pod_set(p, POD_ADOPTED, true);
	tell_at(73000);
	arm(p);
	tell_at(74000);
	take("\"Armed\"", 201);
}

/* The name of the next Event. */
static char *take_name(void)
{
	struct fake_conn *c = fake_wait(&b.t.api, EVENTS);
	const char *at = strstr(c->in.data, "smcmesh.");
	char *name;

	assert_non_null(at);
	name = strndup(at, strcspn(at, "\""));
	fake_reply(c, 201, "{}");
	return name;
}

/* Why a pod could never be armed an agent after a restart says under the name
 * that the server has already; what came after that it says under a new one. */
static void restarted_agent_repeats_the_name_of_an_event(void **state)
{
	char *names[3];
	struct pod *p;

	for (int life = 0; life < 3; life++) {
		pods_free(&b.pods);
		p = add_unarmed("p1", SMC_REASON_NO_ADDRESS);
		if (life == 2) {
			pod_set(p, POD_ADOPTED, true);
			arm(p);
			tell_at(0);
			disarm(p, SMC_REASON_NO_ADDRESS);
		}
		tell_at(1000);
		tell_at(11000);
		names[life] = take_name();
	}
	assert_string_equal(names[0], names[1]);
	assert_string_not_equal(names[0], names[2]);
	for (int i = 0; i < 3; i++)
		free(names[i]);
}

static void event_waiting_for_a_pod_nobody_wants_armed_is_dropped(void **state)
{
	struct pod *p = add_unarmed("p1", SMC_REASON_NO_ADDRESS);

	say("first");
	tell_at(0);
	arm(p);
	tell_at(1000);
	disarm(p, SMC_REASON_MESH_OFF);
	tell_at(2000);
	take("\"first\"", 201);
	assert_true(talk_is_quiet(&b.t));
	arm(p);
	tell_at(3000);
	take("\"Armed\"", 201);
}

/* The queue is full: they come again, and none is forgotten. */
static void events_without_a_place_are_told_later(void **state)
{
	const int n = 2 * WAITING_MAX;
	char name[16];
	int took = 0;

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		add_unarmed(name, SMC_REASON_NO_ADDRESS);
	}
	tell_at(0);
	tell_at(10000);
	while (took < n) {
		take("\"NotArmed\"", 201);
		if (++took % 10 == 0)
			tell_at(10000);
	}
	assert_true(talk_is_quiet(&b.t));
	for (size_t i = 0; i < b.pods.n; i++)
		assert_true(b.pods.v[i]->told.reasons);
}

/* ---- the other troubles ---------------------------------------------------
 */

static void late_listeners_are_named_once_in_an_event(void **state)
{
	struct pod *p = add("p1");

	tell();
	assert_true(talk_is_quiet(&b.t));
	listen_late(p, 2);
	tell();
	tell();
	take("TCP for good: 10.0.0.1:80, [::]:81; restart the pod", 201);
	assert_true(talk_is_quiet(&b.t)); /* once */
	p->arming = POD_UNARMED;
	tell();
	p->arming = POD_ARMED;
	listen_late(p, 11);
	tell();
	take("10.0.0.1:86, [::]:87 and 3 more; restart the pod", 201);
	assert_true(talk_is_quiet(&b.t));
}

static void both_who_claim_an_address_are_told(void **state)
{
	struct plan_conflict conflict = {
		.addr = addr("10.0.0.1"),
		.by = {{"n1", "ns", "p1", "p1"}, {"n2", "ns", "p2", "p2"}},
	};

	add("p1");
	b.plan.conflicts = &conflict;
	b.plan.n_conflicts = 1;
	tell();
	tell();
	take("pod ns/p2 on node n2, created at the same time, claims the "
	     "address 10.0.0.1 too",
	     201);
	assert_true(talk_is_quiet(&b.t)); /* p2 is told by its own node */
	b.plan.n_conflicts = 0;
	tell();
	add("p2");
	b.plan.n_conflicts = 1;
	tell();
	take("pod ns/p2 on node n2", 201);
	take("pod ns/p1 on node n1", 201);
	assert_true(talk_is_quiet(&b.t));
}

/* The rules let pass whom two containers are: said once, and only of rules. */
static void shared_owners_are_named(void **state)
{
	struct mesh_container c[] = {{(char *)"app", 7, 7},
				     {(char *)"proxy", 7, SMC_ID_ANY}};
	const struct mesh_pod said = {
		.uid = (char *)"p1", .containers = c, .n_containers = 2};
	struct plan_pod row = {.pod = &said};
	struct pod *p = add("p1");

	b.plan.pods = &row;
	b.plan.n_pods = 1;
	p->facts.sidecar = (struct sidecar_found){
		.sidecar = true,
		.by_hint = true,
		.n_owners = 1,
		.owners = {{.uid = 7, .gid = SMC_ID_ANY}}};
	tell();
	assert_true(talk_is_quiet(&b.t));
	p->facts.sidecar.by_hint = false;
	tell();
	tell();
	take("the containers app and proxy are both whom the sidecar's redirect lets pass (UID 7)",
	     201);
	assert_true(talk_is_quiet(&b.t)); /* once */
	c[0].uid = 8;
	tell();
	assert_true(talk_is_quiet(&b.t));
	c[0].uid = 7;
	tell();
	take("\"SharedOwner\"", 201);
}

#define test(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(too_many_events_find_no_place),
		test(warnings_are_said_first),
		test(newest_event_of_a_pod_and_topic_is_said),
		test(dropped_event_is_not_said),
		test(events_come_one_after_a_while),
		test(refused_events_are_said_until_it_is_over),
		test(unarmed_pod_is_told_why_and_what_to_do_after_ten_seconds),
		test(annotation_not_understood_is_named_in_the_event),
		test(each_reason_has_an_event_or_none),
		test(pod_that_has_not_started_has_time),
		test(armed_pod_is_told_once),
		test(what_changes_is_told_again),
		test(pod_that_was_found_armed_is_not_told),
		test(restarted_agent_repeats_the_name_of_an_event),
		test(event_waiting_for_a_pod_nobody_wants_armed_is_dropped),
		test(events_without_a_place_are_told_later),
		test(late_listeners_are_named_once_in_an_event),
		test(both_who_claim_an_address_are_told),
		test(shared_owners_are_named),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
