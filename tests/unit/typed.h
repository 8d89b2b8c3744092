/* SPDX-License-Identifier: Apache-2.0 */
/* A command line as a user types it, and what the program says to it. */
#pragma once

#include "unit.h"

#include <fcntl.h>
#include <unistd.h>
#include "cli/command.h"

struct said {
	int status;
	char out[65536], err[8192];
};

static inline int redirect(int fd, int *saved)
{
	char name[] = "/tmp/test_cli.XXXXXX";
	int tmp = mkstemp(name);

	assert_true(tmp >= 0);
	unlink(name);
	*saved = dup(fd);
	dup2(tmp, fd);
	return tmp;
}

static inline void restore(int fd, int saved, int tmp, char *text, size_t room)
{
	ssize_t n = pread(tmp, text, room - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	dup2(saved, fd);
	close(saved);
	close(tmp);
}

/* type - Run it in this process, as a user would: the words end with NULL. */
static inline struct said type(char **argv)
{
	struct said s;
	int argc = 0, out, err, saved_out, saved_err;

	while (argv[argc])
		argc++;
	fflush(NULL);
	out = redirect(1, &saved_out);
	err = redirect(2, &saved_err);
	s.status = command_main(argc, argv);
	fflush(NULL);
	restore(1, saved_out, out, s.out, sizeof(s.out));
	restore(2, saved_err, err, s.err, sizeof(s.err));
	return s;
}
#define TYPE(...) type((char *[]){"smcmesh", __VA_ARGS__, NULL})
