// SPDX-License-Identifier: Apache-2.0
#include "node/cgroup.h"

#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>
#include "node/podname.h"

/* kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice,
 * and three more for a kubelet that itself runs in a container's cgroup. */
#define POD_DEPTH 6

/* enum fid_type of the kernel's include/linux/exportfs.h; not in its uapi. */
#define FILEID_KERNFS 0xfe

int cgroup_v1_mount(const char *proc, const char *controller,
		    char path[CGROUP_PATH_MAX])
{
	char table[PATH_MAX], room[8192];
	_fclose_ FILE *f = NULL;
	struct mntent m;

	snprintf(table, sizeof(table), "%s/self/mounts", proc);
	f = fopen(table, "re");
	if (!f)
		return -errno;
	while (getmntent_r(f, &m, room, sizeof(room))) {
		if (strcmp(m.mnt_type, "cgroup") || !hasmntopt(&m, controller))
			continue;
		if (strlen(m.mnt_dir) >= CGROUP_PATH_MAX)
			return -ENAMETOOLONG;
		strcpy(path, m.mnt_dir);
		return 0;
	}
	return -ENOENT;
}

/* ---- the directory ------------------------------------------------------- */

/* The directory of any pod, or of a container: nothing below it is another
 * pod's. */
static bool is_some_pods(const char *name)
{
	char uid[PODNAME_UID_MAX];
	enum podname_what what = podname_parse(name, uid);

	return what == PODNAME_POD || what == PODNAME_CONTAINER;
}

/* Append "/@name" to @path, in place. Return: 0 or -ENAMETOOLONG. */
static int push_name(char path[CGROUP_PATH_MAX], const char *name)
{
	size_t len = strlen(path);

	if (len + strlen(name) + 2 > CGROUP_PATH_MAX)
		return -ENAMETOOLONG;
	path[len] = '/';
	strcpy(path + len + 1, name);
	return 0;
}

static bool is_directory(const struct dirent *d)
{
	return d->d_type == DT_DIR && strcmp(d->d_name, ".") &&
	       strcmp(d->d_name, "..");
}

typedef int (*dir_fn)(char path[CGROUP_PATH_MAX], const char *name, int depth,
		      void *arg);

/*
 * Call @fn for each directory in @path, with that directory's path in @path,
 * until it returns other than -ENOENT. @path stays as in that call, and else is
 * what it was. Return: what @fn returned last, or a negative errno.
 */
static int each_directory(char path[CGROUP_PATH_MAX], int depth, dir_fn fn,
			  void *arg)
{
	_closedir_ DIR *dir = opendir(path);
	size_t len = strlen(path);
	struct dirent *d;
	int err = -ENOENT;

	if (!dir)
		return -errno; /* -ENOENT: it was removed */
	while (err == -ENOENT && (d = readdir(dir))) {
		if (!is_directory(d))
			continue;
		path[len] = '\0';
		if (!push_name(path, d->d_name))
			err = fn(path, d->d_name, depth, arg);
	}
	if (err == -ENOENT)
		path[len] = '\0';
	return err;
}

static int find_below(char path[CGROUP_PATH_MAX], const char *name, int depth,
		      void *uid)
{
	if (podname_is(name, uid))
		return 0;
	if (depth == POD_DEPTH || is_some_pods(name))
		return -ENOENT;
	/* A directory that cannot be read does not end the search. */
	return each_directory(path, depth + 1, find_below, uid) ? -ENOENT : 0;
}

int cgroup_find_pod(const char *root, const char *uid,
		    char path[CGROUP_PATH_MAX])
{
	char at[CGROUP_PATH_MAX];
	int err;

	if (strlen(root) >= sizeof(at))
		return -ENAMETOOLONG;
	strcpy(at, root);
	err = each_directory(at, 1, find_below, (void *)uid);
	if (!err)
		strcpy(path, at);
	return err;
}

int cgroup_named(const char *root, const char *name, char path[CGROUP_PATH_MAX])
{
	struct stat st;

	if (snprintf(path, CGROUP_PATH_MAX, "%s%s", root ?: "", name) >=
	    CGROUP_PATH_MAX)
		return -ENAMETOOLONG;
	if (!root)
		return -ENOENT;
	if (stat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static bool lists(const char *dir, pid_t pid)
{
	char file[CGROUP_PATH_MAX + 16];
	_fclose_ FILE *f = NULL;
	int listed;

	snprintf(file, sizeof(file), "%s/cgroup.procs", dir);
	f = fopen(file, "re");
	while (f && fscanf(f, "%d", &listed) == 1)
		if (listed == pid)
			return true;
	return false;
}

bool cgroup_holds(const char *path, pid_t pid)
{
	char *const paths[] = {(char *)path, NULL};
	FTS *tree =
		fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	bool found = !tree;
	FTSENT *e;

	while (!found && (e = fts_read(tree)))
		found = e->fts_info == FTS_D && lists(e->fts_path, pid);
	if (tree)
		fts_close(tree);
	return found;
}

int cgroup_id(const char *path, __u64 *out)
{
	struct {
		struct file_handle head;
		__u64 id;
	} handle = {.head.handle_bytes = sizeof(handle.id)};
	struct stat st;
	int mount;

	/* kernfs hands out exactly the 64-bit id. */
	if (!name_to_handle_at(AT_FDCWD, path, &handle.head, &mount, 0) &&
	    handle.head.handle_type == FILEID_KERNFS) {
		memcpy(out, handle.head.f_handle, sizeof(*out));
		return 0;
	}
	/* A seccomp profile forbids it, or this is not kernfs: on 64-bit
	 * kernels since 5.5 the inode number is the id. */
	if (stat(path, &st))
		return -errno;
	*out = st.st_ino;
	return 0;
}

bool cgroup_populated(const char *path)
{
	char file[CGROUP_PATH_MAX + 16], line[64];
	_fclose_ FILE *f = NULL;

	snprintf(file, sizeof(file), "%s/cgroup.events", path);
	f = fopen(file, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strcmp(line, "populated 0\n"))
			return false;
	return true;
}

bool cgroup_alive(const char *root, __u64 id)
{
	struct {
		struct file_handle head;
		__u64 id;
	} handle = {
		.head = {.handle_bytes = sizeof(id),
			 .handle_type = FILEID_KERNFS},
		.id = id,
	};
	_close_ int mount = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_close_ int fd = -1;

	if (mount < 0)
		return true;
	fd = open_by_handle_at(mount, &handle.head, O_PATH | O_CLOEXEC);
	return fd >= 0 || errno != ESTALE;
}
