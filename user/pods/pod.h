/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent knows of each pod of this node, by UID: its number, what the
 * last look saw, what the plan decided, what the kernel's maps say. All is
 * copied: it outlives the world that it came from.
 */
#pragma once

#include <stdbool.h>
#include "base/cleanup.h"
#include "pods/starting.h"
#include "mesh/plan.h"
#include "node/cgroup.h"
#include "node/netns.h"
#include "node/place.h"
#include "node/plain_sockets.h"

/* A connection that is TCP only because it is old (mesh/late.h). */
struct pod_late_flow {
	struct plain_flow flow;
	struct smc_handshake key; /* in smc_flow; of its socket: not there */
	bool recorded;
};

/* What the kernel's maps said of a pod, when they were read back last. */
enum pod_arming {
	POD_UNARMED = 0, /* no row converts its sockets */
	POD_ARMED,	 /* one does: kernel */
	/* The kernel refused it a converted socket: it is not armed again
	 * before its annotation was taken away. */
	POD_REFUSED,
};

/* Further facts about a pod; bits of pod.traits. */
enum pod_trait {
	POD_RUNNING = 1,  /* as in struct mesh_pod */
	POD_REPLACED = 2, /* likewise */
	POD_BEFORE = 4,	  /* it was there before this agent began */
	POD_EXCLUDES = 8, /* ports of its own, when it was armed last */
	POD_NO_ROOM = 16, /* not all that it excludes is in the map */
	POD_ADOPTED = 32, /* an agent before this one had armed it */
};

/* What socket diagnosis is to find out; bits of pod.ask. */
enum pod_ask {
	POD_ASK_LATE = 1, /* what was opened before arming: pod_diagnose() */
	POD_ASK_ENDS = 2, /* which flows ended that nothing else tells of */
};

/* What pod_look() did; bits. */
enum pod_looked {
	POD_LOOK_WORKED = 1,  /* it worked in a namespace */
	POD_LOOK_DIFFERS = 2, /* it saw other than the look before it */
};

/* What the API server was told of a pod; bits of pod_told.flags. */
enum pod_told_flag {
	POD_TOLD_LATE = 1,     /* the Event LateListener */
	POD_TOLD_CONFLICT = 2, /* AddressConflict */
	POD_TOLD_SHARED = 4,   /* SharedOwner */
	POD_GOING = 8,	       /* the server agreed to its eviction */
	POD_TOLD_ARMED = 16,   /* Armed, and no NotArmed since */
	/* It was armed, or not wanted, under this agent: so no agent before has
	 * told what is told of its arming from now on. */
	POD_TOLD_ANEW = 32,
};

/* Written by cluster/ alone. */
struct pod_told {
	unsigned int flags;
	/* cluster/events.c: since when it is to be armed and is not (uv_now(),
	 * 0: it is, or need not be), and for which reasons the Event NotArmed
	 * was made meanwhile. */
	__u64 unarmed_since, reasons;
	/* cluster/take_back.c: the pod stays armed, though not wanted, until
	 * the server has the status of number hold_number (0: that is not made
	 * yet), but no longer than hold_until (uv_now(); 0: it is not held). */
	__u64 hold_number, hold_until;
	/* cluster/evict.c: what the server said to its eviction. */
	struct pod_evict {
		unsigned int failures; /* requests without success, in a row */
		unsigned int lost; /* the last of those, without an answer */
		__u64 after; /* uv_now(): no request before; 0: no limit */
		char *said;  /* the last trouble, as logged */
	} evict;
};

/*
 * A pod of this node. Its states, what says that it is in one, and which
 * functions bring it there and take it away:
 *
 *              where            enter                leave
 *   known      struct pods      pods_put()           pods_sweep()
 *   wanted     wanted           looks_all()          looks_all()
 *   looked at  facts.verified   pod_look()           pod_look()
 *   armed      POD_ARMED        pods_take_rows()     pods_take_rows()
 *   published  the SmcNode      publish_set()        publish_set()
 *   held       told.hold_until  hold_armed()         hold_armed()
 *   refused    POD_REFUSED      pods_take_rows(),    looks_all()
 *                               pods_number()
 *   denied     the maps alone   mesh_plan()          mesh_plan()
 *
 * Why it enters and leaves them: user/README.md. Armed and refused exclude each
 * other; a pod that is armed but not wanted is held, or loses its row with the
 * next apply. pods/ alone writes all members but told.
 */
