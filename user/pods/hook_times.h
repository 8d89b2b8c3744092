/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the programs that everybody's processes run through are attached: from
 * the reconcile in which the source names the first pod of this node that is to
 * be armed, before its cgroup is there, until HOOKS_LINGER_MS after there was
 * one last. And which recorder writes the flows.
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>
#include "mesh/model.h"

/* A controller may make a pod anew, or a person switch the mesh off and on.
 * Attaching takes tens of milliseconds, and by then these pods would have
 * opened late sockets. */
#define HOOKS_LINGER_MS 60000
/* The agent does not try again at each event. */
#define HOOKS_RETRY_MS 5000

struct hooks {
	/* All times are uv_now(); 0: not so. */
	__u64 idle_since;    /* no pod is wanted, and something is attached */
	__u64 asked_at;	     /* detached, but for what guards SMC sockets */
	__u64 failed_at;     /* attaching */
	__u64 unrecorded_at; /* choosing `recorder` */
	bool recorded;
	enum mesh_recorder recorder; /* of the configuration, as last tried */
};

enum hooks_step {
	HOOKS_STAY = 0,
	HOOKS_ATTACH, /* datapath_arm(); a second call does nothing */
	HOOKS_DETACH,
};

/*
 * hooks_next - Decide what to do now. The caller asks again when time has
 * passed. @wanted: a pod of this node is to be armed. @attached: a hook is
 * attached.
 */
enum hooks_step hooks_next(struct hooks *h, bool wanted, bool attached,
			   __u64 now);

/* hooks_attached, hooks_detached - Note what came of the step. @err: 0, or why
 * attaching failed. @guarded: programs have SMC sockets of ours open, so what
 * guards these is still attached. */
void hooks_attached(struct hooks *h, int err, __u64 now);
void hooks_detached(struct hooks *h, bool guarded, __u64 now);

/* hooks_record_due - Must the recorder be chosen (again)? hooks_recorded - It
 * was; @err: 0, or why that failed. */
bool hooks_record_due(const struct hooks *h, enum mesh_recorder wanted,
		      __u64 now);
void hooks_recorded(struct hooks *h, enum mesh_recorder wanted, int err,
		    __u64 now);

struct agent;

/* hooks_apply - Do what is due. @recorder: of the configuration. Whether
 * sockets can be converted then: datapath_has_converter(). */
void hooks_apply(struct agent *a, enum mesh_recorder recorder, bool wanted);
