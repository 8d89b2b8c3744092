// SPDX-License-Identifier: Apache-2.0
#include "node/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "base/log.h"

int run_dir_make(const char *run)
{
	struct stat st;
	int err;

	if (mkdir(run, 0700) && errno != EEXIST) {
		err = -errno;
		return log_err(err, "make the run directory %s", run);
	}
	if (stat(run, &st)) {
		err = -errno;
		return log_err(err, "look at the run directory %s", run);
	}
	if (!S_ISDIR(st.st_mode))
		return log_err(-ENOTDIR, "the run directory %s", run);
	if (st.st_uid != geteuid())
		return log_err(
			-EPERM,
			"the run directory %s belongs to another user, uid=%u",
			run, st.st_uid);
	if ((st.st_mode & 07777) != 0700 && chmod(run, 0700)) {
		err = -errno;
		return log_err(err, "close the run directory %s to others",
			       run);
	}
	return 0;
}

static pid_t pid_read(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return strtol(text, NULL, 10);
}

static int pid_write(int fd)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", getpid());

	if (ftruncate(fd, 0) || pwrite(fd, text, len, 0) != len)
		return errno ? -errno : -EIO;
	return 0;
}

/* Is @fd still the file at @path? Cleanup removes the file while it holds
 * it. */
static bool is_at(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

int lock_take(const char *run, pid_t *holder)
{
	char path[PATH_MAX];
	_close_ int fd = -1;
	int err;

	snprintf(path, sizeof(path), "%s/agent.lock", run);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = -errno;
		if (err != -EWOULDBLOCK)
			return err;
		*holder = pid_read(fd);
		return -EBUSY;
	}
	if (!is_at(fd, path))
		return -ESTALE;
	err = pid_write(fd);
	return err ?: take_fd(fd);
}
