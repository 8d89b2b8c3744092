// SPDX-License-Identifier: Apache-2.0
#include "cli/child.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include "base/buf.h"
#include "base/file.h"

#define STEP_MS 50

static bool print_to(const struct child_how *how, const char *name, int fd)
{
	char path[PATH_MAX];
	int file;

	snprintf(path, sizeof(path), "%s/%s", how->dir, name);
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return file >= 0 && dup2(file, fd) >= 0;
}

static bool read_from(int input)
{
	const int fd = input >= 0 ? input : open("/dev/null", O_RDONLY);

	return fd >= 0 && dup2(fd, 0) == 0;
}

static void __attribute__((noreturn)) become(const struct child_how *how,
					     int input, pid_t parent)
{
	/* a terminal's Ctrl-C is for the parent, which ends it */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || !read_from(input) ||
	    !print_to(how, how->out_file, 1) ||
	    !print_to(how, how->err_file, 2))
		_exit(126);
	if (how->netns >= 0 && setns(how->netns, CLONE_NEWNET))
		fprintf(stderr, "enter the namespace of pod %s: %m\n", how->of);
	else if (how->self)
		execv("/proc/self/exe", how->argv);
	else
		execvp(how->argv[0], how->argv);
	fprintf(stderr, "%s: %m\n", how->argv[0]);
	_exit(127);
}

int child_start(const struct child_how *how, struct child *out)
{
	const pid_t parent = getpid();
	int ends[2] = {-1, -1};

	*out = CHILD_NONE;
	if (how->input && pipe2(ends, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	out->pid = fork();
	if (!out->pid)
		become(how, ends[0], parent);
	cleanup_close(&ends[0]);
	if (out->pid < 0) {
		out->pid = 0;
		cleanup_close(&ends[1]);
		return -errno;
	}
	out->input = ends[1];
	return 0;
}

bool child_has_ended(struct child *c)
{
	if (c->pid && !c->ended)
		c->ended =
			wait4(c->pid, &c->status, WNOHANG, &c->used) == c->pid;
	return c->ended;
}

void child_end(struct child *c)
{
	if (c->pid && !child_has_ended(c)) {
		kill(-c->pid, SIGKILL); /* with what it has started */
		kill(c->pid, SIGKILL);	/* before it has its group */
		while (wait4(c->pid, &c->status, 0, &c->used) < 0 &&
		       errno == EINTR)
			;
		c->ended = true;
	}
	cleanup_close(&c->input);
	c->input = -1;
}

void child_step(void)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

	nanosleep(&step, NULL);
}

const char *child_said(const char *dir, const char *name, struct buf *out)
{
	_buf_ struct buf error = {};
	char path[PATH_MAX];
	char *end, *line;

	buf_free(out);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (small_file_read(path, out, &error) || !out->data)
		return "";
	end = out->data + out->len;
	while (end > out->data && strchr("\n\r ", end[-1]))
		*--end = '\0';
	line = strrchr(out->data, '\n');
	return line ? line + 1 : out->data;
}
