// SPDX-License-Identifier: Apache-2.0
#include "node/podspace.h"

#include <fts.h>
#include <stdio.h>
#include <string.h>
#include "node/cgroup.h"
#include "node/kubefiles.h"
#include "node/pod_of_pid.h"

/* The levels of a pod's containers, of their init and of systemd. */
#define PROCS_DEPTH 8

struct search {
	const char *proc;
	const char *uid; /* the pod whose processes count; NULL: those listed */
	struct ns_id host;
	bool host_known;
	struct place best;		   /* so far */
	int best_dir;			   /* of its process */
	char listed[CGROUP_PATH_MAX + 16]; /* the list it was in */
};

static void begin(struct search *s, const char *proc, const char *uid)
{
	*s = (struct search){
		.proc = proc, .uid = uid, .best = PLACE_NONE, .best_dir = -1};
	s->host_known = !proc_ns(proc, 1, "net", &s->host);
}

static void drop_best(struct search *s)
{
	place_close(&s->best);
	cleanup_close(&s->best_dir);
	s->best_dir = -1;
}

static bool is_in_hosts(const struct search *s, int dir)
{
	struct ns_id net;

	return s->host_known && !proc_ns_of(dir, "net", &net) &&
	       ns_same(&net, &s->host);
}

/* Cgroups are the truth; only where they tell no pod the files decide. */
static bool is_pods(const struct search *s, int dir)
{
	enum whose whose = whose_process(dir, s->uid);

	return whose == WHOSE_POD ||
	       (whose == WHOSE_NOBODY && !is_in_hosts(s, dir) &&
		kubefiles_has(s->proc, dir, s->uid));
}

static bool is_taken(const struct search *s)
{
	return s->best.fd >= 0;
}

/* Return: is it the best so far? */
static bool consider(struct search *s, pid_t pid)
{
	_place_ struct place found = PLACE_NONE;
	_close_ int dir = proc_open(s->proc, pid);
	struct proc_id id = {.pid = pid};

	if (dir < 0 || (s->uid && !is_pods(s, dir)))
		return false;
	id.start = proc_start_of(dir);
	if (id.start < 0 ||
	    (is_taken(s) && id.start >= s->best.process.start) ||
	    place_of(s->proc, dir, &id, &found))
		return false;
	if (s->host_known && ns_same(&found.id, &s->host))
		return false;
	drop_best(s);
	s->best = found;
	found.fd = -1;
	s->best_dir = take_fd(dir);
	return true;
}

/* Hand over the best, unless there is none or @err tells why. */
static int conclude(struct search *s, int err, struct place *out)
{
	if (!err && !is_taken(s))
		err = -ENOENT;
	if (!err) {
		*out = s->best;
		s->best.fd = -1;
	}
	drop_best(s);
	return err;
}

/* ---- below a directory --------------------------------------------------- */

static void consider_procs(const char *dir, struct search *s)
{
	_fclose_ FILE *f = NULL;
	char path[sizeof(s->listed)];
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "re");
	/* A process outside of our pid namespace reads 0. */
	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid > 0 && consider(s, pid))
			strcpy(s->listed, path);
}

/*
 * Another process may have had this number when it was listed, before we opened
 * the directory. If it is listed now, while that directory is still a living
 * process', the number is this process'.
 */
static bool is_still_listed(const struct search *s)
{
	_fclose_ FILE *f = fopen(s->listed, "re");
	bool found = false;
	int pid;

	while (f && !found && fscanf(f, "%d", &pid) == 1)
		found = pid == s->best.process.pid;
	return found && proc_start_of(s->best_dir) >= 0;
}

int podspace_in(const char *proc, const char *dir, struct place *out)
{
	char *const paths[] = {(char *)dir, NULL};
	struct search s;
	FTSENT *e;
	FTS *tree =
		fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);

	if (!tree)
		return -errno;
	begin(&s, proc, NULL);
	while ((e = fts_read(tree))) {
		if (e->fts_info != FTS_D)
			continue;
		consider_procs(e->fts_path, &s);
		if (e->fts_level == PROCS_DEPTH)
			fts_set(tree, e, FTS_SKIP);
	}
	fts_close(tree);
	if (is_taken(&s) && !is_still_listed(&s))
		drop_best(&s);
	return conclude(&s, 0, out);
}

/* ---- among all ----------------------------------------------------------- */

static int consider_one(pid_t pid, void *arg)
{
	consider(arg, pid);
	return 0;
}

int podspace_search(const char *proc, const char *uid, struct place *out)
{
	struct search s;
	int err;

	begin(&s, proc, uid);
	err = proc_each(proc, consider_one, &s);
	return conclude(&s, err, out);
}

int podspace_again(const char *proc, const char *uid,
		   const struct proc_id *process, struct place *out)
{
	struct search s;

	begin(&s, proc, uid);
	if (process->pid)
		consider(&s, process->pid);
	if (is_taken(&s) && s.best.process.start != process->start)
		drop_best(&s);
	return conclude(&s, 0, out);
}
