// SPDX-License-Identifier: Apache-2.0
#include "node/run_cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Of a program's name in that of its cgroup. */
#define NAME_MAX_LEN 32

/* ---- this process -------------------------------------------------------- */

/* The path of this process' cgroup v2, "" for the root. */
static int own_path(char path[CGROUP_PATH_MAX])
{
	_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
	char line[CGROUP_PATH_MAX + 16];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4))
			continue;
		/* "/..": outside of what this cgroup namespace shows */
		if (!strncmp(line + 3, "/..", 3))
			return -ENODEV;
		strcpy(path, line[4] ? line + 3 : "");
		return 0;
	}
	return -ENODEV;
}

/* What a Kubernetes name may have, of the last part of @program. */
static void name_of(const char *program, char name[NAME_MAX_LEN + 1])
{
	const char *slash = strrchr(program, '/');
	size_t n = 0;

	for (const char *p = slash ? slash + 1 : program;
	     *p && n < NAME_MAX_LEN; p++)
		name[n++] = isascii(*p) && isalnum(*p) ? tolower(*p) : '-';
	name[n] = '\0';
}

/* Move this process into the directory. */
static int move_to(const char *root, const char *path)
{
	char file[2 * CGROUP_PATH_MAX];
	_close_ int fd = -1;

	snprintf(file, sizeof(file), "%s%s/cgroup.procs", root, path);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	/* 0: whoever writes */
	return fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
}

int run_cgroup_enter(const char *root, const char *program,
		     struct run_cgroup *out)
{
	char dir[CGROUP_PATH_MAX], name[NAME_MAX_LEN + 1];
	int err = own_path(out->before);

	if (err)
		return err;
	name_of(program, name);
	if (snprintf(out->path, sizeof(out->path), "%s/%s%s-%d", out->before,
		     RUN_CGROUP_PREFIX, name,
		     getpid()) >= (int)sizeof(out->path))
		return -ENAMETOOLONG;
	out->root = root;
	err = cgroup_named(root, out->path, dir);
	/* One that is there is an earlier process' of this number, empty. */
	if (err == -ENOENT)
		err = mkdir(dir, 0755) ? -errno : 0;
	if (err)
		return err == -ENOENT ? -ENODEV : err;
	err = move_to(root, out->path);
	if (err)
		rmdir(dir);
	return err;
}

int run_cgroup_leave(const struct run_cgroup *c)
{
	char dir[CGROUP_PATH_MAX];
	int err = move_to(c->root, c->before);

	err = err ?: cgroup_named(c->root, c->path, dir);
	return err ?: (rmdir(dir) ? -errno : 0);
}

/* ---- those of others ----------------------------------------------------- */

bool run_cgroup_is(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && !strncmp(slash + 1, RUN_CGROUP_PREFIX,
				 strlen(RUN_CGROUP_PREFIX));
}

int run_cgroup_find(const char *root, const char *path,
		    char dir[CGROUP_PATH_MAX])
{
	struct stat st;
	int err;

	if (*path != '/' || !run_cgroup_is(path) || strstr(path, "/../"))
		return -EINVAL;
	err = cgroup_named(root, path, dir);
	if (err)
		return err;
	if (stat(dir, &st))
		return -errno;
	/* Whom a part of the tree was given to may make such names there: a
	 * user's, or a container's, whose root is root here, too. */
	return st.st_uid || strstr(path, "/kubepods") ? -EPERM : 0;
}

int run_cgroup_each(const char *root, run_cgroup_fn fn, void *arg)
{
	char *const paths[] = {(char *)root, NULL};
	FTS *tree =
		fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	char dir[CGROUP_PATH_MAX];
	const char *path;
	FTSENT *e;
	int err = 0;

	if (!tree)
		return -errno;
	while (!err && (e = fts_read(tree))) {
		if (e->fts_info != FTS_D || !e->fts_level)
			continue;
		path = e->fts_path + strlen(root);
		if (!run_cgroup_is(path))
			continue;
		fts_set(tree, e, FTS_SKIP);
		if (!run_cgroup_find(root, path, dir))
			err = fn(path, arg);
	}
	fts_close(tree);
	return err;
}

int run_cgroup_remove(const char *dir)
{
	char *const paths[] = {(char *)dir, NULL};
	FTS *tree;
	FTSENT *e;
	int err = 0;

	if (access(dir, F_OK))
		return errno == ENOENT ? 0 : -errno;
	if (cgroup_populated(dir))
		return -EBUSY;
	tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	if (!tree)
		return -errno;
	/* The files of a cgroup go with it. */
	while ((e = fts_read(tree)))
		if (e->fts_info == FTS_DP)
			err = rmdir(e->fts_path) ? -errno : 0;
	fts_close(tree);
	return err == -ENOENT ? 0 : err;
}
