// SPDX-License-Identifier: Apache-2.0
/*
 * List, watch, resume, list again.
 *
 *   STREAM   a watch that begins with all there is (sendInitialEvents) and says
 *            by a bookmark when that was all; it then is the watch
 *   PLAIN    what a server that refuses this gets: a list from its watch cache
 *   WATCH    from where the last one ended
 *
 * There is always either a call under way or the timer running, never nothing.
 * While a call is awaited the timer is what gives it up.
 *
 * Objects are put as they come, also while a list is under way; what it did not
 * bring is deleted when it is complete. So no half of a list ever counts.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "kube/stream.h"
#include "kube/watch_set.h"

/* How long a server may take to begin an answer, and, at the beginning of a
 * streaming list, between two events: one that does not know what was asked
 * (before Kubernetes 1.27) never ends it. */
#define ANSWER_MS 30000
#define SILENCE_MS 10000
#define PLAIN_MS 120000
/* The server ends a watch after this, so that all are spread again. */
#define WATCH_S 300
/* A call that has lived so long was well: what ends it is no trouble yet. */
#define SETTLED_MS 10000
/* The server takes no object larger than 1.5 MiB or so. */
#define EVENT_MAX (32UL << 20)
/* Only so many 404 in a row make what is known go: the server may be starting,
 * or something else may have answered. */
#define ABSENT_TIMES 3

#define METADATA_ONLY "application/json;as=PartialObjectMetadata"
#define METADATA_LIST "application/json;as=PartialObjectMetadataList"
#define METADATA_OF ";g=meta.k8s.io;v=v1"

enum stage { STREAM, PLAIN, WATCH };

struct kube_watch {
	struct kube_client *client;
	struct kube_watch_options opt;
	char *path, *what, *selectors; /* "&fieldSelector=..." or "" */
	char *asked;		       /* path and query of the call */
	uv_timer_t timer;
	struct kube_call *call;
	enum stage stage;
	bool begun;
	uint64_t since; /* loop time of the call's start, ms */
	uint64_t heard; /* the last time that what is known was right */
	struct watch_set set;
	char *version; /* to go on from; NULL: none */
	unsigned int failures, absent;
	bool synced, closed;
	bool not_there; /* the last answer was a 404 that counted */
	char *problem;
};

static void start(struct kube_watch *w);

static void start_event(uv_timer_t *timer)
{
	start(timer->data);
}

/* ---- problems ------------------------------------------------------------ */

static void set_problem(struct kube_watch *w, const char *problem)
{
	char *copy = NULL;

	if (!problem == !w->problem &&
	    (!problem || !strcmp(problem, w->problem)))
		return;
	if (problem && !(copy = strdup(problem)))
		return;
	free(w->problem);
	w->problem = copy;
	w->opt.on_trouble(w->opt.arg);
}

static void heard(struct kube_watch *w)
{
	w->heard = uv_now(kube_client_loop(w->client));
}

static void stop_call(struct kube_watch *w)
{
	kube_cancel(take_ptr(w->call));
	uv_timer_stop(&w->timer);
}

/* Try again, at @stage. Return: was all well before? */
static bool later(struct kube_watch *w, enum stage stage)
{
	uint64_t lived = uv_now(kube_client_loop(w->client)) - w->since;
	bool was_well = w->begun && lived >= SETTLED_MS;

	if (was_well)
		w->failures = 0;
	stop_call(w);
	w->begun = false;
	w->stage = stage;
	uv_timer_start(&w->timer, start_event,
		       kube_again_ms(w->client, &w->failures), 0);
	return was_well;
}

/* The call did not end as it should. */
static void fail(struct kube_watch *w, enum stage stage, const char *problem)
{
	if (later(w, stage))
		log_debug("%s", problem);
	else
		set_problem(w, problem);
}

static void fail_say(struct kube_watch *w, enum stage stage, const char *fmt,
		     ...) __attribute__((format(printf, 3, 4)));

static void fail_say(struct kube_watch *w, enum stage stage, const char *fmt,
		     ...)
{
	char text[256];
	_buf_ struct buf problem = {0};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&problem, "cannot %s %s: %s (%s)",
		   w->stage == PLAIN ? "list" : "watch", w->what, text,
		   kube_client_server(w->client));
	fail(w, stage, problem.data ?: text);
}

/* ---- objects ------------------------------------------------------------- */

static void drop(struct kube_watch *w, struct watch_entry *e)
{
	watch_set_remove(&w->set, e);
	w->opt.on_delete(&e->obj, w->opt.arg);
	watch_entry_free(e);
}

