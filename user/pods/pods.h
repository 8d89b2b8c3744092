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
};

/* Written by cluster/ alone. */
struct pod_told {
	unsigned int flags;
	/* cluster/take_back.c: the pod stays armed, though not wanted, until
	 * the server has the status of this number (0: that is not made yet),
	 * or until then (uv_now()); hold_until 0: it is not held. */
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
	char *netns_path; /* NULL: the source does not say it */
	char *problem;	  /* of the annotations, its own or its Namespace's */
	char *cgroup_uid; /* as kubelet names its cgroup: podname.h */
	__u32 id;	  /* 0: not given yet */
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
	/* Looks that got no answer in time held up the agent: the next one not
	 * before (uv_now()), and the wait after that. 0: there was none. */
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
	enum pod_arming arming;
	enum smc_reason reason; /* why not armed */
	struct smc_pod kernel;	/* its row, while it is armed */
	struct mesh_addrs published;
	bool mark; /* the world has it: pods_sweep() */

	/* since when it is armed, CLOCK_MONOTONIC; 0: before this agent */
	__u64 armed_ns;
	struct pod_late_flow *late_flows;
	size_t n_late_flows;
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

/* pods_free - Safe on a zeroed struct. */
void pods_free(struct pods *pods);

/* pods_adopt - Remember that the namespace of cookie @key (@cgroup: the cgroup
 * of id @key) has the number @id, and whether the kernel @refused it a socket.
 * Return: 0 or -ENOMEM. */
must_check int pods_adopt(struct pods *pods, __u64 key, bool cgroup, __u32 id,
			  bool refused);

/* pods_avoid - Never give @id to a new pod. */
void pods_avoid(struct pods *pods, __u32 id);

/* pods_avoid_slot - Until pods_forget_before() give a new pod no number of this
 * slot: its counters are a pod's of the agent before us. */
void pods_avoid_slot(struct pods *pods, __u32 slot);

/* pods_forget_before - Each pod that was there before us has its number, or is
 * gone: new pods may have the other slots. */
void pods_forget_before(struct pods *pods);

/* pods_number - Give @p a number, if it has none: that of the agent before us
 * where its slot is not taken, else a new one; none where all are taken. */
void pods_number(struct pods *pods, struct pod *p);

/* pods_put - The state of @pod, made if it is new and brought up to date.
 * Return: NULL without memory. */
struct pod *pods_put(struct pods *pods, const struct mesh_pod *pod);

/* pods_find and the like - NULL where there is none. */
struct pod *pods_find(const struct pods *pods, const char *uid);
struct pod *pods_by_cgroup(const struct pods *pods, const char *cgroup_uid);
struct pod *pods_by_name(const struct pods *pods, const char *ns,
			 const char *name);
struct pod *pods_by_id(const struct pods *pods, __u32 id);
struct pod *pods_by_slot(const struct pods *pods, __u32 slot);

/* pods_sweep - Drop each pod without a mark, after telling @gone; clear the
 * marks of the others. */
void pods_sweep(struct pods *pods, void (*gone)(const struct pod *, void *),
		void *arg);

/* What a look needs of this agent: agent_how(). */
struct pod_how {
	struct netns_use use; /* the datapath's selector */
	char *const *ours;    /* datapath_ctrl_names() */
	const char *proc;     /* where processes are seen */
	const char *cgroup;   /* cgroup v2 mount, or NULL */
	struct starts *starts;
	__u64 now; /* uv_now() */
};

/* pod_look_due - Is it to be looked at: new, changed, stale? Not while its last
 * look came to no end, for a while: longer each time. */
bool pod_look_due(const struct pod *p, const struct pod_how *how,
		  const struct netns_sidecar *sidecar);

/* pod_pace - A look has ended with @err. */
void pod_pace(struct pod *p, int err, __u64 now);

/*
 * pod_look - Prepare the namespace of a pod that is due, pod_look_due(). A look
 * that fails for a passing reason keeps the last facts a few times.
 * Return: bits of enum pod_looked.
 */
unsigned int pod_look(struct pods *pods, struct pod *p,
		      const struct pod_how *how,
		      const struct netns_sidecar *sidecar);

/*
 * pod_diagnose - Choose from @found, all plain TCP in the pod's namespace, the
 * sockets that would be SMC if they were opened anew. Late listeners move to
 * @p. Connections stay in @found: the caller finds out which of them are late.
 * Of a hostNetwork pod those count that its own cgroups opened; of a pod with a
 * sidecar the proxy's, since the kernel converts no others; listeners at
 * excluded ports do not count. @p: armed, as read back. @row: its row in @plan.
 * Return: 0, or a negative errno with nothing changed.
 */
must_check int pod_diagnose(struct pod *p, const struct pod_how *how,
			    const struct mesh_plan *plan,
			    const struct plan_pod *row, struct plain *found);

/* pod_forget_late - The pod is not armed: nothing of it is late. */
void pod_forget_late(struct pod *p);

/* pods_note_room - @no_room: by slot, not all that the pod there excludes found
 * room in the map. Return: does that differ from what is known? */
bool pods_note_room(struct pods *pods, const bool no_room[SMC_PODS]);

/* pod_seen - What mesh_plan() needs of the last look. It points into @p. */
struct mesh_seen pod_seen(const struct pod *p);

/* pod_decided - Take over what the plan says of the pod. Return: 0/-ENOMEM. */
must_check int pod_decided(struct pod *p, const struct plan_pod *plan);
