// SPDX-License-Identifier: Apache-2.0
#include "pods/read_back.h"

#include <errno.h>
#include "base/log.h"
#include "pods/armed_rows.h"
#include "pods/sentence.h"
#include "pods/waiting.h"
#include "telemetry/labels.h"

static void read_rows(struct agent *a)
{
	_cleanup_(armed_rows_free) struct armed_rows rows = {};
	int err = armed_rows_read(a->dp, &rows);

	if (err)
		log_warn(err, "read the map of armed pods");
	pods_take_rows(&a->pods, &rows, a->last.full);
}

/* kubelet has made its sandbox anew: the new namespace was armed just now. */
static bool made_anew(const struct pod *p, const struct pod_before *was)
{
	return p->facts.cookie && was->cookie && p->facts.cookie != was->cookie;
}

static void say_armed(const struct pod *p)
{
	char text[TRANSPORTS_STRLEN];
	const struct log_field facts[] = {
		{"namespace", p->ns, .said = true},
		{"pod", p->name, .said = true},
		{.key = "transports",
		 .value = transports_format(p->kernel.transports, text)},
		{},
	};

	log_with(LOG_INFO, 0, facts, "pod %s/%s is armed", p->ns, p->name);
}

static void say_not_armed(const struct pod *p)
{
	_buf_ struct buf why = {};
	const struct log_field facts[] = {
		{"namespace", p->ns, .said = true},
		{"pod", p->name, .said = true},
		{.key = "reason", .value = reason_label(p->reason)},
		{},
	};

	pod_sentence(p, p->reason, &why);
	log_with(LOG_INFO, 0, facts, "pod %s/%s is not armed: %s; %s", p->ns,
		 p->name, why.data ?: "", reason_remedy(p->reason));
}

static void say_change(const struct pod *p, const struct pod_before *was)
{
	bool armed = pod_armed(p);

	if (made_anew(p, was))
		log_info("pod %s/%s has another network namespace", p->ns,
			 p->name);
	if (armed && !was->armed)
		say_armed(p);
	else if (!armed && (was->armed || was->reason != p->reason))
		say_not_armed(p);
}

/* Before the first reconcile is done a pod that is armed was armed by an agent
 * before this one. */
static void set_since(const struct agent *a, struct pod *p,
		      const struct pod_before *was)
{
	if (pod_armed(p) != was->armed || made_anew(p, was))
		p->armed_ns = pod_armed(p) && a->last.synced ? uv_hrtime() : 0;
}

/* How long it took. Of pods that this agent found when it began nobody knows
 * since when they waited. */
static void time_arming(struct agent *a, struct pod *p)
{
	if (!pod_armed(p) || !p->wanted_ns)
		return;
	if (a->last.synced)
		histogram_add(&a->looks.arming, HISTOGRAM_ARMED,
			      (uv_hrtime() - p->wanted_ns) / 1e9);
	p->wanted_ns = 0;
}

/* A row that was written is not guarded: nothing is converted there until the
 * next look. (Of hostNetwork pods the namespace's row is, not theirs.) */
static void guard_again(struct agent *a, struct pod *p,
			const struct pod_before *was)
{
	if (!datapath_guards(a->dp) || !pod_armed(p) ||
	    p->kernel.flags & SMC_POD_GUARDED || (was->armed && !was->guarded))
		return;
	pod_stale(p);
	turn_due(&a->turn);
}

void read_back_end(struct agent *a, const struct read_back *was)
{
	static const struct pod_before fresh;

	read_rows(a);
	/* pods_sweep() tells of those that left the source. */
	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod_before *b = i < was->n ? &was->v[i] : &fresh;
		struct pod *p = a->pods.v[i];

		if (!p->mark)
			continue;
		guard_again(a, p, b);
		set_since(a, p, b);
		time_arming(a, p);
		say_change(p, b);
	}
}

int read_back_begin(struct agent *a, struct read_back *was)
{
	was->v = calloc(a->pods.n + 1, sizeof(*was->v));
	if (!was->v)
		return -ENOMEM;
	was->n = a->pods.n;
	for (size_t i = 0; i < was->n; i++) {
		const struct pod *p = a->pods.v[i];

		was->v[i] = (struct pod_before){.armed = pod_armed(p),
						.guarded = p->kernel.flags &
							   SMC_POD_GUARDED,
						.reason = p->reason,
						.cookie = p->facts.cookie};
	}
	read_rows(a);
	return 0;
}

void read_back_free(struct read_back *was)
{
	free(was->v);
	*was = (struct read_back){};
}
