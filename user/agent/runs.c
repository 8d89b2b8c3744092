// SPDX-License-Identifier: Apache-2.0
#include "agent/runs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/array.h"
#include "base/log.h"
#include "node/run_cgroup.h"

/* More programs at a time than pods that a node can have. */
#define RUNS_MAX SMC_PODS

static void run_free(struct run *r)
{
	free(r->path);
	free(r->name);
	free(r->uid);
}

void runs_drop_world(struct agent *a)
{
	a->host.runs.made = false;
}

/* Nothing points any more to the world, nor to those that are over. */
static void forget(struct runs *runs)
{
	size_t kept = 0;

	free(take_ptr(runs->world.pods));
	for (size_t i = 0; i < runs->n; i++)
		if (runs->v[i].over)
			run_free(&runs->v[i]);
		else
			runs->v[kept++] = runs->v[i];
	runs->n = kept;
}

void runs_free(struct agent *a)
{
	struct runs *runs = &a->host.runs;

	forget(runs);
	for (size_t i = 0; i < runs->n; i++)
		run_free(&runs->v[i]);
	free(take_ptr(runs->v));
	runs->n = 0;
}

/* ---- the world ----------------------------------------------------------- */

/* What a pod's object would say. All is owned by @r and the agent. */
static struct mesh_pod as_pod(const struct agent *a, const struct run *r)
{
	return (struct mesh_pod){
		.ns = (char *)RUNS_NS,
		.name = r->name,
		.uid = r->uid,
		.node = (char *)a->opt->node,
		.cgroup_path = r->path,
		.host_network = true,
		.running = true,
		.enabled = MESH_ON,
	};
}

static int make_world(struct agent *a, const struct mesh_world *w)
{
	struct runs *runs = &a->host.runs;
	struct mesh_pod *v = calloc(w->n_pods + runs->n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	runs->world = *w;
	runs->world.pods = v;
	if (w->n_pods)
		memcpy(v, w->pods, w->n_pods * sizeof(*v));
	for (size_t i = 0; i < runs->n; i++)
		v[runs->world.n_pods++] = as_pod(a, &runs->v[i]);
	runs->made = true;
	return 0;
}

bool runs_stale(const struct agent *a)
{
	return !a->host.runs.made;
}

const struct mesh_world *runs_world(struct agent *a)
{
	const struct mesh_world *w = source_world(a->source);
	struct runs *runs = &a->host.runs;
	int err = 0;

	if (!runs->made)
		forget(runs);
	if (!w)
		return NULL;
	if (!runs->n) {
		runs->made = true;
		return w;
	}
	if (!runs->made)
		err = make_world(a, w);
	if (!err)
		return &runs->world;
	log_err(err, "add the programs of smcmesh run: they are not armed");
	return w;
}

/* ---- which there are ----------------------------------------------------- */

static struct run *find(const struct agent *a, const char *path)
{
	for (size_t i = 0; i < a->host.runs.n; i++)
		if (!a->host.runs.v[i].over &&
		    !strcmp(a->host.runs.v[i].path, path))
			return &a->host.runs.v[i];
	return NULL;
}

const struct pod *runs_pod(const struct agent *a, const char *path)
{
	const struct run *r = find(a, path);

	return r ? pods_find(&a->pods, r->uid) : NULL;
}

/* The number of a process may come again, that of a cgroup does not. */
static int describe(struct run *r, const char *path, __u64 id)
{
	const char *name = strrchr(path, '/') + 1 + strlen(RUN_CGROUP_PREFIX);

	r->path = strdup(path);
	r->name = strdup(name);
	if (asprintf(&r->uid, "run-%llx", (unsigned long long)id) < 0)
		r->uid = NULL;
	return r->path && r->name && r->uid ? 0 : -ENOMEM;
}

int runs_take(struct agent *a, const char *path)
{
	const char *root = datapath_cgroup(a->dp);
	char dir[CGROUP_PATH_MAX];
	struct run *r, made = {};
	__u64 id;
	int err = run_cgroup_find(root, path, dir) ?: cgroup_id(dir, &id);

	if (err || find(a, path))
		return err;
	if (a->host.runs.n >= RUNS_MAX)
		return -ENOSPC;
	err = describe(&made, path, id);
	r = err ? NULL : array_push(a->host.runs.v, a->host.runs.n);
	if (!r) {
		run_free(&made);
		return -ENOMEM;
	}
	*r = made;
	runs_drop_world(a);
	turn_due(&a->turn);
	return 0;
}

static int found(const char *path, void *arg)
{
	return runs_take(arg, path);
}

void runs_find(struct agent *a)
{
	const char *root = datapath_cgroup(a->dp);
	int err = root ? run_cgroup_each(root, found, a) : 0;

	if (err)
		log_warn(
			err,
			"look for programs of smcmesh run: those of before this agent lose their rows");
}

/* A process is in its cgroup a moment after that was made, so what is empty
 * once stays. Where the agent may not write there (a DaemonSet's pod) the empty
 * cgroup stays for a cleanup. Return: has its program ended? */
static bool is_over(const struct agent *a, struct run *r)
{
	char dir[CGROUP_PATH_MAX];
	int err = cgroup_named(datapath_cgroup(a->dp), r->path, dir);

	if (err)
		return err == -ENOENT;
	if (cgroup_populated(dir)) {
		r->empty = false;
		return false;
	}
	if (!r->empty) {
		r->empty = true;
		return false;
	}
	err = run_cgroup_remove(dir);
	if (err && err != -EBUSY)
		log_debug("remove the cgroup %s: %s", dir, strerror(-err));
	return err != -EBUSY;
}

void runs_resync(struct agent *a)
{
	struct runs *runs = &a->host.runs;
	bool any = false;

	for (size_t i = 0; i < runs->n; i++) {
		struct run *r = &runs->v[i];

		if (r->over || !is_over(a, r))
			continue;
		any = r->over = true;
	}
	if (!any)
		return;
	runs_drop_world(a);
	turn_due(&a->turn);
}
