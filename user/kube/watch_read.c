// SPDX-License-Identifier: Apache-2.0
/*
 * Reads what a watch gets: the events of a stream, a list.
 *
 * It puts objects as they come, also during a list; when the list is complete
 * it deletes those that the list did not have. So half a list never counts.
 */
#include "kube/watch_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* The server takes no object larger than 1.5 MiB or so. */
#define EVENT_MAX (32UL << 20)

/* ---- objects ------------------------------------------------------------- */

void watch_drop(struct kube_watch *w, struct watch_entry *e)
{
	watch_set_remove(&w->set, e);
	w->opt.on_delete(&e->obj, w->opt.arg);
	watch_entry_free(e);
}

/* An event without a version keeps the one before. */
static int set_version(char **version, const char *text)
{
	return text && *text ? text_set(version, text) : 0;
}

static void put(struct kube_watch *w, yyjson_val *obj)
{
	struct watch_meta meta;
	struct watch_entry *e;

	if (!watch_meta_of(obj, &meta)) {
		log_debug("%s: an object without a name is passed over",
			  w->what);
		return;
	}
	e = watch_set_find(&w->set, &meta);
	if (e && strcmp(e->obj.uid, meta.uid ?: "")) {
		watch_drop(w, e);
		if (w->closed)
			return;
		e = NULL;
	}
	if (e && e->version && meta.version &&
	    !strcmp(e->version, meta.version)) {
		e->seen = w->set.list;
		return;
	}
	e = e ?: watch_set_add(&w->set, &meta);
	if (!e || set_version(&e->version, meta.version)) {
		log_err(-ENOMEM, "%s %s", w->what, meta.name);
		return;
	}
	e->seen = w->set.list;
	w->opt.on_put(&e->obj, obj, w->opt.arg);
}

/* The UID decides: a newer object of that name stays. */
static void gone(struct kube_watch *w, yyjson_val *obj)
{
	struct watch_meta meta;
	struct watch_entry *e;

	if (!watch_meta_of(obj, &meta))
		return;
	e = watch_set_find(&w->set, &meta);
	if (e && !strcmp(e->obj.uid, meta.uid ?: ""))
		watch_drop(w, e);
}

/* The list is complete: delete the objects that it did not have. */
void watch_listed(struct kube_watch *w)
{
	_free_ struct watch_entry **unseen = NULL;
	ssize_t n = watch_set_unseen(&w->set, &unseen);

	/* Without memory they go after the next list. */
	for (ssize_t i = 0; i < n && !w->closed; i++)
		watch_drop(w, unseen[i]);
	if (w->closed)
		return;
	w->synced = true;
	w->doubted = w->away = false;
	w->listed = uv_now(kube_client_loop(w->client));
	watch_heard(w);
	w->opt.on_synced(w->opt.arg);
	if (!w->closed)
		watch_problem(w, NULL);
}

/* ---- events of a watch --------------------------------------------------- */

static bool ends_list(yyjson_val *obj)
{
	yyjson_val *annotations =
		yyjson_obj_get(yyjson_obj_get(obj, "metadata"), "annotations");

	return yyjson_equals_str(
		yyjson_obj_get(annotations, "k8s.io/initial-events-end"),
		"true");
}

/* Do the versions go back: this bookmark's, or that of the list which it
 * ends? */
static bool is_back(struct kube_watch *w, yyjson_val *obj,
		    const struct watch_meta *meta)
{
	return (w->stage == WATCH || ends_list(obj)) &&
	       watch_is_back(w, meta->version) &&
	       kube_watches_anew(w->client, w->what);
}

static void bookmark(struct kube_watch *w, yyjson_val *obj)
{
	if (w->stage != STREAM || !ends_list(obj))
		return;
	w->stage = WATCH;
	watch_expect(w);
	watch_listed(w);
}

/* A Status inside the stream says why nothing more will come. */
static void error_event(struct kube_watch *w, yyjson_val *status)
{
	const char *message = yyjson_get_str(yyjson_obj_get(status, "message"));
	int code = yyjson_get_int(yyjson_obj_get(status, "code"));

	if (code == 410 && w->stage == WATCH) {
		watch_expired(w);
		return;
	}
	watch_fail_say(w, w->stage == STREAM ? PLAIN : w->stage, "%d, %.200s",
		       code, message ?: "no message");
}

