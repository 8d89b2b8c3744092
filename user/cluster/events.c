// SPDX-License-Identifier: Apache-2.0
#include "cluster/events.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/fault.h"
#include "mesh/owners.h"
#include "pods/sentence.h"
#include "telemetry/labels.h"

#define LATE_NAMED 8
#define UNARMED_MS 10000 /* so long a pod may take to be armed */

/* To whom it is told, and of which node. */
struct teller {
	struct report *report;
	const char *node;
	__u64 now; /* uv_now() */
};

static bool is_told(const struct pod *p, enum pod_told_flag event)
{
	return p->told.flags & event;
}

static void note(struct pod *p, enum pod_told_flag event, bool told)
{
	if (told)
		p->told.flags |= event;
	else
		p->told.flags &= ~event;
}

/* Fill in what all Events have. Return: does it wait for its turn now? */
static bool tell(const struct teller *t, const struct pod *p,
		 enum report_topic topic, struct kube_event e)
{
	e.ns = p->ns;
	e.pod = p->name;
	e.uid = p->uid;
	e.node = t->node;
	e.when = time(NULL);
	return report_pod(t->report, topic, &e);
}

/* The agent makes each warning once, until the trouble of which it tells is
 * over. One that finds no place is told at the next call. */
static void warn(const struct teller *t, struct pod *p, enum report_topic topic,
		 enum pod_told_flag flag, const char *reason,
		 const char *message)
{
	note(p, flag,
	     tell(t, p, topic,
		  (struct kube_event){.warning = true,
				      .reason = reason,
				      .message = message}));
}

static void is_over(const struct teller *t, struct pod *p,
		    enum report_topic topic, enum pod_told_flag flag)
{
	if (is_told(p, flag))
		report_drop(t->report, topic, p->uid);
	note(p, flag, false);
}

/* ---- armed, or not ------------------------------------------------------- */

/* The bit of @reason in told.reasons. */
static __u64 bit_of(enum smc_reason reason)
{
	_Static_assert(SMC_REASON_FLOW_MAX + SMC_REASON_MAX - SMC_REASON_POD <=
			       64,
		       "a bit for each reason");
	return 1ULL << (reason < SMC_REASON_POD ? reason
						: SMC_REASON_FLOW_MAX + reason -
							  SMC_REASON_POD);
}

static bool is_wanted_armed(const struct pod *p)
{
	return p->reason != SMC_REASON_NOT_ANNOTATED &&
	       p->reason != SMC_REASON_MESH_OFF &&
	       p->reason != SMC_REASON_POD_ENDED;
}

/* While kubelet makes its sandbox there is nothing that could be armed. */
static bool has_started(const struct pod *p)
{
	return p->reason != SMC_REASON_NO_NETNS || pod_is(p, POD_RUNNING);
}

/* An agent before this one has armed it, and this one found it so. */
static bool found_armed(const struct pod *p)
{
	return pod_is(p, POD_ADOPTED) && !is_told(p, POD_TOLD_ANEW) &&
	       !p->told.unarmed_since;
}

static void tell_armed(const struct teller *t, struct pod *p)
{
	char how[TRANSPORTS_STRLEN];
	_buf_ struct buf text = {};
	bool told = is_told(p, POD_TOLD_ARMED) || found_armed(p);

	note(p, POD_TOLD_ANEW, true);
	p->told.unarmed_since = p->told.reasons = 0;
	if (!told) {
		pod_sentence(p, SMC_REASON_NONE, &text);
		buf_printf(&text, ", transports=%s",
			   transports_format(p->kernel.transports, how));
		told = !text.err &&
		       tell(t, p, REPORT_ARMING,
			    (struct kube_event){.reason = "Armed",
						.message = text.data,
						.anew = true});
	}
	note(p, POD_TOLD_ARMED, told);
}

static void tell_unarmed(const struct teller *t, struct pod *p)
{
	_buf_ struct buf text = {};

	if (!p->told.unarmed_since || !has_started(p))
		p->told.unarmed_since = t->now;
	if (t->now - p->told.unarmed_since < fault_ms(UNARMED_MS) ||
	    p->told.reasons & bit_of(p->reason))
		return;
	pod_sentence(p, p->reason, &text);
	buf_printf(&text, "; %s", reason_remedy(p->reason));
	if (text.err ||
	    !tell(t, p, REPORT_ARMING,
		  (struct kube_event){.warning = true,
				      .reason = "NotArmed",
				      .message = text.data,
				      .anew = is_told(p, POD_TOLD_ANEW)}))
		return;
	p->told.reasons |= bit_of(p->reason);
	note(p, POD_TOLD_ARMED, false);
}

