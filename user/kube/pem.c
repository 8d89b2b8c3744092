// SPDX-License-Identifier: Apache-2.0
#include "kube/pem.h"

#include <stdbool.h>
#include <string.h>

#include "base/base64.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

/* A kind is the end of a label: "RSA PRIVATE KEY", "TRUSTED CERTIFICATE". */
static const struct {
	const char *label, *without;
} kinds[] = {
	[PEM_CERTIFICATE] =
		{"CERTIFICATE",
		 "holds no PEM certificate: expected -----BEGIN CERTIFICATE-----, base64 and -----END CERTIFICATE-----"},
	[PEM_KEY] =
		{"PRIVATE KEY",
		 "holds no PEM key: expected -----BEGIN PRIVATE KEY-----, base64 and -----END PRIVATE KEY-----"},
};

static const char encrypted[] =
	"holds an encrypted key, and an agent asks nobody for a password: expected one that is not";

/* The lines of a text, without their ends. */
struct line {
	const char *text;
	size_t len;
};

static bool line_next(const char **at, const char *end, struct line *out)
{
	const char *newline;

	if (*at == end)
		return false;
	newline = memchr(*at, '\n', end - *at) ?: end;
	*out = (struct line){*at, newline - *at};
	*at = newline + (newline < end);
	while (out->len && strchr(" \t\r", out->text[out->len - 1]))
		out->len--;
	return true;
}

/* "-----BEGIN RSA PRIVATE KEY-----": the label. */
static bool line_label(const struct line *line, const char *mark,
		       struct line *label)
{
	size_t before = strlen(mark), dashes = strlen(DASHES);

	if (line->len < before + dashes || memcmp(line->text, mark, before) ||
	    memcmp(line->text + line->len - dashes, DASHES, dashes))
		return false;
	*label =
		(struct line){line->text + before, line->len - before - dashes};
	return true;
}

static bool ends_in(const struct line *label, const char *end)
{
	size_t len = strlen(end);

	return label->len >= len &&
	       !memcmp(label->text + label->len - len, end, len);
}

static bool has(const struct line *line, const char *text)
{
	return memmem(line->text, line->len, text, strlen(text));
}

/* Read up to the end mark. Return: it has bytes, and an end.
 * @locked: its header says that it is encrypted. */
static bool block_read(const char **at, const char *end, bool *locked)
{
	_buf_ struct buf body = {}, bytes = {};
	struct line line, label;

	while (line_next(at, end, &line)) {
		if (line_label(&line, END, &label))
			return !base64_decode(body.data ?: "", &bytes) &&
			       bytes.len;
		/* an older header, "Proc-Type: 4,ENCRYPTED" */
		if (memchr(line.text, ':', line.len))
			*locked |= has(&line, "ENCRYPTED");
		else
			buf_add(&body, line.text, line.len);
	}
	return false;
}

const char *pem_wrong(enum pem_kind kind, const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	struct line line, label;

	while (line_next(&at, end, &line)) {
		bool locked = has(&line, "ENCRYPTED");

		if (!line_label(&line, BEGIN, &label) ||
		    !ends_in(&label, kinds[kind].label))
			continue;
		if (block_read(&at, end, &locked))
			return locked ? encrypted : NULL;
	}
	return kinds[kind].without;
}
