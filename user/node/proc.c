// SPDX-License-Identifier: Apache-2.0
#include "node/proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

int ns_of_path(const char *path, struct ns_id *out)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	return 0;
}

__u64 netns_own_cookie(void)
{
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		return 0;
	return cookie;
}

int proc_open(const char *proc, pid_t pid)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%d", proc, pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int proc_ns_of(int dir, const char *kind, struct ns_id *out)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "ns/%s", kind);
	if (fstatat(dir, path, &st, 0))
		return -errno;
	*out = (struct ns_id){.dev = st.st_dev, .ino = st.st_ino};
	return 0;
}

int proc_ns(const char *proc, pid_t pid, const char *kind, struct ns_id *out)
{
	_close_ int dir = proc_open(proc, pid);

	return dir < 0 ? dir : proc_ns_of(dir, kind, out);
}

bool proc_file_beside(const char *netns, const char *name, char path[PATH_MAX])
{
	static const char end[] = "/ns/net";
	size_t len = strlen(netns), n = strlen(end);

	return len > n && !strcmp(netns + len - n, end) &&
	       snprintf(path, PATH_MAX, "%.*s/%s", (int)(len - n), netns,
			name) < PATH_MAX;
}

/* Return: the process number that @name is, else 0. */
static pid_t pid_of(const char *name)
{
	char *end;
	long pid;

	if (name[0] < '1' || name[0] > '9')
		return 0;
	pid = strtol(name, &end, 10);
	return *end || pid > INT_MAX ? 0 : pid;
}

int proc_each(const char *proc, proc_fn fn, void *arg)
{
	_closedir_ DIR *dir = opendir(proc);
	struct dirent *d;
	int err = 0;

	if (!dir)
		return -errno;
	while (!err && (d = readdir(dir)))
		if (pid_of(d->d_name))
			err = fn(pid_of(d->d_name), arg);
	return err;
}

static ssize_t read_file(int dir, const char *path, char *to, size_t room)
{
	_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, to, room - 1);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	return n;
}

long long proc_start_of(int dir)
{
	char stat[1024], *p;
	ssize_t n = read_file(dir, "stat", stat, sizeof(stat));

	if (n < 0)
		return n;
	/* Field 22; the second is a name in parentheses that may hold blanks
	 * and parentheses itself: count from the last one. */
	p = strrchr(stat, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoll(p, NULL, 10) : -EINVAL;
}

/* ---- who holds a socket -------------------------------------------------- */

struct search {
	const char *proc;
	const unsigned long *inode;
	bool *held;
	size_t n;
};

static void note_link(int dir_fd, const char *name, const struct search *s)
{
	char target[64];
	unsigned long inode;
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (len <= 0)
		return;
	target[len] = '\0';
	if (sscanf(target, "socket:[%lu]", &inode) != 1)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->inode[i] == inode)
			s->held[i] = true;
}

static int search_process(pid_t pid, void *arg)
{
	const struct search *s = arg;
	_closedir_ DIR *dir = NULL;
	char path[PATH_MAX];
	struct dirent *d;

	snprintf(path, sizeof(path), "%s/%d/fd", s->proc, pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		note_link(dirfd(dir), d->d_name, s);
	return 0;
}

void proc_holds_sockets(const char *proc, const unsigned long *inode,
			bool *held, size_t n)
{
	struct search s = {.proc = proc, .inode = inode, .held = held, .n = n};

	memset(held, 0, n * sizeof(*held));
	proc_each(proc, search_process, &s);
}