static void tell_arming(const struct teller *t, struct pod *p)
{
	if (pod_armed(p)) {
		tell_armed(t, p);
	} else if (is_wanted_armed(p)) {
		tell_unarmed(t, p);
	} else {
		report_drop(t->report, REPORT_ARMING, p->uid);
		note(p, POD_TOLD_ARMED, false);
		note(p, POD_TOLD_ANEW, true);
		p->told.unarmed_since = p->told.reasons = 0;
	}
}

/* ---- late listeners ------------------------------------------------------ */

static void name_late(const struct pod *p, struct buf *text)
{
	char where[ADDR_PORT_STRLEN];

	buf_printf(text, "opened before the pod was armed, and TCP for good:");
	for (unsigned int i = 0; i < p->n_late && i < LATE_NAMED; i++) {
		const struct smc_addr_port at =
			addr_port(&p->late[i].addr, p->late[i].port);

		buf_printf(text, "%s %s", i ? "," : "",
			   addr_port_format(&at, where));
	}
	if (p->n_late > LATE_NAMED)
		buf_printf(text, " and %u more", p->n_late - LATE_NAMED);
	buf_printf(text, "; restart the pod to accelerate it");
}

static void tell_late(const struct teller *t, struct pod *p)
{
	_buf_ struct buf text = {};

	if (!pod_armed(p) || !p->n_late) {
		is_over(t, p, REPORT_LATE, POD_TOLD_LATE);
		return;
	}
	if (is_told(p, POD_TOLD_LATE))
		return;
	name_late(p, &text);
	if (!text.err)
		warn(t, p, REPORT_LATE, POD_TOLD_LATE, "LateListener",
		     text.data);
}

/* ---- addresses that two pods claim --------------------------------------- */

static bool in_conflict(const struct mesh_plan *plan, const char *uid)
{
	for (size_t i = 0; i < plan->n_conflicts; i++)
		for (int k = 0; k < 2; k++)
			if (!strcmp(plan->conflicts[i].by[k].uid, uid))
				return true;
	return false;
}

static void tell_conflict(const struct teller *t, struct pod *p,
			  const struct plan_claimant *other,
			  const struct smc_addr *addr)
{
	char at[ADDR_STRLEN], text[1024];

	snprintf(
		text, sizeof(text),
		"pod %s/%s on node %s, created at the same time, claims the address %s too: neither is accelerated there",
		other->ns, other->pod, other->node, addr_format(addr, at));
	warn(t, p, REPORT_CONFLICT, POD_TOLD_CONFLICT, "AddressConflict", text);
}

static void tell_both(const struct teller *t, struct pods *pods,
		      const struct plan_conflict *row)
{
	for (int i = 0; i < 2; i++) {
		struct pod *p = pods_find(pods, row->by[i].uid);

		if (p && !is_told(p, POD_TOLD_CONFLICT))
			tell_conflict(t, p, &row->by[!i], &row->addr);
	}
}

/* ---- containers that the sidecar's rules do not tell apart ----------------
 */

static void tell_shared(const struct teller *t, struct pod *p,
			const struct mesh_pod *said)
{
	const struct sidecar_found *s = &p->facts.sidecar;
	const char *one, *other;
	char text[1024], owner[OWNER_STRLEN];

	if (!pod_armed(p) || !s->sidecar || s->by_hint ||
	    !owners_shared(s->owners, s->n_owners, said, &one, &other)) {
		is_over(t, p, REPORT_SHARED, POD_TOLD_SHARED);
		return;
	}
	if (is_told(p, POD_TOLD_SHARED))
		return;
	snprintf(
		text, sizeof(text),
		"the containers %s and %s are both whom the sidecar's redirect lets pass (%s): what either opens goes round the proxy, and is accelerated; give one of them another user",
		one, other, owner_format(&s->owners[0], owner));
	warn(t, p, REPORT_SHARED, POD_TOLD_SHARED, "SharedOwner", text);
}

/* ---- together ------------------------------------------------------------ */

void tell_pods(struct report *r, struct pods *pods,
	       const struct mesh_plan *plan, const char *node, __u64 now)
{
	const struct teller t = {.report = r, .node = node, .now = now};

	for (size_t i = 0; i < pods->n; i++) {
		struct pod *p = pods->v[i];

		/* The API server knows no such pod. */
		if (p->cgroup_path)
			continue;
		tell_arming(&t, p);
		tell_late(&t, p);
		if (!in_conflict(plan, p->uid))
			is_over(&t, p, REPORT_CONFLICT, POD_TOLD_CONFLICT);
	}
	for (size_t i = 0; i < plan->n_pods; i++) {
		const struct mesh_pod *said = plan->pods[i].pod;
		struct pod *p = pods_find(pods, said->uid);

		if (p)
			tell_shared(&t, p, said);
	}
	for (size_t i = 0; i < plan->n_conflicts; i++)
		tell_both(&t, pods, &plan->conflicts[i]);
}
