/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent knows of each pod of this node, by UID: its number, what was
 * last seen in its namespace, what was decided, what the kernel says. Copies
 * everything: it outlives the world it came from.
 */
#pragma once

#include <stdbool.h>
#include "base/cleanup.h"
#include "mesh/plan.h"
#include "node/netns.h"

struct pod {
	char *uid, *ns, *name;
	char *netns_path; /* NULL: the source does not say it */
	char *problem;	  /* of the annotations, its own or its Namespace's */
	__u32 id;	  /* 0: not given yet */
	bool host_network;
	struct mesh_addrs addrs; /* status.podIPs */

	/* seen: the last look into the namespace */
	struct netns_sidecar sidecar; /* as it was prepared for */
	struct netns_facts facts;     /* zeroed before the first look */
	__u64 cgroup_id;	      /* hostNetwork; 0: not found */
	int err;		      /* of the last look, 0: facts are good */
	unsigned int failures;	      /* looks that failed in a row */
	bool stale;		      /* look again */
	struct netns_listener *late;
	unsigned int n_late;
	struct mesh_ports listens; /* hostNetwork: listens_find() */

	/* decided, and read back */
	bool wanted;
	/* The kernel refused it a converted socket: not armed again before it
	 * has been unwanted, i.e. its annotation was taken away. */
	bool refused;
	bool armed;		/* has an entry in the kernel */
	enum smc_reason reason; /* why not */
	struct smc_pod kernel;	/* that entry */
	struct mesh_addrs published;
	bool mark; /* for the sweep of those that went */
};

struct pods {
	struct pod **v;
	size_t n;
	__u32 last_id; /* numbers are never given twice */
	/* entries of an agent before us: number by cookie, or by cgroup */
	struct pods_adopted {
		__u64 key;
		__u32 id;
		bool cgroup;
	} * adopted;
	size_t n_adopted;
};

/* pods_free - Safe on a zeroed struct. */
void pods_free(struct pods *pods);

/* pods_adopt - Remember that the namespace of cookie @key (@cgroup: the cgroup
 * of id @key) has the number @id. Return: 0 or -ENOMEM. */
must_check int pods_adopt(struct pods *pods, __u64 key, bool cgroup, __u32 id);

/* pods_avoid - Never give @id to a new pod. */
void pods_avoid(struct pods *pods, __u32 id);

/* pods_put - The state of @pod, made if it is new and brought up to date.
 * Return: NULL without memory. */
struct pod *pods_put(struct pods *pods, const struct mesh_pod *pod);

/* pods_find, pods_by_id - NULL where there is none. */
struct pod *pods_find(const struct pods *pods, const char *uid);
struct pod *pods_by_id(const struct pods *pods, __u32 id);

/* pods_sweep - Drop each pod without a mark, after telling @gone; clear the
 * marks of the others. */
void pods_sweep(struct pods *pods, void (*gone)(const struct pod *, void *),
		void *arg);

/* pods_stale - All namespaces are to be looked at again. */
void pods_stale(struct pods *pods);

/* pods_stale_at - Those of pods whose path is @path or below it. Return: is
 * there one? */
bool pods_stale_at(struct pods *pods, const char *path);

/*
 * pod_look - Prepare the pod's namespace if that is due: new, changed, stale.
 * A look that failed for a passing reason keeps the last facts a few times.
 */
struct pod_how {
	const char *ctrl;   /* datapath_ctrl_name() */
	const char *proc;   /* where processes are seen */
	const char *cgroup; /* cgroup v2 mount, or NULL */
	bool can_mark;	    /* datapath_can_mark() */
};
void pod_look(struct pods *pods, struct pod *p, const struct pod_how *how,
	      const struct netns_sidecar *sidecar);

/* pod_seen - What was seen, for mesh_plan(). Points into @p. */
struct mesh_seen pod_seen(const struct pod *p);

/* pod_decided - Take over what the plan says of the pod. Return: 0/-ENOMEM. */
must_check int pod_decided(struct pod *p, const struct plan_pod *plan);
