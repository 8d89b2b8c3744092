// SPDX-License-Identifier: Apache-2.0
#include "cli/kubectl.h"

#include <stdarg.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/file.h"
#include "cli/child.h"
#include "cli/ending.h"

#define OUT "kubectl.out"
#define ERR "kubectl.err"
#define NOT_STARTED 127 /* the status of a child that could not be */

int kubectl_read(struct kubectl *k, const char *text)
{
	while (*text) {
		const size_t len = strcspn(text, " ");
		char word[512];

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (len && strv_push(&k->words, word))
			return -ENOMEM;
		text += len + (text[len] == ' ');
	}
	return k->words ? 0 : -EINVAL;
}

static int push_all(const struct kubectl *k, char ***argv, va_list more)
{
	const char *word;
	int err = 0;

	for (char **w = k->words; !err && *w; w++)
		err = strv_push(argv, *w);
	while (!err && (word = va_arg(more, const char *)))
		err = strv_push(argv, word);
	return err;
}

int kubectl_argv(const struct kubectl *k, char ***argv, ...)
{
	va_list more;
	int err;

	va_start(more, argv);
	err = push_all(k, argv, more);
	va_end(more);
	return err;
}

static int wait_for_it(const struct kubectl *k, struct child *c,
		       unsigned int seconds)
{
	const __u64 until = clock_now() + seconds * CLOCK_SECOND;

	while (!child_has_ended(c)) {
		if (ending_came() && !k->to_the_end)
			return -EINTR;
		if (clock_now() > until)
			return -ETIMEDOUT;
		child_step();
	}
	if (WIFEXITED(c->status) && WEXITSTATUS(c->status) == NOT_STARTED)
		return -ENOENT;
	return c->status ? -EIO : 0;
}

static void say_why(const struct kubectl *k, char *const *argv, int err,
		    unsigned int seconds, struct buf *error)
{
	_buf_ struct buf said = {};
	const char *last = child_said(k->dir, ERR, &said);

	if (err == -ETIMEDOUT)
		buf_printf(error, "%s did not end in %u seconds", argv[0],
			   seconds);
	else if (err == -EIO && !*last)
		buf_printf(error, "%s failed and said nothing", argv[0]);
	else
		buf_printf(error, "%s", last);
}

int kubectl_ask(const struct kubectl *k, unsigned int seconds, struct buf *out,
		struct buf *error, ...)
{
	_child_ struct child c = CHILD_NONE;
	_strv_ char **argv = NULL;
	char path[PATH_MAX];
	va_list more;
	int err;

	va_start(more, error);
	err = push_all(k, &argv, more);
	va_end(more);
	err = err
		      ?: child_start(&(struct child_how){.argv = argv,
							 .netns = -1,
							 .dir = k->dir,
							 .out_file = OUT,
							 .err_file = ERR},
				     &c);
	if (err)
		return err;
	err = wait_for_it(k, &c, seconds);
	if (err) {
		child_end(&c);
		say_why(k, argv, err, seconds, error);
		return err;
	}
	snprintf(path, sizeof(path), "%s/" OUT, k->dir);
	return out ? small_file_read(path, out, error) : 0;
}
