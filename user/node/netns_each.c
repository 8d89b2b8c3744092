// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include "base/array.h"
#include "node/netns.h"
#include "node/proc.h"

/* Where `ip netns` and container runtimes mount them. */
#define NETNS_DIR "/run/netns"

struct each {
	const char *proc;
	netns_fn fn;
	void *arg;
	struct held {
		int fd;
		struct ns_id id;
	} *seen;
	size_t n;
};

static bool was_seen(const struct each *e, const struct ns_id *id)
{
	for (size_t i = 0; i < e->n; i++)
		if (ns_same(&e->seen[i].id, id))
			return true;
	return false;
}

/* Call @fn for the namespace at @path, if it is a new one. */
static int visit(struct each *e, const char *path)
{
	_place_ struct place at = PLACE_NONE;
	struct held *seen;
	int err = place_open(path, &at);

	/* It is gone; or we may not open it. Then no agent with our rights was
	 * ever in it either, so nothing of ours is there; and if we have fewer
	 * rights than the agent @fn fails already in our own. */
	if (err == -EMFILE || err == -ENFILE)
		return err;
	if (err || was_seen(e, &at.id))
		return 0;
	err = e->fn(&at, e->arg);
	if (err) /* left this path; another may still lead there */
		return err == -ENOENT ? 0 : err;
	seen = array_push(e->seen, e->n);
	if (!seen)
		return -ENOMEM;
	*seen = (struct held){take_fd(at.fd), at.id};
	return 0;
}

/* This needs a descriptor for each namespace: the usual 1,024 may be too few,
 * so raise the limit. */
static void want_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static void let_go(struct each *e)
{
	for (size_t i = 0; i < e->n; i++)
		close(e->seen[i].fd);
	free(e->seen);
}

static int visit_process(pid_t pid, void *arg)
{
	struct each *e = arg;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%d/ns/net", e->proc, pid);
	return visit(e, path);
}

/* A namespace that is unmounted leaves an ordinary file behind. */
static bool is_nsfs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == NSFS_MAGIC;
}

static int visit_mounted(struct each *e, const char *where)
{
	_closedir_ DIR *dir = opendir(where);
	char path[PATH_MAX];
	struct dirent *d;
	int err = 0;

	while (!err && dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", where, d->d_name);
		if (is_nsfs(path))
			err = visit(e, path);
	}
	return err;
}

/*
 * Mounted ones first: such a path stays good when a process ends. Then those of
 * processes, whose paths tell which. The host's mounts last: a container has
 * other ones, and a pod whose containers have all ended may have only such a
 * mount.
 */
int netns_each(const char *proc, netns_fn fn, void *arg)
{
	struct each e = {
		.proc = proc ? proc : PROC_DEFAULT, .fn = fn, .arg = arg};
	char host[PATH_MAX];
	int err;

	want_descriptors();
	snprintf(host, sizeof(host), "%s/1/root" NETNS_DIR, e.proc);
	err = visit_mounted(&e, NETNS_DIR);
	err = err ?: proc_each(e.proc, visit_process, &e);
	err = err ?: visit_mounted(&e, host);
	let_go(&e);
	return err;
}
