// SPDX-License-Identifier: Apache-2.0
/*
 * A directory is watched before it is read, never the other way round: what
 * kubelet makes in between is then seen twice, and not missed.
 *
 * cgroup.events of a v2 directory says when the first process below it came
 * (kernfs makes an inotify event of it); v1 has no such file; there the sign is
 * the directory of a container, which the runtime makes just before.
 */
#include "node/kubepods.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include "base/array.h"
#include "base/log.h"
#include "base/once.h"
#include "node/podspace.h"

/* How deep below a mount to search for a directory of kubelet's: below those of
 * a container in which a kubelet runs, and its --cgroup-root. A runtime's own
 * cgroup is not deeper. */
#define TOP_DEPTH 4
/* One hierarchy of v2 and one of v1. */
#define ROOTS_MAX 2

#define DIR_EVENTS \
	(IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR)

/* A watched directory that holds pods or levels. */
struct level {
	char *path;
	int wd;
	bool top; /* top or below: short names count */
};

struct pod_dir {
	char uid[PODNAME_UID_MAX];
	char *path;
	int wd_dir, wd_events; /* -1: not followed */
};

struct follow {
	char uid[PODNAME_UID_MAX];
};

struct kubepods {
	int fd; /* -1: no inotify (yet) */
	char *roots[ROOTS_MAX];
	unsigned int n_roots;
	struct level *levels;
	size_t n_levels;
	struct pod_dir *pods;
	size_t n_pods;
	struct follow *follows;
	size_t n_follows;
	bool blind, short_of_watches; /* logged */
	/* of the call in progress */
	kubepods_fn fn;
	void *arg;
};

/* ---- watches ------------------------------------------------------------- */

/* Each shim of a container runtime has an inotify instance as root, as we do:
 * there may be none left. */
static void open_inotify(struct kubepods *k)
{
	k->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (!once_bool(&k->blind, k->fd < 0))
		return;
	if (k->blind)
		log_warn(
			-errno,
			"watch the pods' cgroups: pods are found by the resync only, and what they open before is late (fs.inotify.max_user_instances is the usual limit)");
	else
		log_info("the pods' cgroups are watched now");
}

/* Return: the watch, or -1 where there is none. A second watch of the same
 * directory returns the first one's number. */
static int watch(struct kubepods *k, const char *path, __u32 events)
{
	int wd;

	if (k->fd < 0)
		return -1;
	wd = inotify_add_watch(k->fd, path, events);
	if (wd >= 0 || errno == ENOENT)
		return wd;
	if (once_bool(&k->short_of_watches, true))
		log_warn(
			-errno,
			"watch %s: pods that start there are found late (fs.inotify.max_user_watches is the usual limit)",
			path);
	return -1;
}

static void unwatch(struct kubepods *k, int *wd)
{
	if (*wd >= 0)
		inotify_rm_watch(k->fd, *wd);
	*wd = -1;
}

bool kubepods_followed(const struct kubepods *k, const char *uid)
{
	for (size_t i = 0; i < k->n_follows; i++)
		if (!strcmp(k->follows[i].uid, uid))
			return true;
	return false;
}

static void pod_follow(struct kubepods *k, struct pod_dir *p)
{
	char path[CGROUP_PATH_MAX];

	if (p->wd_dir >= 0)
		return;
	p->wd_dir = watch(k, p->path, DIR_EVENTS);
	if (snprintf(path, sizeof(path), "%s/cgroup.events", p->path) <
	    (int)sizeof(path))
		p->wd_events = watch(k, path, IN_MODIFY); /* not in v1 */
}

static void pod_drop(struct kubepods *k, struct pod_dir *p)
{
	unwatch(k, &p->wd_dir);
	unwatch(k, &p->wd_events);
	free(p->path);
	*p = k->pods[--k->n_pods];
}

static void level_drop(struct kubepods *k, struct level *l)
{
	unwatch(k, &l->wd);
	free(l->path);
	*l = k->levels[--k->n_levels];
}

