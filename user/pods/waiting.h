/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods the agent must look at, and when it looks again at one that cannot
 * be armed. */
#pragma once

#include "pods/pod.h"

/* pod_stale - Have the pod's namespace looked at again; pods_stale - all of
 * them. */
void pod_stale(struct pod *p);
void pods_stale(struct pods *pods);

/* pods_resync - Have those looked at again that may have changed behind our
 * back: all pods but those that wait to be armed, which have times of their
 * own. */
void pods_resync(struct pods *pods);

/* pods_stale_at - Something happened at @path: pod_news() for the pods whose
 * netns_path, or cgroup_path below @cgroups (NULL: no mount is known), is @path
 * or below it. Return: is there one? */
bool pods_stale_at(struct pods *pods, const char *path, const char *cgroups);

/*
 * pods_retry - Set the time of each pod that waits for something (wanted, and
 * not armed or not with all of its addresses): soon at first, then less and
 * less often, in the end once a minute. Each has its own time: one that waits
 * for ever does not make the others wait. Only news begins from the start,
 * never a look or what follows from it.
 * @now: uv_now().
 * Return: ms until the next one's time, at least 1; 0: none has one.
 */
unsigned int pods_retry(struct pods *pods, __u64 now);

/* pod_retry_due - Is it its time? Then it is stale, and has a new time after
 * the next pods_retry(). */
bool pod_retry_due(struct pod *p, __u64 now);

/* pod_news - Something has happened for which the pod may have waited: have it
 * looked at now and, if that is too early, soon again. */
void pod_news(struct pod *p);

/* pods_news - The same of all that wait. */
void pods_news(struct pods *pods);
