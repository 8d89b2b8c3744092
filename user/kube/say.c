// SPDX-License-Identifier: Apache-2.0
/* Requests in the words of RBAC, and the server's answers to them. */
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "kube/client.h"

/* Of a refusal: long enough for the API server's own sentences. */
#define MESSAGE_MAX 400

void kube_escape(struct buf *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (strchr(plain, *p))
			buf_add(out, p, 1);
		else
			buf_printf(out, "%%%02X", *p);
	}
}

/* ---- what was wanted ----------------------------------------------------- */

#define PARTS_MAX 8

struct wanted {
	char *part[PARTS_MAX]; /* of the path, without its query */
	size_t n;
	const char *group, *ns, *resource, *name, *sub;
	bool watch;
};

/* Cuts @path up. */
static void split(struct wanted *w, char *path)
{
	char *query = strchr(path, '?'), *save = NULL;

	if (query) {
		*query++ = '\0';
		w->watch = strstr(query, "watch=true") != NULL;
	}
	for (char *p = strtok_r(path, "/", &save); p && w->n < PARTS_MAX;
	     p = strtok_r(NULL, "/", &save))
		w->part[w->n++] = p;
}

/* /api/v1/... or /apis/GROUP/VERSION/..., then [namespaces/NS/]RESOURCE[/NAME
 * [/SUBRESOURCE]]. Return: false for any other path. */
static bool parse(struct wanted *w)
{
	size_t i = 2;

	if (w->n >= 4 && !strcmp(w->part[0], "apis"))
		w->group = w->part[1], i = 3;
	else if (w->n < 3 || strcmp(w->part[0], "api"))
		return false;
	if (w->n > i + 2 && !strcmp(w->part[i], "namespaces")) {
		w->ns = w->part[i + 1];
		i += 2;
	}
	w->resource = w->part[i];
	w->name = i + 1 < w->n ? w->part[i + 1] : NULL;
	w->sub = i + 2 < w->n ? w->part[i + 2] : NULL;
	return true;
}

static const char *verb_of(const struct wanted *w, const char *method)
{
	static const struct {
		const char *method, *verb;
	} verbs[] = {
		{"POST", "create"},
		{"PUT", "update"},
		{"PATCH", "patch"},
		{"DELETE", "delete"},
	};

	for (size_t i = 0; i < array_size(verbs); i++)
		if (!strcmp(verbs[i].method, method))
			return verbs[i].verb;
	return w->name ? "get" : w->watch ? "watch" : "list";
}

static void say_wanted(struct buf *out, const char *method, const char *path)
{
	_free_ char *copy = strdup(path);
	struct wanted w = {.n = 0};

	if (copy)
		split(&w, copy);
	if (!parse(&w)) {
		buf_printf(out, "%s %.*s", method, (int)strcspn(path, "?"),
			   path);
		return;
	}
	buf_printf(out, "%s %s%s%s%s%s", verb_of(&w, method), w.resource,
		   w.group ? "." : "", w.group ?: "", w.sub ? "/" : "",
		   w.sub ?: "");
	if (w.name)
		buf_printf(out, " %s%s%s", w.ns ?: "", w.ns ? "/" : "", w.name);
	else if (w.ns)
		buf_printf(out, " in namespace %s", w.ns);
}

/* ---- what was said ------------------------------------------------------- */

/* Append it as one line, cut, without characters that would upset a
 * terminal. */
static void say_text(struct buf *out, const char *text, size_t len)
{
	size_t n = len < MESSAGE_MAX ? len : MESSAGE_MAX;

	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	/* Do not end inside a UTF-8 sequence. */
	while (n && n < len && (text[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = text[i];

		buf_add(out, c < 0x20 || c == 0x7f ? " " : text + i, 1);
	}
	if (len > MESSAGE_MAX)
		buf_printf(out, "...");
}

static void say_answer(struct buf *out, const char *body, size_t len)
{
	yyjson_doc *doc = yyjson_read(body, len, 0);
	yyjson_val *message =
		yyjson_obj_get(yyjson_doc_get_root(doc), "message");

	if (yyjson_is_str(message))
		say_text(out, yyjson_get_str(message), yyjson_get_len(message));
	else
		say_text(out, body, len);
	yyjson_doc_free(doc);
}

void kube_say(struct buf *out, const struct kube_client *c, const char *method,
	      const char *path, int err, int status, const char *body,
	      size_t len)
{
	buf_printf(out, "cannot ");
	say_wanted(out, method, path);
	if (err) {
		buf_printf(out, ": ");
		say_text(out, body, len);
		buf_printf(out, " (%s)", kube_client_server(c));
		return;
	}
	buf_printf(out, ": %d%s", status, len ? ", " : "");
	say_answer(out, body, len);
}
