/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl, as a child process: it knows the way to a cluster and who may what.
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

struct kubectl {
	char **words;	 /* "kubectl", "--context=x": how it is called */
	const char *dir; /* for files of what it prints; its caller's */
	bool to_the_end; /* a signal that came (cli/ending.h) does not end it */
};

/* kubectl_read - @text: the words, between spaces. Return: 0; -EINVAL: there is
 * none; or -ENOMEM. */
must_check int kubectl_read(struct kubectl *k, const char *text);

/* kubectl_argv - Append its words and @more, up to a NULL. Return: 0 or
 * -ENOMEM. */
must_check int kubectl_argv(const struct kubectl *k, char ***argv, ...)
	__attribute__((sentinel));

/*
 * kubectl_ask - Call it with the arguments up to a NULL, and wait for its end.
 * @seconds: it is ended after that.
 * @out:   gets what it printed; may be NULL.
 * @error: on failure, what it said last, or why it could not be called.
 * Return: 0; -EINTR: a signal came; -ETIMEDOUT; -ENOENT: there is none; -EIO:
 * it failed; or another negative errno.
 */
must_check int kubectl_ask(const struct kubectl *k, unsigned int seconds,
			   struct buf *out, struct buf *error, ...)
	__attribute__((sentinel));
