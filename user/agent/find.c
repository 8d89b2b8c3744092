// SPDX-License-Identifier: Apache-2.0
#include "agent/find.h"

#include <errno.h>
#include <string.h>
#include "node/podspace.h"

/* So long kubelet's directory of a pod that runs may be without a process
 * before these are searched for elsewhere. A sandbox that is made anew is
 * sooner there. */
#define SEARCH_AFTER_MS 2000

/* Once it was found it is there while the process lives; a search reads all
 * processes of the node, and there may be many such pods. */
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

static bool may_be_elsewhere(const struct pod *p, const struct pod_how *how)
{
	return p->running && how->now - p->missing_since >= SEARCH_AFTER_MS;
}

static int find_by_process(struct pod *p, const struct pod_how *how,
			   struct place *out)
{
	int err = how->starts ? starts_place(how->starts, p->cgroup_uid, out)
			      : -ESRCH;

	if (err == -ESRCH)
		return search(p, how, out);
	if (err != -ENOENT) {
		p->missing = false;
		return err;
	}
	if (!p->missing)
		p->missing_since = how->now;
	p->missing = true;
	return may_be_elsewhere(p, how) ? search(p, how, out) : err;
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

void find_cgroup(struct pod *p, const struct pod_how *how,
		 char path[CGROUP_PATH_MAX])
{
	p->cgroup_id = 0;
	if (!p->host_network || !how->cgroup)
		return;
	if (cgroup_find_pod(how->cgroup, p->cgroup_uid, path) ||
	    cgroup_id(path, &p->cgroup_id))
		p->cgroup_id = 0;
}
