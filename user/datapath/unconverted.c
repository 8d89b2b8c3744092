// SPDX-License-Identifier: Apache-2.0
#include "datapath/unconverted.h"

#include <bpf/bpf.h>
#include <limits.h>
#include <smcmesh/converting.h>
#include <sys/syscall.h>
#include "datapath/abis.h"

/* @pidfd: the key of a task's row. */
static int mark_in(const char *dir, int pidfd)
{
	const struct smc_converting row = {.failed = 1};
	_close_ int fd =
		abi_map_open(dir, "smc_converting", sizeof(int), sizeof(row));

	if (fd < 0)
		return fd == -ENOENT || fd == -EPROTO ? 0 : fd;
	return bpf_map_update_elem(fd, &pidfd, &row, BPF_ANY);
}

int unconverted_mark(const char *bpffs, pid_t pid)
{
	_close_ int pidfd = syscall(SYS_pidfd_open, pid, 0);
	_cleanup_(abi_dirs_free) struct abi_dirs dirs = {};
	char root[PATH_MAX];
	int err;

	if (pidfd < 0)
		return -errno;
	snprintf(root, sizeof(root), "%s/%s", bpffs, SMC_PIN_DIR);
	err = abi_dirs_read(root, &dirs);
	for (size_t i = 0; !err && i < dirs.n; i++)
		err = mark_in(dirs.v[i].dir, pidfd);
	return err;
}
