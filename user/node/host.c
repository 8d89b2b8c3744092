// SPDX-License-Identifier: Apache-2.0
#include "node/host.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <zlib.h>

#define LINE_MAX_BYTES 8192

int host_file(const struct host *h, const char *path, int flags)
{
	const struct open_how how = {.flags = flags | O_CLOEXEC,
				     .resolve = RESOLVE_IN_ROOT};
	_close_ int root = open(*h->root ? h->root : "/",
				O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[PATH_MAX];
	int fd;

	if (root < 0)
		return -errno;
	snprintf(text, sizeof(text), "%s%s", h->root, path);
	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open(text, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void find_root(const char *proc, struct host *out)
{
	snprintf(out->root, sizeof(out->root), "%s/1/root", proc);
	/* Who is not root may not look there; where no other host's processes
	 * are shown the files are this one's own. */
	if (!host_has(out, "/proc") && !strcmp(proc, "/proc"))
		out->root[0] = '\0';
}

void host_open(const char *proc, const char *root, struct host *out)
{
	struct utsname name = {};

	*out = (struct host){.given = root};
	uname(&name);
	snprintf(out->machine, sizeof(out->machine), "%s", name.machine);
	if (!root) {
		find_root(proc, out);
		snprintf(out->release, sizeof(out->release), "%s",
			 name.release);
		return;
	}
	snprintf(out->root, sizeof(out->root), "%s", root);
	if (host_first_line(out, "/proc/sys/kernel/osrelease", out->release,
			    sizeof(out->release)))
		snprintf(out->release, sizeof(out->release), "%s",
			 name.release);
}

bool host_has(const struct host *h, const char *path)
{
	_close_ int fd = host_file(h, path, O_PATH);

	return fd >= 0;
}

static void close_gz(gzFile *f)
{
	if (*f)
		gzclose(*f);
}

int host_each_line(const struct host *h, const char *path, host_line_fn fn,
		   void *arg)
{
	_cleanup_(close_gz) gzFile f = NULL;
	_close_ int fd = host_file(h, path, O_RDONLY);
	char line[LINE_MAX_BYTES];
	int err = 0;

	if (fd < 0)
		return fd;
	f = gzdopen(fd, "r");
	if (!f)
		return -ENOMEM;
	fd = -1; /* @f has it now */
	while (gzgets(f, line, sizeof(line))) {
		line[strcspn(line, "\n")] = '\0';
		if (!fn(line, arg))
			return 0;
	}
	gzerror(f, &err);
	return err == Z_OK || err == Z_STREAM_END ? 0 : -EIO;
}

struct first {
	char *line;
	size_t room;
};

static bool take_first(char *line, void *arg)
{
	const struct first *to = arg;

	snprintf(to->line, to->room, "%s", line);
	return false;
}

int host_first_line(const struct host *h, const char *path, char *line,
		    size_t room)
{
	struct first to = {line, room};

	*line = '\0';
	return host_each_line(h, path, take_first, &to);
}
