// SPDX-License-Identifier: Apache-2.0
#include "node/hotfix.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LIVEPATCHES "/sys/kernel/livepatch"
#define PATIENCE_MS 5000

extern char **environ;

/* rpm reads the data base of whoever runs it. */
static bool is_own_root(const struct host *h)
{
	struct stat own, host;

	return !*h->root ||
	       (!stat("/", &own) && !stat(h->root, &host) &&
		own.st_dev == host.st_dev && own.st_ino == host.st_ino);
}

/* It is quiet; its end closes the pipe. Return: its pid, or a negative errno.
 */
static pid_t start(char *const *argv, int out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	err = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null",
					       O_RDWR, 0) ?:
	      posix_spawn_file_actions_adddup2(&actions, out, 1) ?:
	      posix_spawn_file_actions_adddup2(&actions, 0, 2) ?:
	      posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err ? -err : pid;
}

/* Wait until the pipe is closed, or kill it. Return: its exit status, or a
 * negative errno. */
static int finish(pid_t pid, int out)
{
	struct pollfd p = {.fd = out, .events = POLLIN};
	char dropped[256];
	int status, ready;

	do {
		ready = poll(&p, 1, PATIENCE_MS);
	} while (ready > 0 && read(out, dropped, sizeof(dropped)) > 0);
	if (ready <= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (ready <= 0)
		return -ETIMEDOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

static int run(char *const *argv)
{
	int pipefd[2], status;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC))
		return -errno;
	pid = start(argv, pipefd[1]);
	close(pipefd[1]);
	status = pid < 0 ? pid : finish(pid, pipefd[0]);
	close(pipefd[0]);
	return status;
}

int hotfix_installed(const struct host *h, const char *package)
{
	char *own[] = {"rpm", "-q", (char *)package, NULL};
	char *other[] = {"rpm", "--root",	 (char *)h->root,
			 "-q",	(char *)package, NULL};
	int status;

	if (!h->given && !is_own_root(h))
		return -EXDEV;
	status = run(h->given ? other : own);
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
