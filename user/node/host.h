/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own files, wherever they are seen from here. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/cleanup.h"

struct host {
	char root[PATH_MAX / 2]; /* what the paths begin with; "": nothing */
	bool given;		 /* somebody named it: nothing else is asked */
	char release[65];	 /* of the running kernel, as uname has it */
	char machine[65];	 /* e.g. "x86_64" */
};

/*
 * host_open - Find out where the host's files are, and which kernel runs.
 * @proc: where the host's processes are seen; the root of the first of them is
 *        the host's.
 * @root: a directory to take in its place, as a test does; the release is then
 *        what its proc/sys/kernel/osrelease says. NULL: none.
 */
void host_open(const char *proc, const char *root, struct host *out);

/*
 * host_file - Open a file of the host. Links on the way are followed as the
 * host's own processes follow them, and never lead out of its root.
 * @path:  begins with a slash
 * @flags: of open(); O_CLOEXEC is added
 * Return: a descriptor, or a negative errno.
 */
must_check int host_file(const struct host *h, const char *path, int flags);

/* host_has - Is there such a file? */
bool host_has(const struct host *h, const char *path);

/*
 * host_each_line - Call @fn for each line of a file, without its newline, until
 * it returns false. A file that gzip has compressed is read like any other; a
 * line longer than 8 KiB comes in parts.
 * Return: 0, or a negative errno.
 */
typedef bool (*host_line_fn)(char *line, void *arg);
must_check int host_each_line(const struct host *h, const char *path,
			      host_line_fn fn, void *arg);

/* host_first_line - Return: 0, or a negative errno with "" in @line. */
must_check int host_first_line(const struct host *h, const char *path,
			       char *line, size_t room);
