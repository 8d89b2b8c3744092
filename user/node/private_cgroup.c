// SPDX-License-Identifier: Apache-2.0
#include "node/private_cgroup.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"

/* Return: a descriptor of the mount's root, or a negative errno. */
static int mount_hierarchy(void)
{
	_close_ int fs = fsopen("cgroup2", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int private_cgroup_make(const char *what, struct private_cgroup *out)
{
	_close_ int mount = mount_hierarchy();
	struct private_cgroup c;

	if (mount < 0)
		return mount;
	/* Processes of another PID namespace may have this number, too. */
	snprintf(c.name, sizeof(c.name), "%s%s-%d-%llx", PRIVATE_CGROUP_PREFIX,
		 what, getpid(), (unsigned long long)clock_now());
	if (mkdirat(mount, c.name, 0700))
		return -errno;
	c.fd = openat(mount, c.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.fd < 0) {
		int err = -errno;

		unlinkat(mount, c.name, AT_REMOVEDIR);
		return err;
	}
	c.mount = take_fd(mount);
	*out = c;
	return 0;
}

int private_cgroup_enter(const struct private_cgroup *c)
{
	_close_ int fd = openat(c->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	/* 0: whoever writes */
	return fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
}

/* A process may still be in its cgroup for a moment after it was waited for. */
static int remove_patiently(const struct private_cgroup *c)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int i = 0; unlinkat(c->mount, c->name, AT_REMOVEDIR); i++) {
		if (errno != EBUSY || i == 200)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

void private_cgroup_drop(struct private_cgroup *c)
{
	int err;

	if (c->fd < 0)
		return;
	err = remove_patiently(c);
	if (err)
		log_err(err, "remove the cgroup %s", c->name);
	close(take_fd(c->fd));
	close(take_fd(c->mount));
}
