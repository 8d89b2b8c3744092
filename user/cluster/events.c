// SPDX-License-Identifier: Apache-2.0
#include "cluster/events.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "mesh/owners.h"

#define LATE_NAMED 8

static void tell(struct report *r, const struct pod *p, const char *node,
		 const char *reason, const char *message)
{
	report_pod(r, &(struct kube_event){.ns = p->ns,
					   .pod = p->name,
					   .uid = p->uid,
					   .node = node,
					   .warning = true,
					   .reason = reason,
					   .message = message,
					   .when = time(NULL)});
}

/* Is this the first time since forget()? The agent makes each Event once, until
 * the trouble of which it tells is over. */
static bool is_first(struct pod *p, enum pod_told_flag event)
{
	bool told = p->told.flags & event;

	p->told.flags |= event;
	return !told;
}

static void forget(struct pod *p, enum pod_told_flag event)
{
	p->told.flags &= ~event;
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

static void tell_late(struct report *r, struct pod *p, const char *node)
{
	_buf_ struct buf text = {};

	if (!pod_armed(p) || !p->n_late) {
		forget(p, POD_TOLD_LATE);
		return;
	}
	if (!is_first(p, POD_TOLD_LATE))
		return;
	name_late(p, &text);
	if (!text.err)
		tell(r, p, node, "LateListener", text.data);
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

static void tell_conflict(struct report *r, struct pod *p, const char *node,
			  const struct plan_claimant *other,
			  const struct smc_addr *addr)
{
	char at[ADDR_STRLEN], text[1024];

	snprintf(
		text, sizeof(text),
		"pod %s/%s on node %s, created at the same time, claims the address %s too: neither is accelerated there",
		other->ns, other->pod, other->node, addr_format(addr, at));
	tell(r, p, node, "AddressConflict", text);
}

static void tell_both(struct report *r, struct pods *pods, const char *node,
		      const struct plan_conflict *row)
{
	for (int i = 0; i < 2; i++) {
		struct pod *p = pods_find(pods, row->by[i].uid);

		if (p && is_first(p, POD_TOLD_CONFLICT))
			tell_conflict(r, p, node, &row->by[!i], &row->addr);
	}
}

/* ---- containers that the sidecar's rules do not tell apart ----------------
 */

static void tell_shared(struct report *r, struct pod *p, const char *node,
			const struct mesh_pod *said)
{
	const struct sidecar_found *s = &p->facts.sidecar;
	const char *one, *other;
	char text[1024], owner[OWNER_STRLEN];

	if (!pod_armed(p) || !s->sidecar || s->by_hint ||
	    !owners_shared(s->owners, s->n_owners, said, &one, &other)) {
		forget(p, POD_TOLD_SHARED);
		return;
	}
	if (!is_first(p, POD_TOLD_SHARED))
		return;
	snprintf(
		text, sizeof(text),
		"the containers %s and %s are both whom the sidecar's redirect lets pass (%s): what either opens goes round the proxy, and is accelerated; give one of them another user",
		one, other, owner_format(&s->owners[0], owner));
	tell(r, p, node, "SharedOwner", text);
}

/* ---- together ------------------------------------------------------------ */

void tell_pods(struct report *r, struct pods *pods,
	       const struct mesh_plan *plan, const char *node)
{
	for (size_t i = 0; i < pods->n; i++) {
		struct pod *p = pods->v[i];

		tell_late(r, p, node);
		if (!in_conflict(plan, p->uid))
			forget(p, POD_TOLD_CONFLICT);
	}
	for (size_t i = 0; i < plan->n_pods; i++) {
		const struct mesh_pod *said = plan->pods[i].pod;
		struct pod *p = pods_find(pods, said->uid);

		if (p)
			tell_shared(r, p, node, said);
	}
	for (size_t i = 0; i < plan->n_conflicts; i++)
		tell_both(r, pods, node, &plan->conflicts[i]);
}
