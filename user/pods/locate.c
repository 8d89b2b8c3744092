// SPDX-License-Identifier: Apache-2.0
#include "pods/locate.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "node/podspace.h"

/* How long kubelet's directory of a running pod may be without a process before
 * the agent searches elsewhere. kubelet makes a new sandbox sooner than that.
 */
#define SEARCH_AFTER_MS 2000

/* Try the process that was found last, first: a search reads all processes of
 * the node, and there may be many such pods. */
static int search(const struct pod *p, const struct pod_how *how,
		  struct place *out)
{
	int err = podspace_again(how->proc, p->cgroup_uid, &p->found.process,
				 out);

	if (!err)
		return 0;
	err = podspace_search(how->proc, p->cgroup_uid, out);
	if (!err && how->starts)
		starts_seek(how->starts);
	return err;
}

/* Is the pod to be searched for elsewhere? @there: kubelet's directory has a
 * process. For a pod from before this agent the search does not wait: it may be
 * armed, and a look that fails would disarm it. */
static bool is_elsewhere(struct pod *p, const struct pod_how *how, bool there)
{
	if (there)
		p->missing_since = 0;
	else if (!p->missing_since)
		p->missing_since = how->now;
	return p->missing_since && pod_is(p, POD_RUNNING) &&
	       (pod_is(p, POD_BEFORE) ||
		how->now - p->missing_since >= SEARCH_AFTER_MS);
}

static int find_by_process(struct pod *p, const struct pod_how *how,
			   struct place *out)
{
	int err = how->starts ? starts_place(how->starts, p->cgroup_uid, out)
			      : -ESRCH;

	if (err == -ESRCH)
		return search(p, how, out);
	return is_elsewhere(p, how, err != -ENOENT) ? search(p, how, out) : err;
}

int find_space(struct pod *p, const struct pod_how *how, struct place *out)
{
	char host[PATH_MAX];

	if (!p->host_network && p->netns_path)
		return place_open(p->netns_path, out);
	if (!p->host_network)
		return find_by_process(p, how, out);
	snprintf(host, sizeof(host), "%s/1/ns/net", how->proc);
	return place_open(host, out);
}

/* The one that the source names. Not the agent's: its own connections are no
 * program's, and must not wait for what it has yet to do. */
static void find_named(struct pod *p, const struct pod_how *how,
		       char path[CGROUP_PATH_MAX])
{
	if (cgroup_named(how->cgroup, p->cgroup_path, path) ||
	    cgroup_holds(path, getpid()) || cgroup_id(path, &p->cgroup_id))
		p->cgroup_id = 0;
}

void find_cgroup(struct pod *p, const struct pod_how *how,
		 char path[CGROUP_PATH_MAX])
{
	p->cgroup_id = 0;
	if (!p->host_network || !how->cgroup)
		return;
	if (p->cgroup_path) {
		find_named(p, how, path);
		return;
	}
	if (cgroup_find_pod(how->cgroup, p->cgroup_uid, path) ||
	    is_elsewhere(p, how, cgroup_populated(path)) ||
	    cgroup_id(path, &p->cgroup_id))
		p->cgroup_id = 0;
}