struct pod {
	char *uid, *ns, *name;
	char *netns_path;  /* NULL: the source does not say it */
	char *cgroup_path; /* likewise: below the cgroup v2 mount */
	char *problem;	   /* of the annotations, its own or its Namespace's */
	char *cgroup_uid;  /* as kubelet names its cgroup: podname.h */
	__u32 id;	   /* 0: not given yet */
	bool host_network;
	unsigned int traits;	 /* pod_is(), pod_set() */
	struct mesh_addrs addrs; /* status.podIPs */

	/* seen: the last look into the namespace */
	struct netns_sidecar sidecar; /* as it was prepared for */
	struct netns_facts facts;     /* zeroed before the first look */
	__u64 cgroup_id;	      /* hostNetwork; 0: not found */
	struct place_mark found;      /* where the last good look was */
	/* Since when kubelet's directories of it have no process, uv_now(); 0:
	 * they have one. */
	__u64 missing_since;
	int err;	       /* of the last look, 0: facts are good */
	unsigned int failures; /* looks that failed in a row */
	/* Looks that got no answer in time held up the agent: the next one
	 * comes not before slow_until (uv_now()), slow_ms after the last; each
	 * such look doubles that. 0: the last look was in time. */
	__u64 slow_until;
	unsigned int slow_ms;
	bool stale;	      /* look again */
	__u64 retry_at;	      /* its own time, uv_now(); 0: not set */
	unsigned int retries; /* waits that were set since the last news */
	unsigned int ask;     /* enum pod_ask */
	__u64 diagnosed_at;   /* the last time, uv_hrtime(); 0: never */
	char *where;	      /* of the last good look: the namespace */
	struct netns_listener *late;
	unsigned int n_late;
	struct mesh_ports listens; /* hostNetwork: listens_find() */

	/* decided, and read back */
	bool wanted;
	__u64 wanted_ns; /* since when in vain, uv_hrtime(); 0: it is armed */
	enum pod_arming arming;
	enum smc_reason reason; /* why not armed */
	struct smc_pod kernel;	/* its row, while it is armed */
	struct mesh_addrs published;
	bool mark; /* the world has it: pods_sweep() */

	/* since when it is armed, CLOCK_MONOTONIC; 0: before this agent */
	__u64 armed_ns;
	struct pod_late_flow *late_flows;
	size_t n_late_flows;
	unsigned int shown; /* what /metrics shows of it: pod_note_shown() */
	struct pod_told told;
};

static inline bool pod_armed(const struct pod *p)
{
	return p->arming == POD_ARMED;
}

static inline bool pod_refused(const struct pod *p)
{
	return p->arming == POD_REFUSED;
}

static inline bool pod_is(const struct pod *p, enum pod_trait trait)
{
	return p->traits & trait;
}

static inline void pod_set(struct pod *p, enum pod_trait trait, bool on)
{
	p->traits = on ? p->traits | trait : p->traits & ~trait;
}

struct pods {
	struct pod **v;
	size_t n;
	/* Numbers are never given twice. A pod counts at its number's slot, so
	 * no two pods have numbers of one slot. */
	__u32 last_id;
	/* Slots that an agent before us used: pods_forget_before(). */
	bool before[SMC_PODS];
	/* entries of an agent before us: number by cookie, or by cgroup */
	struct pods_adopted {
		__u64 key;
		__u32 id;
		bool cgroup, refused;
	} *adopted;
	size_t n_adopted;
};

/* What a look needs of this agent: agent_how(). */
struct pod_how {
	struct netns_use use; /* the datapath's selector; SMC's settings */
	char *const *ours;    /* datapath_ctrl_names() */
	const char *proc;     /* where processes are seen */
	const char *cgroup;   /* cgroup v2 mount, or NULL */
	struct starts *starts;
	__u64 now; /* uv_now() */
};
