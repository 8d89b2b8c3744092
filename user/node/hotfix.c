// SPDX-License-Identifier: Apache-2.0
#include "node/hotfix.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "node/program.h"

#define LIVEPATCHES "/sys/kernel/livepatch"

/* rpm reads the data base of whoever runs it. */
static bool is_own_root(const struct host *h)
{
	struct stat own, host;

	return !*h->root ||
	       (!stat("/", &own) && !stat(h->root, &host) &&
		own.st_dev == host.st_dev && own.st_ino == host.st_ino);
}

int hotfix_installed(const struct host *h, const char *package)
{
	char *own[] = {"rpm", "-q", (char *)package, NULL};
	char *other[] = {"rpm", "--root",	 (char *)h->root,
			 "-q",	(char *)package, NULL};
	int status;

	if (!h->given && !is_own_root(h))
		return -EXDEV;
	status = program_ask(h->given ? other : own, 0, NULL);
	if (status < 0)
		return status;
	return status > 1 ? -EIO : !status;
}

static bool is_enabled(const struct host *h, const char *name)
{
	char path[512], line[8];

	snprintf(path, sizeof(path), LIVEPATCHES "/%.255s/enabled", name);
	return !host_first_line(h, path, line, sizeof(line)) && *line == '1';
}

int hotfix_active(const struct host *h, const char *part)
{
	int fd = host_file(h, LIVEPATCHES, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int found = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	while (!found && (e = readdir(d)))
		found = strstr(e->d_name, part) && is_enabled(h, e->d_name);
	closedir(d);
	return found;
}
