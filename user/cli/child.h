/* SPDX-License-Identifier: Apache-2.0 */
/* A program that a command starts, watches, and ends with all that that one has
 * started. It does not outlive the command. */
#pragma once

#include <sys/resource.h>
#include "base/cleanup.h"
#include "node/place.h"

/* One that runs, or has run; pid 0: none was started. */
struct child {
	pid_t pid;
	int input; /* the writing end of its standard input, or -1 */
	bool ended;
	int status;
	struct rusage used;
};

#define CHILD_NONE ((struct child){.input = -1})

struct child_how {
	char *const *argv;
	bool self;	 /* this very program, not argv[0] from the PATH */
	int netns;	 /* which it enters; -1: it stays here */
	const char *of;	 /* whose that is, for an error */
	bool input;	 /* gets a pipe; else /dev/null */
	const char *dir; /* where the files for what it prints are */
	const char *out_file;
	const char *err_file;
};

/* child_start - Return: 0, or a negative errno. That argv[0] cannot be started
 * is said on its standard error. */
must_check int child_start(const struct child_how *how, struct child *out);

/* child_has_ended - Has it? Then @c has its status and what it used. */
bool child_has_ended(struct child *c);

/* child_end - End it and what it has started, if it runs. Also as cleanup. */
void child_end(struct child *c);

#define _child_ _cleanup_(child_end)

/* child_step - Wait for a moment, between two looks at it. */
void child_step(void);

/* child_said - The last line of the file @name in @dir that says something;
 * "" for none. Return: @out's text. */
struct buf;
const char *child_said(const char *dir, const char *name, struct buf *out);
