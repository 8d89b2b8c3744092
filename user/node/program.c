// SPDX-License-Identifier: Apache-2.0
#include "node/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 5000

extern char **environ;

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

static void keep(struct buf *out, size_t most, const char *data, size_t len)
{
	size_t room = out && out->len < most ? most - out->len : 0;

	if (room)
		buf_add(out, data, len < room ? len : room);
}

/* Until the pipe is closed. Return: false: nothing came for too long. */
static bool read_all(int in, size_t most, struct buf *out)
{
	struct pollfd p = {.fd = in, .events = POLLIN};
	char chunk[4096];
	ssize_t n = 1;
	int ready;

	while ((ready = poll(&p, 1, PATIENCE_MS)) > 0) {
		n = read(in, chunk, sizeof(chunk));
		if (n <= 0)
			break;
		keep(out, most, chunk, n);
	}
	return ready > 0;
}

static int finish(pid_t pid, bool ended)
{
	int status;

	if (!ended)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!ended)
		return -ETIMEDOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

int program_ask(char *const *argv, size_t most, struct buf *out)
{
	int pipefd[2], status;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC))
		return -errno;
	pid = start(argv, pipefd[1]);
	close(pipefd[1]);
	status = pid < 0 ? pid : finish(pid, read_all(pipefd[0], most, out));
	close(pipefd[0]);
	return out && out->err ? out->err : status;
}
