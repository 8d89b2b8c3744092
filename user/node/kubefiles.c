// SPDX-License-Identifier: Apache-2.0
#include "node/kubefiles.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/cleanup.h"
#include "node/proc.h"

/* A line of a mount table: two paths, each character of which may be written as
 * four, and the options of two mounts. */
#define LINE_ROOM 32768

/* One mount: Documentation/filesystems/proc.rst, mountinfo. Points into its
 * line. */
struct mount {
	char *device; /* "major:minor" of the file system */
	char *root;   /* the mounted part of it */
	char *point;  /* where */
};

/* The kernel writes blanks, tabs, line ends and backslashes as \ooo. */
static void unescape(char *text)
{
	char *to = text;
	unsigned int c;

	for (const char *from = text; *from; to++) {
		if (*from == '\\' && sscanf(from + 1, "%3o", &c) == 1) {
			*to = c;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Return: is @line one? */
static bool take_mount(char *line, struct mount *m)
{
	char *fields[5], *save;

	for (size_t i = 0; i < array_size(fields); i++) {
		fields[i] = strtok_r(i ? NULL : line, " \n", &save);
		if (!fields[i])
			return false;
	}
	*m = (struct mount){fields[2], fields[3], fields[4]};
	unescape(m->root);
	unescape(m->point);
	return true;
}

/* Return: true: go no further. */
typedef bool (*mount_fn)(const struct mount *m, void *arg);

static bool any_mount(int dir, mount_fn fn, void *arg)
{
	_close_ int fd = openat(dir, "mountinfo", O_RDONLY | O_CLOEXEC);
	_free_ char *line = malloc(LINE_ROOM);
	_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	struct mount m;

	if (!f)
		return false;
	take_fd(fd);
	while (line && fgets(line, LINE_ROOM, f))
		if (take_mount(line, &m) && fn(&m, arg))
			return true;
	return false;
}

/* ---- the same file ------------------------------------------------------- */

/* Look @path up as a process sees it: a link in it leads to where it leads for
 * that process, not for us. */
static bool stat_in_root(int dir, const char *path, struct stat *st)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC,
				     .resolve = RESOLVE_IN_ROOT |
						RESOLVE_NO_MAGICLINKS};
	_close_ int root = openat(dir, "root", O_PATH | O_CLOEXEC);
	_close_ int fd = -1;

	if (root < 0)
		return false;
	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd >= 0 && !fstat(fd, st);
}

/* The file @path of the file system @device, which PROC/1 has mounted. */
struct sought {
	int host; /* directory of PROC/1 */
	const char *device, *path;
	const struct stat *file; /* is it this one? */
};

/* The rest of @path below @root; NULL: it is not below. */
static const char *below(const char *path, const char *root)
{
	size_t len = strlen(root);

	if (len && root[len - 1] == '/') /* "/" itself */
		len--;
	return !strncmp(path, root, len) && path[len] == '/' ? path + len
							     : NULL;
}

static bool is_there(const struct mount *m, void *arg)
{
	const struct sought *s = arg;
	const char *rest = below(s->path, m->root);
	char path[PATH_MAX];
	struct stat st;

	return rest && !strcmp(m->device, s->device) &&
	       snprintf(path, sizeof(path), "%s%s", m->point, rest) <
		       (int)sizeof(path) &&
	       stat_in_root(s->host, path, &st) &&
	       st.st_dev == s->file->st_dev && st.st_ino == s->file->st_ino;
}

/* ---- of a pod ------------------------------------------------------------ */

struct question {
	int host, dir;
	const char *uid;
};

/* PREFIX/pods/<uid>/etc-hosts or PREFIX/pods/<uid>/containers/... */
static bool is_kubelets(const char *path, const char *uid)
{
	static const char *const files[] = {"/etc-hosts", "/containers/"};
	size_t len = strlen(uid), n;

	for (const char *p = path; (p = strstr(p, "/pods/")); p++) {
		const char *rest = p + strlen("/pods/");

		if (strncmp(rest, uid, len))
			continue;
		for (size_t i = 0; i < array_size(files); i++) {
			n = strlen(files[i]);
			if (!strncmp(rest + len, files[i], n))
				return true;
		}
	}
	return false;
}

static bool proves(const struct mount *m, void *arg)
{
	const struct question *q = arg;
	struct stat st;
	struct sought s = {.host = q->host,
			   .device = m->device,
			   .path = m->root,
			   .file = &st};

	return is_kubelets(m->root, q->uid) &&
	       stat_in_root(q->dir, m->point, &st) &&
	       any_mount(q->host, is_there, &s);
}

bool kubefiles_has(const char *proc, int dir, const char *uid)
{
	_close_ int host = proc_open(proc, 1);
	struct question q = {host, dir, uid};

	return host >= 0 && *uid && any_mount(dir, proves, &q);
}
