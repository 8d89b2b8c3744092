// SPDX-License-Identifier: Apache-2.0
#include "node/place.h"

#include <fcntl.h>
#include <string.h>

/* Non-blocking: an administrator may have named a file that is no namespace,
 * and whose other end never answers. */
#define HOLD (O_RDONLY | O_NONBLOCK | O_CLOEXEC)

static int hold(int dir, const char *path, struct place *out)
{
	_close_ int fd = openat(dir, path, HOLD);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	out->id = (struct ns_id){.dev = st.st_dev, .ino = st.st_ino};
	out->fd = take_fd(fd);
	return 0;
}

int place_open(const char *path, struct place *out)
{
	int err;

	if (strlen(path) >= sizeof(out->path))
		return -ENAMETOOLONG;
	err = hold(AT_FDCWD, path, out);
	if (err)
		return err;
	out->process = (struct proc_id){};
	strcpy(out->path, path);
	return 0;
}

int place_of(const char *proc, int dir, const struct proc_id *id,
	     struct place *out)
{
	char path[PATH_MAX];
	int err;

	if (snprintf(path, sizeof(path), "%s/%d/ns/net", proc, id->pid) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	err = hold(dir, "ns/net", out);
	if (err)
		return err;
	out->process = *id;
	strcpy(out->path, path);
	return 0;
}

void place_close(struct place *p)
{
	cleanup_close(&p->fd);
	p->fd = -1;
}

struct place_mark place_mark(const struct place *p)
{
	return (struct place_mark){p->id, p->process};
}

bool place_is_marked(const struct place *p, const struct place_mark *mark)
{
	return p->process.pid && p->process.pid == mark->process.pid &&
	       p->process.start == mark->process.start &&
	       ns_same(&p->id, &mark->id);
}
