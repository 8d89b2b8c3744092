// SPDX-License-Identifier: Apache-2.0
/* Events on pods: what is said in them, how often, and what the log has of
 * those that do not arrive. */
#include "talk.h"

#include <fcntl.h>
#include "cluster/events.h"

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
	b.report = report_new(&b.t.loop, b.t.client);
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

static void say(const char *pod)
{
	report_pod(b.report, &(struct kube_event){.ns = "ns",
						  .pod = pod,
						  .uid = "u",
						  .node = "n1",
						  .warning = true,
						  .reason = "LateListener",
						  .message = "late",
						  .when = 1});
}

static void say_too_much(void)
{
	for (int i = 0; i < WAITING_MAX; i++)
		say("p");
	assert_string_equal(logged(), "");
	say("dropped");
	assert_says(logged(), "further ones are dropped");
	say("dropped");
	assert_string_equal(logged(), "");
}

static void dropped_events_are_said_until_it_is_over(void **state)
{
	for (int round = 0; round < 2; round++) {
		say_too_much();
		for (int i = 0; i < WAITING_MAX - 1; i++)
			take("\"p\"", 201);
		/* One is still waited for: it is not over. */
		fake_wait(&b.t.api, EVENTS);
		for (int i = 0; i < WAITING_MAX; i++)
			say("p");
		assert_string_equal(logged(), "");
		for (int i = 0; i < WAITING_MAX; i++)
			take("\"p\"", 201);
		assert_true(talk_is_quiet(&b.t));
	}
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

static struct pod *add(const char *name)
{
	struct pod *p =
		pods_put(&b.pods, &(struct mesh_pod){.uid = (char *)name,
						     .ns = (char *)"ns",
						     .name = (char *)name});

	assert_non_null(p);
	p->arming = POD_ARMED;
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

static void tell(void)
{
	tell_pods(b.report, &b.pods, &b.plan, "n1");
}

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
		test(dropped_events_are_said_until_it_is_over),
		test(refused_events_are_said_until_it_is_over),
		test(late_listeners_are_named_once_in_an_event),
		test(both_who_claim_an_address_are_told),
		test(shared_owners_are_named),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
