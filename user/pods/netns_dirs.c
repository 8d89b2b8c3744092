// SPDX-License-Identifier: Apache-2.0
#include "pods/netns_dirs.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/log.h"
#include "base/once.h"
#include "loop/handles.h"

/* Directories of namespaces are few: /run/netns, one of a runtime's. */
#define WATCH_MAX 16

struct dir {
	uv_fs_event_t handle; /* its `data` is NULL while nothing is watched */
	struct watch *owner;
	char path[PATH_MAX];
};

struct watch {
	uv_loop_t *loop;
	watch_fn fn;
	void *arg;
	struct dir dirs[WATCH_MAX];
	struct handles handles;
	bool unwatched; /* logged */
};

static void dir_event(uv_fs_event_t *handle, const char *name, int events,
		      int status)
{
	struct dir *d = (struct dir *)handle;
	char path[2 * PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s%s", d->path,
		 name && d->path[1] ? "/" : "", name ? name : "");
	/* A directory that went away is not watched any more, even if a new
	 * one has its name. */
	if (stat(d->path, &st) && !uv_is_closing((uv_handle_t *)handle))
		handles_close(&d->owner->handles, handle);
	d->owner->fn(path, d->owner->arg);
}

int watch_open(uv_loop_t *loop, watch_fn fn, void *arg, struct watch **out)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	*out = w;
	return 0;
}

static bool dir_above(char path[PATH_MAX])
{
	char *slash = strrchr(path, '/');

	if (!slash || !path[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* Return: a free place, or NULL where @path is watched already or all places
 * are taken. */
static struct dir *dir_place(struct watch *w, const char *path)
{
	struct dir *place = NULL;

	for (unsigned int i = 0; i < WATCH_MAX; i++) {
		struct dir *d = &w->dirs[i];

		if (d->handle.data && !strcmp(d->path, path))
			return NULL;
		if (!d->handle.data)
			place = d;
	}
	return place;
}

static void dir_watch(struct watch *w, const char *path)
{
	struct dir *d = dir_place(w, path);
	int err;

	if (!d || uv_fs_event_init(w->loop, &d->handle))
		return;
	d->handle.data = d;
	d->owner = w;
	snprintf(d->path, sizeof(d->path), "%s", path);
	err = uv_fs_event_start(&d->handle, dir_event, path, 0);
	if (!err)
		return;
	if (once_bool(&w->unwatched, true))
		log_warn(
			err,
			"watch %s: namespaces there are found within a minute only (fs.inotify.max_user_instances and max_user_watches are the usual limits)",
			path);
	handles_close(&w->handles, &d->handle);
}

void watch_path(struct watch *w, const char *path)
{
	char dir[PATH_MAX];
	struct stat st;

	if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir) ||
	    path[0] != '/' || !strncmp(path, "/proc/", 6))
		return;
	while (dir_above(dir)) {
		if (!stat(dir, &st) && S_ISDIR(st.st_mode)) {
			dir_watch(w, dir);
			return;
		}
	}
}

void watch_close(struct watch *w)
{
	if (!w)
		return;
	for (unsigned int i = 0; i < WATCH_MAX; i++) {
		uv_handle_t *h = (uv_handle_t *)&w->dirs[i].handle;

		if (h->data && !uv_is_closing(h))
			handles_close(&w->handles, h);
	}
	handles_free(&w->handles, free, w);
}
