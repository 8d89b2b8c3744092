// SPDX-License-Identifier: Apache-2.0
#include "pods/looks.h"

#include <errno.h>
#include <limits.h>
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "node/run_cgroup.h"
#include "pods/waiting.h"

/* How many namespaces one reconcile looks at: a look takes a helper process or
 * two, and the agent serves nobody meanwhile. New pods come first, and few at a
 * time: a plan arms these before the next look. But pods that an agent before
 * this one armed are armed already, and a plan that does not know them would
 * disarm them: the first reconcile looks at all of them (looks_at_first()). */
#define LOOKS_FIRST_MAX 4
#define LOOKS_AGAIN_MAX 16
#define STARVED_NS (30 * CLOCK_SECOND) /* since the start: put_off() */

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
		.use = {datapath_selector(a->dp), datapath_ctrl_name(a->dp),
			&a->host.settings},
		.ours = datapath_ctrl_names(a->dp),
		.proc = a->opt->proc,
		.cgroup = datapath_cgroup(a->dp),
		.starts = a->looks.starts,
		.now = uv_now(&a->loop),
	};
}

/* After a look at @p. A look that came to no end has held up the agent for a
 * second: before it looks at more pods it answers requests. (But the first
 * reconcile looks at all pods, unless this machine is too slow for any.) */
static unsigned int next_room(const struct agent *a, const struct pod *p,
			      unsigned int room, __u64 now)
{
	bool slow = p->err == -ETIME || (a->last.synced && p->slow_until > now);

	return slow ? 0 : room - 1;
}

/* Look at a pod that is due. @room: for how many looks there is time, at least
 * one; lowered. Return: did the look see other than the one before it? */
static bool look(struct agent *a, struct pod *p, const struct pod_how *how,
		 const struct netns_sidecar *sidecar, unsigned int *room)
{
	unsigned int did;

	a->looks.done[pod_armed(p)]++;
	did = pod_look(&a->pods, p, how, sidecar);
	if (did & POD_LOOK_WORKED)
		*room = next_room(a, p, *room, how->now);
	return did & POD_LOOK_DIFFERS;
}

/* @room: how many more looks at pods like this one are done this time. */
static void look_at(struct agent *a, const struct mesh_pod *pod, struct pod *p,
		    unsigned int *room)
{
	const struct netns_sidecar sidecar = sidecar_of(pod);
	const struct pod_how how = agent_how(a);
	bool due = pod_look_due(p, &how, &sidecar);

	if (due && !*room) {
		a->looks.left = true;
		a->looks.starts_left |= !pod_armed(p);
		return;
	}
	if (due)
		look(a, p, &how, &sidecar, room);
	fault_point("look");
}

/* Watch the place where the pod's namespace, or the cgroup that the source
 * names, will appear. (That of `smcmesh run` is there.) */
static void watch_for(struct agent *a, const struct pod *p)
{
	char path[CGROUP_PATH_MAX];

	if (p->netns_path)
		watch_path(a->looks.watch, p->netns_path);
	else if (p->cgroup_path && !run_cgroup_is(p->cgroup_path)) {
		if (cgroup_named(datapath_cgroup(a->dp), p->cgroup_path,
				 path) != -ENAMETOOLONG)
			watch_path(a->looks.watch, path);
	} else if (!p->host_network)
		starts_follow(a->looks.starts, p->cgroup_uid);
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
		if (want->arm != p->wanted)
			p->wanted_ns = want->arm ? uv_hrtime() : 0;
		p->wanted = want->arm;
		if (!want->arm && pod_refused(p))
			p->arming = POD_UNARMED;
		if (want->arm && !a->last.synced)
			pod_set(p, POD_BEFORE, true);
		if (want->arm)
			watch_for(a, p);
		else
			starts_unfollow(a->looks.starts, p->cgroup_uid);
	}
	return 0;
}

static void look_at_those(struct agent *a, const struct mesh_wants *wants,
			  bool armed, unsigned int *room)
{
	for (size_t i = 0; i < wants->n; i++) {
		const struct mesh_want *want = &wants->v[i];
		struct pod *p = pods_find(&a->pods, want->pod->uid);

		if (p && want->arm && pod_armed(p) == armed)
			look_at(a, want->pod, p, room);
	}
}

static unsigned int looks_at_first(const struct agent *a)
{
	return !a->last.synced && a->pods.n_adopted ? UINT_MAX
						    : LOOKS_FIRST_MAX;
}

/*
 * A plan knows what the agent before us armed by its namespace, and would
 * disarm a pod whose first look this machine was too slow for. So the agent
 * makes no plan at all before it has done such looks again. New pods wait
 * meanwhile: for 30 seconds, or for as long as not one look succeeds, for then
 * no new pod could be armed either.
 */
static int put_off(struct agent *a)
{
	unsigned int starved = 0, verified = 0, said = a->looks.starved;
	__u64 age = uv_hrtime() - a->self.start_hrtime;

	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod *p = a->pods.v[i];

		starved += p->wanted && p->err == -ETIME;
		verified += p->wanted && p->facts.verified;
	}
	if (!starved || a->last.synced || !a->pods.n_adopted ||
	    (verified && age >= STARVED_NS))
		return 0;
	a->looks.starved = starved;
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
	a->looks.left = a->looks.starts_left = false;
	look_at_those(a, wants, false, &first);
	if (first < most)
		again = 0; /* armed pods can wait, these cannot */
	look_at_those(a, wants, true, &again);
	return put_off(a);
}

/* ---- those that wait ----------------------------------------------------- */

/* A reconcile that is due may change which pods are wanted: it comes first, and
 * these looks after it. */
static void look_at_waiting(struct agent *a)
{
	const struct pod_how how = agent_how(a);
	unsigned int room = LOOKS_FIRST_MAX;

	for (size_t i = 0; i < a->pods.n && room && !a->turn.due; i++) {
		struct pod *p = a->pods.v[i];
		const struct netns_sidecar sidecar = p->sidecar;

		if (!pod_retry_due(p, how.now) ||
		    !pod_look_due(p, &how, &sidecar))
			continue;
		if (look(a, p, &how, &sidecar, &room))
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
		uv_timer_start(&a->looks.retry, retry_event, ms, 0);
	else
		uv_timer_stop(&a->looks.retry);
}

void looks_put_off(struct agent *a)
{
	a->looks.left = true;
}

/* ---- open, close --------------------------------------------------------- */

int looks_watch(struct agent *a, watch_fn changed)
{
	uv_timer_init(&a->loop, &a->looks.retry);
	a->looks.retry.data = a;
	return watch_open(&a->loop, changed, a, &a->looks.watch);
}

int looks_open(struct agent *a, starts_fn started)
{
	return starts_open(&a->loop, a->opt->proc, datapath_cgroup(a->dp),
			   started, a, &a->looks.starts);
}

void looks_close(struct agent *a)
{
	starts_close(a->looks.starts);
	watch_close(a->looks.watch);
}
