// SPDX-License-Identifier: Apache-2.0
#include "agent/handover.h"

#include <stdio.h>
#include <string.h>
#include "base/log.h"

/* The looks have put our selector into every armed namespace, so nothing uses
 * the older ones. The same holds after the agent had to make its selector anew.
 */
static void retire(struct agent *a)
{
	const char *ctrl = datapath_ctrl_name(a->dp) ?: "";
	int err;

	if (!strcmp(a->handover.retired_for, ctrl))
		return;
	err = datapath_retire_selectors(a->dp);
	if (err)
		log_warn(err, "unregister the selectors of earlier agents");
	else
		snprintf(a->handover.retired_for,
			 sizeof(a->handover.retired_for), "%s", ctrl);
}

static bool is_pods(__u32 slot, void *arg)
{
	const struct agent *a = arg;

	return pods_by_slot(&a->pods, slot);
}

/* Pods deleted while no agent ran left their counters: remove them once, after
 * the first full look, with which each pod that is there has taken over its
 * number. A pod whose look failed takes it over later, and has lost its
 * counters. */
static void sweep(struct agent *a)
{
	int n;

	if (a->handover.swept)
		return;
	n = datapath_sweep_counters(a->dp, is_pods, a);
	if (n < 0)
		log_warn(n, "remove the counters of pods that went before");
	else if (n)
		log_info("removed the counters of pods that went before, n=%d",
			 n);
	a->handover.swept = n >= 0;
	if (a->handover.swept)
		pods_forget_before(&a->pods);
}

/* The looks have put our selector into every namespace that an agent of another
 * ABI had armed. */
static void take_over(struct agent *a)
{
	int err;

	if (a->handover.took_over)
		return;
	err = datapath_take_over(a->dp);
	if (err)
		log_warn(
			err,
			"take over from the agent of another ABI: its programs run beside ours, the next reconcile tries again");
	a->handover.took_over = !err;
}

void handover(struct agent *a)
{
	retire(a);
	take_over(a);
	sweep(a);
}