static void event(struct kube_watch *w, yyjson_val *root)
{
	yyjson_val *type = yyjson_obj_get(root, "type");
	yyjson_val *obj = yyjson_obj_get(root, "object");
	struct watch_meta meta;

	if (yyjson_equals_str(type, "ERROR")) {
		error_event(w, obj);
		return;
	}
	if (!yyjson_is_str(type) || !yyjson_is_obj(obj)) {
		watch_fail_say(w, STREAM, "an event without type or object");
		return;
	}
	/* Do not continue from a half-read list. A bookmark has no name. */
	watch_meta_of(obj, &meta);
	if (yyjson_equals_str(type, "BOOKMARK") && is_back(w, obj, &meta))
		return;
	if ((w->stage == WATCH || ends_list(obj)) &&
	    set_version(&w->version, meta.version)) {
		watch_fail_say(w, STREAM, "out of memory");
		return;
	}
	if (yyjson_equals_str(type, "ADDED") ||
	    yyjson_equals_str(type, "MODIFIED"))
		put(w, obj);
	else if (yyjson_equals_str(type, "DELETED"))
		gone(w, obj);
	else if (yyjson_equals_str(type, "BOOKMARK"))
		bookmark(w, obj);
}

static void line(struct kube_watch *w, const char *text, size_t len)
{
	yyjson_read_err bad;
	yyjson_doc *doc;

	if (!len || (len == 1 && *text == '\r'))
		return;
	doc = yyjson_read_opts((char *)text, len, 0, NULL, &bad);
	if (doc)
		event(w, yyjson_doc_get_root(doc));
	else
		watch_fail_say(w, STREAM,
			       "broken JSON at byte %zu of an event: %s",
			       bad.pos + 1, bad.msg);
	yyjson_doc_free(doc);
}

/* The path exists. If it was installed just now ask no longer as slowly as
 * before. */
void watch_there(struct kube_watch *w)
{
	w->absent = 0;
	if (!w->not_there)
		return;
	log_info("%s: installed now", w->what);
	w->not_there = false;
	w->failures = 0;
}

void watch_stream_data(struct buf *in, void *arg)
{
	struct kube_watch *w = arg;
	const struct kube_call *call = w->call;
	size_t done = 0;

	w->begun = true;
	watch_there(w);
	watch_answered(w);
	if (w->stage == WATCH && watch_settled(w))
		w->away = false;
	if (in->len)
		w->doubted = false;
	/* The beginning of an answer does not prove that a doubted server
	 * works. */
	if (w->stage == WATCH && !w->doubted) {
		watch_heard(w);
		watch_problem(w, NULL);
	}
	watch_expect(w);
	/* Each of these may end the call or the watch. */
	while (!w->closed && w->call == call) {
		const char *begin = in->data + done, *end;

		end = in->len > done ? memchr(begin, '\n', in->len - done)
				     : NULL;
		if (!end)
			break;
		done += end - begin + 1;
		line(w, begin, end - begin);
	}
	buf_drop(in, done);
	if (!w->closed && w->call == call && in->len > EVENT_MAX)
		watch_fail_say(w, STREAM, "an event of more than %lu MiB",
			       EVENT_MAX >> 20);
}

/* ---- lists that were not streamed ---------------------------------------- */

/* All of a page was put. The version counts only with the last page: do not
 * continue from half a list. */
static void page_read(struct kube_watch *w, yyjson_val *root,
		      const struct watch_meta *meta)
{
	const char *more = yyjson_get_str(
		yyjson_obj_get(yyjson_obj_get(root, "metadata"), "continue"));
	bool last = !more || !*more;

	if (w->closed)
		return;
	if (last ? set_version(&w->version, meta->version)
		 : set_version(&w->next, more)) {
		watch_fail_say(w, STREAM, "out of memory");
		return;
	}
	w->stage = last ? WATCH : PAGE;
	if (last)
		watch_listed(w);
	if (!w->closed)
		w->steps->start(w);
}

void watch_plain_list(struct kube_watch *w, const char *body, size_t len)
{
	yyjson_read_err bad;
	yyjson_doc *doc = yyjson_read_opts((char *)body, len, 0, NULL, &bad);
	yyjson_val *root = yyjson_doc_get_root(doc), *item;
	struct watch_meta meta;
	size_t i, n;

	if (!doc) {
		watch_fail_say(w, STREAM, "broken JSON at byte %zu: %s",
			       bad.pos + 1, bad.msg);
	} else if (!watch_is_list(root, &meta)) {
		watch_fail_say(w, STREAM, "the answer is no list");
	} else {
		yyjson_arr_foreach (yyjson_obj_get(root, "items"), i, n, item)
			if (!w->closed)
				put(w, item);
		page_read(w, root, &meta);
	}
	yyjson_doc_free(doc);
}
