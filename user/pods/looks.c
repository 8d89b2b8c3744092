// SPDX-License-Identifier: Apache-2.0
#include "pods/looks.h"

#include <errno.h>
#include <limits.h>
#include "base/fault.h"
#include "base/log.h"
#include "pods/waiting.h"

/* How many namespaces are looked at in one go: a look is a process or two, and
 * meanwhile nobody else is served. New ones first, and few: what was verified
 * is armed before the next are looked at. But what an agent before this one
 * armed is armed already, and would be disarmed by a plan that does not know
 * it: the first look is at all of them (looks_at_first()). */
#define LOOKS_FIRST_MAX 4
#define LOOKS_AGAIN_MAX 16
#define STARVED_NS 30000000000ULL /* since the start: put_off() */

static struct netns_sidecar sidecar_of(const struct mesh_pod *pod)
{
	return (struct netns_sidecar){
		.hinted = pod->sidecar,
		.owner = pod->proxy,
	};
}

struct pod_how agent_how(const struct agent *a)
{
	return (struct pod_how){
		.ctrl = datapath_ctrl_name(a->dp),
		.ours = datapath_ctrl_names(a->dp),
		.proc = a->opt->proc,
		.cgroup = datapath_cgroup(a->dp),
		.starts = a->starts,
		.now = uv_now(&a->loop),
	};
}

/* After a look at @p. One that came to no end has held up the agent for a
 * second: the others have their turn when it has answered whoever asks it. (But
 * the first look is at all of them, unless this machine is too slow for any.)
 */
static unsigned int next_room(const struct agent *a, const struct pod *p,
			      unsigned int room, __u64 now)
{
	bool slow = p->err == -ETIME || (a->synced && p->slow_until > now);

	return slow ? 0 : room - 1;
}

/* Return: did it take one of the looks that there is room for? */
static bool look(struct agent *a, struct pod *p,
		 const struct netns_sidecar *sidecar)
{
	const struct pod_how how = agent_how(a);

	if (pod_look_due(p, &how, sidecar))
		a->counts.looks[p->armed]++;
	return pod_look(&a->pods, p, &how, sidecar);
}

/* @room: how many more looks at pods like this one are done this time. */
static void look_at(struct agent *a, const struct mesh_pod *pod, struct pod *p,
		    unsigned int *room)
{
	const struct netns_sidecar sidecar = sidecar_of(pod);
	const struct pod_how how = agent_how(a);

	if (pod_look_due(p, &how, &sidecar) && !*room) {
		a->looks_left = true;
		a->starts_left |= !p->armed;
		return;
	}
	if (look(a, p, &sidecar) && *room)
		*room = next_room(a, p, *room, how.now);
	fault_point("look");
}

/* Where its namespace will appear. */
static void watch_for(struct agent *a, const struct pod *p)
{
	if (p->netns_path)
		watch_path(a->watch, p->netns_path);
	else if (!p->host_network)
		starts_follow(a->starts, p->cgroup_uid);
}

static int take_wants(struct agent *a, const struct mesh_wants *wants)
{
	for (size_t i = 0; i < a->pods.n; i++)
		a->pods.v[i]->mark = false;
	for (size_t i = 0; i < wants->n; i++) {
		const struct mesh_want *want = &wants->v[i];
		struct pod *p = pods_put(&a->pods, want->pod);

		if (!p)
			return -ENOMEM;
		p->mark = true;
		if (want->arm && !p->wanted)
			pod_news(p);
		p->wanted = want->arm;
		p->refused &= want->arm;
		p->before |= !a->synced && want->arm;
		if (want->arm)
			watch_for(a, p);
		else
			starts_unfollow(a->starts, p->cgroup_uid);
	}
	return 0;
}

static void look_at_those(struct agent *a, const struct mesh_wants *wants,
			  bool armed, unsigned int *room)
{
	for (size_t i = 0; i < wants->n; i++) {
		const struct mesh_want *want = &wants->v[i];
		struct pod *p = pods_find(&a->pods, want->pod->uid);

		if (p && want->arm && p->armed == armed)
			look_at(a, want->pod, p, room);
	}
}

static unsigned int looks_at_first(const struct agent *a)
{
	return !a->synced && a->pods.n_adopted ? UINT_MAX : LOOKS_FIRST_MAX;
}

/*
 * What the agent before us armed is known by its namespace, so a plan without
 * that would disarm the pod. A first look that this machine was too slow for is
 * done again before there is a plan at all. New pods wait meanwhile: for 30
 * seconds, or for as long as not one look succeeds, for then no new pod could
 * be armed either.
 */
static int put_off(struct agent *a)
{
	unsigned int starved = 0, verified = 0, said = a->starved;
	__u64 age = uv_hrtime() - a->start_hrtime;

	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod *p = a->pods.v[i];

		starved += p->wanted && p->err == -ETIME;
		verified += p->wanted && p->facts.verified;
	}
	if (!starved || a->synced || !a->pods.n_adopted ||
	    (verified && age >= STARVED_NS))
		return 0;
	a->starved = starved;
	if (starved != said)
		log_warn(
			0,
			"this machine was too slow for the first look into pods, n=%u: what was armed stays as it is, and they are looked at again",
			starved);
	return -EAGAIN;
}

int looks_all(struct agent *a, const struct mesh_wants *wants)
{
	const unsigned int most = looks_at_first(a);
	unsigned int first = most, again = LOOKS_AGAIN_MAX;
	int err = take_wants(a, wants);

	if (err)
		return err;
	a->looks_left = a->starts_left = false;
	look_at_those(a, wants, false, &first);
	if (first < most)
		again = 0; /* armed pods can wait, these cannot */
	look_at_those(a, wants, true, &again);
	return put_off(a);
}

/* ---- those that wait ----------------------------------------------------- */

/* What is wanted may change with the reconcile that is due: it comes first, and
 * these looks after it. */
static void look_at_waiting(struct agent *a)
{
	unsigned int room = LOOKS_FIRST_MAX;
	struct netns_sidecar sidecar;
	__u64 now = uv_now(&a->loop);

	for (size_t i = 0; i < a->pods.n && room && !a->turn.due; i++) {
		struct pod *p = a->pods.v[i];

		if (!pod_retry_due(p, now))
			continue;
		sidecar = p->sidecar;
		if (look(a, p, &sidecar))
			room = next_room(a, p, room, now);
		if (p->differs)
			turn_due(&a->turn);
	}
}

static void retry_event(uv_timer_t *timer)
{
	looks_retry(timer->data);
}

void looks_retry(struct agent *a)
{
	unsigned int ms;

	uv_update_time(&a->loop);
	look_at_waiting(a);
	uv_update_time(&a->loop);
	ms = pods_retry(&a->pods, uv_now(&a->loop));
	if (ms)
		uv_timer_start(&a->retry, retry_event, ms, 0);
	else
		uv_timer_stop(&a->retry);
}
