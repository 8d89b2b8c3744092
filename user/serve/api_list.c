// SPDX-License-Identifier: Apache-2.0
/* Answers that are long lists: made while they are read, so that neither memory
 * nor the loop has to hold the whole. */
#include "serve/api.h"

#include <errno.h>
#include <stdlib.h>
#include "base/log.h"

#define PIECE 12288 /* bytes, after which a piece ends with an element */

/* Append an element, or the end of its array. */
static int add_next(struct api_list *l, yyjson_mut_doc *doc, struct buf *out)
{
	const struct api_array *array = &l->array[l->at];
	_free_ char *text = NULL;
	size_t len;

	if (!l->next)
		buf_printf(out, "%s\"%s\":[", l->at ? "," : "", array->name);
	if (l->next == array->n) {
		l->at++;
		l->next = 0;
		return buf_add(out, "]", 1);
	}
	text = yyjson_mut_val_write(array->make(doc, l->next, l->arg), 0, &len);
	if (!text)
		return -ENOMEM;
	if (l->next++)
		buf_add(out, ",", 1);
	return buf_add(out, text, len);
}

static int list_more(struct buf *out, void *arg)
{
	struct api_list *l = arg;
	_doc_ yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	int err = doc ? 0 : -ENOMEM;

	if (l->begin.len)
		buf_add(out, l->begin.data, l->begin.len);
	buf_free(&l->begin);
	while (!err && out->len < PIECE && l->array[l->at].name)
		err = add_next(l, doc, out);
	if (err)
		return log_err(err, "make a list on the control socket");
	if (l->array[l->at].name)
		return 1;
	buf_add(out, "}\n", 2);
	return 0;
}

static void list_free(void *arg)
{
	struct api_list *l = arg;

	buf_free(&l->begin);
	l->free(l->arg);
	free(l);
}

void api_reply_list(struct http_reply *reply, struct api_list *list, int err)
{
	struct api_list *l = calloc(1, sizeof(*l));

	err = err ?: list->begin.err;
	if (!l || err) {
		api_reply_failed(reply, err ?: -ENOMEM);
		buf_free(&list->begin);
		list->free(list->arg);
		free(l);
		return;
	}
	*l = *list;
	reply->type = API_JSON;
	reply->stream = (struct http_stream){list_more, list_free, l};
}
