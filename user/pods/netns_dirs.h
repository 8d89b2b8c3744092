/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories in which a wanted pod's namespace may appear or go, /run/netns
 * above all. An event only says "look again": `ip netns add` makes the file
 * first and mounts the namespace over it afterwards, and the mount makes no
 * event.
 */
#pragma once

#include <uv.h>
#include "base/cleanup.h"

struct watch;

/* Something happened to @path, or to the whole directory @path. Called from the
 * loop. */
typedef void (*watch_fn)(const char *path, void *arg);

/* watch_open - Return: 0 or -ENOMEM. */
must_check int watch_open(uv_loop_t *loop, watch_fn fn, void *arg,
			  struct watch **out);

/*
 * watch_path - See to it that the directory of @path, or the nearest one above
 * it that exists, is watched. Below /proc nothing can be watched: the resync
 * looks there. Best effort: what cannot be watched is left to the resync too.
 */
void watch_path(struct watch *w, const char *path);

/* watch_close - Stop all; memory goes when the loop has closed the handles. */
void watch_close(struct watch *w);
