// SPDX-License-Identifier: Apache-2.0
#include "node/settings_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/array.h"
#include "node/netns.h"
#include "node/settings_file.h"

static DIR *open_all(const char *run)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" SETTINGS_DIR, run);
	return opendir(path);
}

int settings_count(const char *run)
{
	_closedir_ DIR *dir = open_all(run);
	struct dirent *d;
	int n = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((d = readdir(dir)))
		n += *d->d_name != '.';
	return n;
}

struct living {
	ino_t *v;
	size_t n;
};

static int note_living(const struct place *at, void *arg)
{
	struct living *l = arg;
	ino_t *slot = array_push(l->v, l->n);

	if (!slot)
		return -ENOMEM;
	*slot = at->id.ino;
	return 0;
}

/* The number that its file has may be another namespace's by now: then the file
 * stays until that one is gone, too. */
static bool lives(DIR *dir, const char *name, const struct living *l)
{
	_close_ int fd = openat(dirfd(dir), name, O_RDONLY | O_CLOEXEC);
	char text[48] = "";
	unsigned long long inode;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "netns %llu", &inode) != 1)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i] == inode)
			return true;
	return false;
}

static int remove_directory(const char *run)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" SETTINGS_DIR, run);
	return rmdir(path) && errno != ENOENT ? -errno : 0;
}

int settings_forget(const char *run, const char *proc)
{
	_closedir_ DIR *dir = open_all(run);
	struct living living = {};
	struct dirent *d;
	int err;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	err = proc ? netns_each(proc, note_living, &living) : 0;
	while (!err && (d = readdir(dir)))
		if (*d->d_name != '.' && !lives(dir, d->d_name, &living) &&
		    unlinkat(dirfd(dir), d->d_name, 0))
			err = -errno;
	free(living.v);
	return err ?: proc ? 0 : remove_directory(run);
}
