// SPDX-License-Identifier: Apache-2.0
#include "pods/hook_times.h"

#include <string.h>
#include "pods/known.h"
#include "base/log.h"

/* ---- the decision -------------------------------------------------------- */

static bool waits(__u64 since, __u64 ms, __u64 now)
{
	return since && now - since < ms;
}

enum hooks_step hooks_next(struct hooks *h, bool wanted, bool attached,
			   __u64 now)
{
	if (wanted) {
		h->idle_since = h->asked_at = 0;
		return waits(h->failed_at, HOOKS_RETRY_MS, now) ? HOOKS_STAY
								: HOOKS_ATTACH;
	}
	h->failed_at = 0;
	if (!attached) {
		h->idle_since = h->asked_at = 0;
		return HOOKS_STAY;
	}
	if (!h->idle_since)
		h->idle_since = now;
	if (waits(h->idle_since, HOOKS_LINGER_MS, now) ||
	    waits(h->asked_at, HOOKS_RETRY_MS, now))
		return HOOKS_STAY;
	return HOOKS_DETACH;
}

void hooks_attached(struct hooks *h, int err, __u64 now)
{
	h->failed_at = err ? now : 0;
}

void hooks_detached(struct hooks *h, bool guarded, __u64 now)
{
	h->asked_at = guarded ? now : 0;
}

bool hooks_record_due(const struct hooks *h, enum mesh_recorder wanted,
		      __u64 now)
{
	if (h->recorder != wanted)
		return true;
	return !h->recorded && !waits(h->unrecorded_at, HOOKS_RETRY_MS, now);
}

void hooks_recorded(struct hooks *h, enum mesh_recorder wanted, int err,
		    __u64 now)
{
	h->recorder = wanted;
	h->recorded = !err;
	h->unrecorded_at = err ? now : 0;
}

/* ---- done ---------------------------------------------------------------- */

/* A program may keep SMC sockets after its pod lost the annotation, or left the
 * source: what guards them stays attached. */
static void detach(struct agent *a, __u64 now)
{
	bool first = !a->hooks.asked_at;
	int guarded = netns_guarded(a->opt->proc, datapath_ctrl_names(a->dp));

	if (guarded < 0)
		log_debug("look for SMC sockets in all namespaces: %s",
			  strerror(-guarded));
	datapath_disarm(a->dp, guarded);
	hooks_detached(&a->hooks, guarded, now);
	if (first || !guarded)
		log_info(
			"no pod of this node is to be armed: the hooks of socket() and connect() are detached%s",
			guarded ? ", but for what guards the SMC sockets that are still open"
				: "");
}

void hooks_apply(struct agent *a, enum mesh_recorder recorder, bool wanted)
{
	bool attached = datapath_is_armed(a->dp);
	__u64 now = uv_now(&a->loop);
	struct hooks *h = &a->hooks;

	if (hooks_record_due(h, recorder, now))
		hooks_recorded(h, recorder, datapath_record(a->dp, recorder),
			       now);
	switch (hooks_next(h, wanted, attached, now)) {
	case HOOKS_ATTACH:
		hooks_attached(h, datapath_arm(a->dp), now);
		break;
	case HOOKS_DETACH:
		detach(a, now);
		break;
	default:
		break;
	}
}