/* ---- directories that come ----------------------------------------------- */

static void tell(struct kubepods *k, const char *uid)
{
	if (k->fn)
		k->fn(uid, k->arg);
}

static void pod_add(struct kubepods *k, const char *path, const char *uid)
{
	char *copy = NULL;
	struct pod_dir *p;

	for (size_t i = 0; i < k->n_pods; i++)
		if (!strcmp(k->pods[i].path, path))
			return;
	copy = strdup(path);
	p = copy ? array_push(k->pods, k->n_pods) : NULL;
	if (!p) {
		free(copy);
		return; /* a later scan finds it */
	}
	strcpy(p->uid, uid);
	p->path = copy;
	p->wd_dir = p->wd_events = -1;
	if (kubepods_followed(k, uid))
		pod_follow(k, p);
	tell(k, uid);
}

static struct level *level_find(struct kubepods *k, const char *path)
{
	for (size_t i = 0; i < k->n_levels; i++)
		if (!strcmp(k->levels[i].path, path))
			return &k->levels[i];
	return NULL;
}

static struct level *level_new(struct kubepods *k, const char *path, bool top)
{
	char *copy = strdup(path);
	struct level *l = copy ? array_push(k->levels, k->n_levels) : NULL;

	if (!l) {
		free(copy);
		return NULL;
	}
	*l = (struct level){copy, -1, top};
	return l;
}

static void take_entry(struct kubepods *k, const char *dir, bool top,
		       const char *name);

static void read_entries(struct kubepods *k, const char *path, bool top)
{
	_closedir_ DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_type == DT_DIR)
			take_entry(k, path, top, d->d_name);
}

/* Watch @l and take what is in it. That may move @l: the entries may be
 * levels. */
static void level_read(struct kubepods *k, struct level *l)
{
	l->wd = watch(k, l->path, DIR_EVENTS);
	read_entries(k, l->path, l->top);
}

static void level_add(struct kubepods *k, const char *path, bool top)
{
	struct level *l = level_find(k, path) ?: level_new(k, path, top);

	if (!l)
		return;
	l->top |= top;
	level_read(k, l);
}

static void take_entry(struct kubepods *k, const char *dir, bool top,
		       const char *name)
{
	char path[CGROUP_PATH_MAX], uid[PODNAME_UID_MAX];
	enum podname_what what = podname_parse(name, uid);

	if (what == PODNAME_OTHER || (what == PODNAME_LEVEL && !top) ||
	    (what == PODNAME_POD && !top) ||
	    snprintf(path, sizeof(path), "%s/%s", dir, name) >=
		    (int)sizeof(path))
		return;
	if (what == PODNAME_POD || what == PODNAME_CONTAINER)
		pod_add(k, path, uid);
	else
		level_add(k, path, true);
}

/* Search @path and below for @what, PODNAME_TOP or PODNAME_CONTAINER; watch the
 * directory that holds one, since another one may come, or the same one
 * again. */
static void search(struct kubepods *k, enum podname_what what, const char *path,
		   int depth)
{
	char below[CGROUP_PATH_MAX], uid[PODNAME_UID_MAX];
	_closedir_ DIR *dir = opendir(path);
	enum podname_what is;
	bool watched = false;
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.' ||
		    snprintf(below, sizeof(below), "%s/%s", path, d->d_name) >=
			    (int)sizeof(below))
			continue;
		is = podname_parse(d->d_name, uid);
		if (is == what && !watched)
			level_add(k, path, false);
		else if (is == PODNAME_OTHER && depth < TOP_DEPTH)
			search(k, what, below, depth + 1);
		watched |= is == what;
	}
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

bool kubepods_any(const struct kubepods *k)
{
	for (size_t i = 0; i < k->n_levels; i++)
		if (k->levels[i].top)
			return true;
	return false;
}

