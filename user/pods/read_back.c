// SPDX-License-Identifier: Apache-2.0
#include "pods/read_back.h"

#include <errno.h>
#include "base/log.h"
#include "pods/armed_rows.h"
#include "pods/sentence.h"
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

static void say_change(const struct pod *p, const struct pod_before *was)
{
	bool armed = pod_armed(p);
	char text[TRANSPORTS_STRLEN];
	_buf_ struct buf why = {};

	pod_sentence(p, p->reason, &why);
	if (made_anew(p, was))
		log_info("pod %s/%s has another network namespace", p->ns,
			 p->name);
	if (armed && !was->armed)
		log_info("pod %s/%s is armed, transports=%s", p->ns, p->name,
			 transports_format(p->kernel.transports, text));
	else if (!armed && (was->armed || was->reason != p->reason))
		log_info("pod %s/%s is not armed: %s; %s", p->ns, p->name,
			 why.data ?: "", reason_remedy(p->reason));
}

/* Before the first reconcile is done a pod that is armed was armed by an agent
 * before this one. */
static void set_since(const struct agent *a, struct pod *p,
		      const struct pod_before *was)
{
	if (pod_armed(p) != was->armed || made_anew(p, was))
		p->armed_ns = pod_armed(p) && a->last.synced ? uv_hrtime() : 0;
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
		set_since(a, p, b);
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

		was->v[i] = (struct pod_before){pod_armed(p), p->reason,
						p->facts.cookie};
	}
	read_rows(a);
	return 0;
}

void read_back_free(struct read_back *was)
{
	free(was->v);
	*was = (struct read_back){};
}