static int set_version(char **version, const char *text)
{
	char *copy;

	if (!text || !*text || (*version && !strcmp(*version, text)))
		return 0;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*version);
	*version = copy;
	return 0;
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
		drop(w, e);
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

/* UID decides: what has got the name since stays. */
static void gone(struct kube_watch *w, yyjson_val *obj)
{
	struct watch_meta meta;
	struct watch_entry *e;

	if (!watch_meta_of(obj, &meta))
		return;
	e = watch_set_find(&w->set, &meta);
	if (e && !strcmp(e->obj.uid, meta.uid ?: ""))
		drop(w, e);
}

/* The list is complete: what it did not bring is not there any more. */
static void listed(struct kube_watch *w)
{
	_free_ struct watch_entry **unseen = NULL;
	ssize_t n = watch_set_unseen(&w->set, &unseen);

	/* Without memory they go with the next list. */
	for (ssize_t i = 0; i < n && !w->closed; i++)
		drop(w, unseen[i]);
	if (w->closed)
		return;
	w->synced = true;
	heard(w);
	w->opt.on_synced(w->opt.arg);
	if (!w->closed)
		set_problem(w, NULL);
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

static void silence_event(uv_timer_t *timer);

static void bookmark(struct kube_watch *w, yyjson_val *obj)
{
	if (w->stage != STREAM || !ends_list(obj))
		return;
	uv_timer_stop(&w->timer);
	w->stage = WATCH;
	listed(w);
}

/* The Status inside the stream says why there will be nothing more. */
static void error_event(struct kube_watch *w, yyjson_val *status)
{
	const char *message = yyjson_get_str(yyjson_obj_get(status, "message"));
	int code = yyjson_get_int(yyjson_obj_get(status, "code"));

	if (code == 410 && w->stage == WATCH) {
		log_debug("%s: what was watched from is too old, listing anew",
			  w->what);
		later(w, STREAM);
		return;
	}
	fail_say(w, w->stage == STREAM ? PLAIN : w->stage, "%d, %.200s", code,
		 message ?: "no message");
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
		fail_say(w, STREAM, "an event without type or object");
		return;
	}
	/* A half-read list is nothing to go on from. A bookmark has no name. */
	watch_meta_of(obj, &meta);
	if ((w->stage == WATCH || ends_list(obj)) &&
	    set_version(&w->version, meta.version)) {
		fail_say(w, STREAM, "out of memory");
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
		fail_say(w, STREAM, "broken JSON at byte %zu of an event: %s",
			 bad.pos + 1, bad.msg);
	yyjson_doc_free(doc);
}

/* The path is there. If it was installed just now there is no need to go on as
 * slowly as before. */
static void there(struct kube_watch *w)
{
	w->absent = 0;
	if (!w->not_there)
		return;
	log_info("%s: installed now", w->what);
	w->not_there = false;
	w->failures = 0;
}

static void stream_data(struct buf *in, void *arg)
{
	struct kube_watch *w = arg;
	const struct kube_call *call = w->call;
	size_t done = 0;

	w->begun = true;
	there(w);
	if (w->stage == WATCH) {
		heard(w);
		uv_timer_stop(&w->timer);
		set_problem(w, NULL);
	} else {
		uv_timer_start(&w->timer, silence_event, SILENCE_MS, 0);
	}
	/* Any of these may end the call or the watch. */
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
		fail_say(w, STREAM, "an event of more than %lu MiB",
			 EVENT_MAX >> 20);
}

/* ---- ends of calls ------------------------------------------------------- */

static bool is_list(yyjson_val *root, struct watch_meta *meta)
{
	const char *kind = yyjson_get_str(yyjson_obj_get(root, "kind"));
	yyjson_val *items = yyjson_obj_get(root, "items");
	size_t len = kind ? strlen(kind) : 0;

	watch_meta_of(root, meta);
	return len > 4 && !strcmp(kind + len - 4, "List") && meta->version &&
	       (yyjson_is_arr(items) || yyjson_is_null(items));
}

static void plain_list(struct kube_watch *w, const char *body, size_t len)
{
	yyjson_read_err bad;
	yyjson_doc *doc = yyjson_read_opts((char *)body, len, 0, NULL, &bad);
	yyjson_val *root = yyjson_doc_get_root(doc), *item;
	struct watch_meta meta;
	size_t i, n;

	if (!doc) {
		fail_say(w, STREAM, "broken JSON at byte %zu: %s", bad.pos + 1,
			 bad.msg);
	} else if (!is_list(root, &meta)) {
		fail_say(w, STREAM, "the answer is no list");
	} else if (set_version(&w->version, meta.version)) {
		fail_say(w, STREAM, "out of memory");
	} else {
		yyjson_arr_foreach (yyjson_obj_get(root, "items"), i, n, item)
			if (!w->closed)
				put(w, item);
		if (!w->closed)
			listed(w);
		w->stage = WATCH;
		if (!w->closed)
			start(w);
	}
	yyjson_doc_free(doc);
}

static void absent(struct kube_watch *w, const char *problem)
{
	bool news = !w->not_there;

	if (!w->opt.optional || (w->set.n && ++w->absent < ABSENT_TIMES)) {
		fail(w, STREAM, problem);
		return;
	}
	if (news)
		log_info(
			"%s: not installed here, which is as if there were none; it is looked for again",
			w->what);
	w->not_there = true;
	w->absent = 0;
	w->set.list++;
	free(take_ptr(w->version));
	later(w, STREAM);
	heard(w);
	if (news)
		listed(w);
	else
		set_problem(w, NULL);
}

/* Who answers so has looked at the path. 401, 403 and 5xx are also what those
 * say that stand before the server, to whatever is asked. */
static bool proves_there(int status)
{
	return status / 100 == 2 || status == 400 || status == 410 ||
	       status == 422 || status == 429;
}

/* So answers a server that does not stream lists: 422 where that is switched
 * off, the others where it does not understand what is asked. */
static bool cannot_stream(int status)
{
	return status == 400 || status == 406 || status == 415 || status == 422;
}

/* It may be one that is behind the last, or began anew. */
static bool lacks_version(int status, const char *body)
{
	return status == 400 || status == 410 ||
	       (status == 504 && strstr(body, "Too large resource version"));
}

/* An answer of whatever kind, or none, ended the call. */
static void refused(struct kube_watch *w, int err, int status, const char *body,
		    size_t len)
{
	_buf_ struct buf problem = {0};
	const char *text;

	kube_say(&problem, w->client, "GET", w->asked, err, status, body, len);
	text = problem.data ?: "out of memory";
	if (status && status != 404)
		w->absent = 0;
	if (proves_there(status))
		there(w);
	if (status == 404) {
		absent(w, text);
	} else if (w->stage == STREAM && cannot_stream(status)) {
		w->stage = PLAIN;
		start(w);
	} else if (w->stage == STREAM && status == 500) {
		/* That may be its way to say so; or else it has trouble enough
		 * to be left alone for a moment. */
		fail(w, PLAIN, text);
	} else if (w->stage == PLAIN && w->version &&
		   lacks_version(status, body)) {
		/* Take what it has. */
		free(take_ptr(w->version));
		start(w);
	} else if (w->stage == WATCH && (status == 410 || status == 400)) {
		later(w, STREAM);
	} else {
		fail(w, w->stage == WATCH ? WATCH : STREAM, text);
	}
}

static void call_done(int err, int status, const char *body, size_t len,
		      void *arg)
{
	struct kube_watch *w = arg;
	uint64_t lived = uv_now(kube_client_loop(w->client)) - w->since;

	w->call = NULL;
	uv_timer_stop(&w->timer);
	if (err || status != 200) {
		refused(w, err, status, body, len);
	} else if (w->stage == PLAIN) {
		plain_list(w, body, len);
	} else if (w->stage == STREAM) {
		fail_say(w, PLAIN, "the list was not finished");
	} else if (lived < SETTLED_MS) {
		fail_say(w, WATCH, "it ended at once");
	} else {
		w->failures = 0;
		start(w);
	}
}

/* Nothing came: the connection may be dead, or the server never meant to. */
static void silence_event(uv_timer_t *timer)
{
	struct kube_watch *w = timer->data;

	if (w->begun && w->stage == STREAM) {
		stop_call(w);
		w->stage = PLAIN;
		start(w);
		return;
	}
	kube_client_suspect(w->client);
	fail_say(w, w->stage, "no answer within %d s", ANSWER_MS / 1000);
}

/* ---- calls --------------------------------------------------------------- */

static int make_path(const struct kube_watch *w, unsigned int seconds,
		     struct buf *out)
{
	static const char watching[] =
		"watch=true&allowWatchBookmarks=true&timeoutSeconds";

	switch (w->stage) {
	case STREAM:
		buf_printf(
			out,
			"%s?%s=%u&sendInitialEvents=true&resourceVersionMatch=NotOlderThan%s",
			w->path, watching, seconds, w->selectors);
		break;
	case PLAIN:
		buf_printf(out, "%s?resourceVersion=%s%s%s", w->path,
			   w->version ?: "0",
			   w->version ? "&resourceVersionMatch=NotOlderThan"
				      : "",
			   w->selectors);
		break;
	case WATCH:
		buf_printf(out, "%s?%s=%u&resourceVersion=%s%s", w->path,
			   watching, seconds, w->version, w->selectors);
		break;
	}
	return out->err;
}

static const char *accepted(const struct kube_watch *w)
{
	if (!w->opt.metadata_only)
		return NULL;
	return w->stage == PLAIN ? METADATA_LIST METADATA_OF
				 : METADATA_ONLY METADATA_OF;
}

static int ask(struct kube_watch *w)
{
	/* Spread, by the random part of a back-off: 300 to 600 s. */
	unsigned int seconds = WATCH_S + (kube_backoff_ms(7) - 15000) / 50;
	_buf_ struct buf path = {0};
	struct kube_request req = {
		.method = "GET",
		.accept = accepted(w),
		.timeout_ms = w->stage == PLAIN ? PLAIN_MS
						: seconds * 1000 + ANSWER_MS,
		.done = call_done,
		.arg = w,
	};

	if (make_path(w, seconds, &path))
		return -ENOMEM;
	free(w->asked);
	w->asked = buf_take(&path);
	req.path = w->asked;
	if (w->stage == PLAIN)
		return kube_request(w->client, &req, &w->call);
	return kube_stream(w->client, &req, stream_data, &w->call);
}

static void start(struct kube_watch *w)
{
	int err;

	w->begun = false;
	w->since = uv_now(kube_client_loop(w->client));
	if (w->stage == WATCH && !w->version)
		w->stage = STREAM;
	if (w->stage != WATCH)
		w->set.list++;
	err = ask(w);
	if (err)
		fail_say(w, w->stage, "%s", strerror(-err));
	else if (w->stage != PLAIN)
		uv_timer_start(&w->timer, silence_event, ANSWER_MS, 0);
}

/* ---- opening and closing ------------------------------------------------- */

static void watch_free(struct kube_watch *w)
{
	free(w->path);
	free(w->what);
	free(w->selectors);
	free(w->asked);
	free(w->version);
	free(w->problem);
	free(w);
}

static void timer_closed(uv_handle_t *handle)
{
	watch_free(handle->data);
}

static int copy_options(struct kube_watch *w,
			const struct kube_watch_options *opt)
{
	_buf_ struct buf selectors = {0};

	buf_printf(&selectors, "%s", "");
	if (opt->field_selector) {
		buf_printf(&selectors, "&fieldSelector=");
		kube_escape(&selectors, opt->field_selector);
	}
	if (opt->label_selector) {
		buf_printf(&selectors, "&labelSelector=");
		kube_escape(&selectors, opt->label_selector);
	}
	w->opt = *opt;
	w->path = strdup(opt->path);
	w->what = strdup(opt->what);
	w->selectors = buf_take(&selectors);
	return w->path && w->what && w->selectors ? 0 : -ENOMEM;
}

int kube_watch_open(struct kube_client *c, const struct kube_watch_options *opt,
		    struct kube_watch **out)
{
	struct kube_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	if (copy_options(w, opt)) {
		watch_free(w);
		return -ENOMEM;
	}
	w->client = c;
	heard(w);
	uv_timer_init(kube_client_loop(c), &w->timer);
	w->timer.data = w;
	uv_timer_start(&w->timer, start_event, 0, 0);
	*out = w;
	return 0;
}

void kube_watch_close(struct kube_watch *w)
{
	if (!w || w->closed)
		return;
	w->closed = true;
	stop_call(w);
	while (w->set.n)
		drop(w, watch_set_any(&w->set));
	uv_close((uv_handle_t *)&w->timer, timer_closed);
}

void kube_watch_again(struct kube_watch *w)
{
	if (w->call)
		return;
	w->failures = 0;
	uv_timer_start(&w->timer, start_event, 0, 0);
}

bool kube_watch_synced(const struct kube_watch *w)
{
	return w->synced;
}

uint64_t kube_watch_age_ms(const struct kube_watch *w)
{
	return uv_now(kube_client_loop(w->client)) - w->heard;
}

const char *kube_watch_problem(const struct kube_watch *w)
{
	return w->problem;
}

void kube_watch_each(struct kube_watch *w,
		     void (*each)(struct kube_object *obj, void *arg),
		     void *arg)
{
	watch_set_each(&w->set, each, arg);
}