void kubepods_scan(struct kubepods *k, kubepods_fn fn, void *arg)
{
	if (k->fd < 0)
		open_inotify(k);
	k->fn = fn;
	k->arg = arg;
	for (size_t i = k->n_pods; i-- > 0;)
		if (!exists(k->pods[i].path))
			pod_drop(k, &k->pods[i]);
	for (size_t i = k->n_levels; i-- > 0;)
		if (!exists(k->levels[i].path))
			level_drop(k, &k->levels[i]);
	for (unsigned int i = 0; i < k->n_roots; i++)
		level_add(k, k->roots[i], false);
	/* By index: a level may add others. */
	for (size_t i = 0; i < k->n_levels; i++)
		level_read(k, &k->levels[i]);
	for (unsigned int i = 0; i < k->n_roots && !kubepods_any(k); i++)
		search(k, PODNAME_TOP, k->roots[i], 1);
	for (size_t i = 0; i < k->n_pods; i++)
		if (kubepods_followed(k, k->pods[i].uid))
			pod_follow(k, &k->pods[i]);
	k->fn = NULL;
}

void kubepods_seek(struct kubepods *k, kubepods_fn fn, void *arg)
{
	k->fn = fn;
	k->arg = arg;
	for (unsigned int i = 0; i < k->n_roots; i++)
		search(k, PODNAME_CONTAINER, k->roots[i], 1);
	k->fn = NULL;
}

/* ---- events -------------------------------------------------------------- */

/* Forget the directory @name of @dir: somebody removed it. Those below it went
 * before, each with its own event. */
static void path_gone(struct kubepods *k, const char *dir, const char *name)
{
	char path[CGROUP_PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path))
		return;
	for (size_t i = k->n_pods; i-- > 0;)
		if (!strcmp(k->pods[i].path, path))
			pod_drop(k, &k->pods[i]);
	for (size_t i = k->n_levels; i-- > 0;)
		if (!strcmp(k->levels[i].path, path))
			level_drop(k, &k->levels[i]);
}

/* The kernel dropped a watch, because somebody removed the directory. */
static void watch_gone(struct kubepods *k, int wd)
{
	for (size_t i = k->n_levels; i-- > 0;)
		if (k->levels[i].wd == wd) {
			k->levels[i].wd = -1;
			level_drop(k, &k->levels[i]);
		}
	for (size_t i = k->n_pods; i-- > 0;) {
		struct pod_dir *p = &k->pods[i];

		if (p->wd_events == wd)
			p->wd_events = -1;
		if (p->wd_dir != wd)
			continue;
		p->wd_dir = -1;
		pod_drop(k, p);
	}
}

static void level_event(struct kubepods *k, const struct level *l,
			const struct inotify_event *e)
{
	/* Taking entries may move the levels. */
	_free_ char *path = strdup(l->path);
	bool top = l->top;

	if (!path || !(e->mask & IN_ISDIR) || !e->len)
		return;
	/* Somebody may have removed and made a directory of this name: then
	 * forget the old one. */
	path_gone(k, path, e->name);
	if (e->mask & (IN_CREATE | IN_MOVED_TO))
		take_entry(k, path, top, e->name);
}

static void take_event(struct kubepods *k, const struct inotify_event *e)
{
	char uid[PODNAME_UID_MAX];

	if (e->mask & IN_IGNORED) {
		watch_gone(k, e->wd);
		return;
	}
	for (size_t i = 0; i < k->n_levels; i++)
		if (k->levels[i].wd == e->wd) {
			level_event(k, &k->levels[i], e);
			return;
		}
	for (size_t i = 0; i < k->n_pods; i++) {
		const struct pod_dir *p = &k->pods[i];

		if (p->wd_dir != e->wd && p->wd_events != e->wd)
			continue;
		if (e->mask & (IN_CREATE | IN_MOVED_TO | IN_MODIFY)) {
			strcpy(uid, p->uid);
			tell(k, uid);
		}
		return;
	}
}

