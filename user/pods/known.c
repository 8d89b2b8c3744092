// SPDX-License-Identifier: Apache-2.0
/* Questions about what is known, and the retry, which more than one room has.
 */
#include "pods/known.h"

static void retry_event(uv_timer_t *timer)
{
	agent_retry(timer->data);
}

void agent_retry(struct agent *a)
{
	unsigned int ms;
	bool due;

	uv_update_time(&a->loop);
	ms = pods_retry(&a->pods, uv_now(&a->loop), &due);
	if (ms)
		uv_timer_start(&a->retry, retry_event, ms, 0);
	else
		uv_timer_stop(&a->retry);
	if (due)
		turn_due(&a->turn);
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

bool agent_capable(const struct agent *a)
{
	return a->host.converter && a->host.selector;
}
