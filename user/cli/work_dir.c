// SPDX-License-Identifier: Apache-2.0
#include "cli/work_dir.h"

#include <fcntl.h>
#include <string.h>

int work_dir_make(const char *what, char dir[PATH_MAX])
{
	int err;

	snprintf(dir, PATH_MAX, "%s/smcmesh-%s-XXXXXX",
		 getenv("TMPDIR") ?: "/tmp", what);
	if (mkdtemp(dir))
		return 0;
	err = -errno;
	fprintf(stderr, "smcmesh %s: cannot make a directory %s: %s\n", what,
		dir, strerror(-err));
	return err;
}

void work_dir_empty(const char *dir)
{
	_closedir_ DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (*e->d_name != '.')
			unlinkat(dirfd(d), e->d_name, 0);
}

void work_dir_remove(const char *dir)
{
	work_dir_empty(dir);
	rmdir(dir);
}