int kubepods_read(struct kubepods *k, kubepods_fn fn, void *arg)
{
	char room[16384]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *e;
	bool lost = false;
	ssize_t n;

	if (k->fd < 0)
		return 0;
	n = read(k->fd, room, sizeof(room));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	k->fn = fn;
	k->arg = arg;
	for (char *p = room; p < room + n; p += sizeof(*e) + e->len) {
		e = (const void *)p;
		lost |= e->mask & IN_Q_OVERFLOW;
		take_event(k, e);
	}
	if (lost) {
		kubepods_scan(k, fn, arg);
		for (size_t i = 0; i < k->n_pods; i++)
			fn(k->pods[i].uid, arg);
	}
	k->fn = NULL;
	return 0;
}

/* ---- for the agent ------------------------------------------------------- */

void kubepods_follow(struct kubepods *k, const char *uid)
{
	struct follow *f;

	if (strlen(uid) >= PODNAME_UID_MAX || kubepods_followed(k, uid))
		return;
	f = array_push(k->follows, k->n_follows);
	if (!f)
		return;
	strcpy(f->uid, uid);
	for (size_t i = 0; i < k->n_pods; i++)
		if (!strcmp(k->pods[i].uid, uid))
			pod_follow(k, &k->pods[i]);
}

void kubepods_unfollow(struct kubepods *k, const char *uid)
{
	for (size_t i = k->n_follows; i-- > 0;)
		if (!strcmp(k->follows[i].uid, uid))
			k->follows[i] = k->follows[--k->n_follows];
	for (size_t i = 0; i < k->n_pods; i++) {
		if (strcmp(k->pods[i].uid, uid))
			continue;
		unwatch(k, &k->pods[i].wd_dir);
		unwatch(k, &k->pods[i].wd_events);
	}
}

bool kubepods_known(const struct kubepods *k, const char *uid)
{
	for (size_t i = 0; i < k->n_pods; i++)
		if (!strcmp(k->pods[i].uid, uid))
			return true;
	return false;
}

int kubepods_place(const struct kubepods *k, const char *proc, const char *uid,
		   struct place *out)
{
	int err = -ENOENT;

	for (size_t i = 0; i < k->n_pods && err; i++)
		if (!strcmp(k->pods[i].uid, uid))
			err = podspace_in(proc, k->pods[i].path, out);
	return err;
}

/* ---- open ---------------------------------------------------------------- */

static int add_root(struct kubepods *k, const char *path)
{
	k->roots[k->n_roots] = strdup(path);
	return k->roots[k->n_roots++] ? 0 : -ENOMEM;
}

static int find_roots(struct kubepods *k, const char *proc, const char *root)
{
	/* Kubelet makes a pod's directory in each of these. */
	static const char *const controllers[] = {"pids", "memory", "cpu",
						  "name=systemd"};
	char path[CGROUP_PATH_MAX];
	int err = root ? add_root(k, root) : 0;

	for (size_t i = 0; !err && i < array_size(controllers); i++)
		if (!cgroup_v1_mount(proc, controllers[i], path))
			return add_root(k, path);
	return err;
}

int kubepods_open(const char *proc, const char *root, struct kubepods **out)
{
	struct kubepods *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	k->fd = -1;
	err = find_roots(k, proc, root);
	if (err) {
		kubepods_close(k);
		return err;
	}
	kubepods_scan(k, NULL, NULL);
	*out = k;
	return 0;
}

void kubepods_close(struct kubepods *k)
{
	if (!k)
		return;
	if (k->fd >= 0)
		close(k->fd); /* and all watches */
	for (unsigned int i = 0; i < k->n_roots; i++)
		free(k->roots[i]);
	for (size_t i = 0; i < k->n_levels; i++)
		free(k->levels[i].path);
	for (size_t i = 0; i < k->n_pods; i++)
		free(k->pods[i].path);
	free(k->levels);
	free(k->pods);
	free(k->follows);
	free(k);
}

int kubepods_fd(const struct kubepods *k)
{
	return k->fd;
}
