/* SPDX-License-Identifier: Apache-2.0 */
/* The pods of this node, and what is done with one of them. */
#pragma once

#include "pods/pod.h"
#include "base/cleanup.h"
#include "mesh/plan.h"

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
/* @full: "NAMESPACE/POD"; another text is nobody's, and so is NULL. */
struct pod *pods_by_full_name(const struct pods *pods, const char *full);
struct pod *pods_by_id(const struct pods *pods, __u32 id);
struct pod *pods_by_slot(const struct pods *pods, __u32 slot);

/* pod_note_shown - Remember which gauges of it have a sample. */
void pod_note_shown(struct pod *p, unsigned int shown);

/* pods_sweep - Drop each pod without a mark, after telling @gone; clear the
 * marks of the others. */
void pods_sweep(struct pods *pods, void (*gone)(const struct pod *, void *),
		void *arg);

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
 * pod_look_now - What is in its namespace at this moment, as netns_look() tells
 * it: neither the namespace nor what is known of the pod changes.
 * Return: 0: free @out with netns_facts_free(); -ENOENT: no look has found the
 * namespace yet, or it is not where the last one found it; or another errno.
 */
must_check int pod_look_now(const struct pod *p, const struct pod_how *how,
			    struct netns_facts *out);

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
