// SPDX-License-Identifier: Apache-2.0
/*
 * List, watch, resume, list again.
 *
 *   STREAM   a watch that begins with all there is (sendInitialEvents) and says
 *            by a bookmark when that was all; it then is the watch
 *   PLAIN    for a server that refuses that: a list from its watch cache; if
 *            that is too large, the first page of one from its store
 *   PAGE     the next page of that
 *   WATCH    from where the last one ended
 *   PROBE    one object, to see whether the server's versions went back
 *
 * There is always a call under way or the timer running, never nothing. During
 * a call the timer ends the wait for it.
 */
#include "kube/watch_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"

/* How long a server may take to begin an answer. */
#define ANSWER_MS 30000
#define PLAIN_MS 120000
/* The server ends a watch after this or up to twice as long, so that all are
 * spread again. */
#define WATCH_S 300
/* A server sends a bookmark about once a minute if nothing changes. The agent
 * opens a watch anew that is silent for longer, and up to a tenth more; the new
 * one must end after DOUBTED_S, so that silence then proves something. */
#define SILENT_MS 90000
#define DOUBTED_S 15
/* Only after so many 404 in a row are the known objects dropped: the server may
 * be starting, or another program may have answered. */
#define ABSENT_TIMES 3
/* Wait as after so many failures at most: every 2 to 4 s. */
#define EAGER_MOST 4

#define PAGE_OBJECTS "500"

#define METADATA_ONLY "application/json;as=PartialObjectMetadata"
#define METADATA_LIST "application/json;as=PartialObjectMetadataList"
#define METADATA_OF ";g=meta.k8s.io;v=v1"

static void watch_start(struct kube_watch *w);

/* ---- ends of calls ------------------------------------------------------- */

static void absent(struct kube_watch *w, const char *problem)
{
	bool news = !w->not_there;

	if (!w->opt.optional || (w->set.n && ++w->absent < ABSENT_TIMES)) {
		watch_fail(w, STREAM, problem);
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
	watch_later(w, STREAM);
	watch_heard(w);
	if (news)
		watch_listed(w);
	else
		watch_problem(w, NULL);
}

/* With this status the server has looked at the path. Proxies in front of it
 * also answer 401, 403 and 5xx, whatever the path. */
static bool proves_there(int status)
{
	return status / 100 == 2 || status == 400 || status == 410 ||
	       status == 422 || status == 429;
}

/* The answers of a server that does not stream lists: 422 if that is switched
 * off, the others if it does not understand the request. */
static bool cannot_stream(int status)
{
	return status == 400 || status == 406 || status == 415 || status == 422;
}

/* The server may be behind the last one, or have begun anew. */
static bool lacks_version(int status, const char *body)
{
	return status == 400 || status == 410 ||
	       (status == 504 && strstr(body, "Too large resource version"));
}

/* The call ended with an answer of any kind, or none. */
static void refused(struct kube_watch *w, int err, int status, const char *body,
		    size_t len)
{
	_buf_ struct buf problem = {};
	const char *text;

	kube_say(&problem, w->client, "GET", w->asked, err, status, body, len);
	text = problem.data ?: "out of memory";
	/* Not for what the server refuses with a reason. */
	if (w->opt.eager && status / 100 != 4 && w->failures >= EAGER_MOST)
		w->failures = EAGER_MOST - 1;
	if (status)
		watch_answered(w);
	if (status && status != 404)
		w->absent = 0;
	if (proves_there(status))
		watch_there(w);
	if (status == 404) {
		absent(w, text);
	} else if (w->stage == STREAM && cannot_stream(status)) {
		w->stage = PLAIN;
		watch_start(w);
	} else if (w->stage == STREAM && status == 500) {
		/* It may mean that it cannot stream; or the server is
		 * overloaded, and should be left alone for a moment. */
		watch_fail(w, PLAIN, text);
	} else if (w->stage == PLAIN && err == -EFBIG && !w->paged) {
		w->paged = true;
		watch_start(w);
	} else if (w->stage == PAGE && status == 410) {
		/* It took too long: start again with the first page. */
		watch_later(w, PLAIN);
	} else if (w->stage == PLAIN && w->version &&
		   lacks_version(status, body)) {
		/* Take the version that it has. */
		free(take_ptr(w->version));
		watch_start(w);
	} else if (w->stage == WATCH && status == 410) {
		watch_expired(w);
	} else if (w->stage == WATCH && status == 400) {
		watch_later(w, STREAM);
	} else {
		watch_fail(w, w->stage == WATCH ? WATCH : STREAM, text);
	}
}

/* A watch lived as long as the server allows. */
static void ended(struct kube_watch *w)
{
	/* Not even a bookmark came: did the versions go back? */
	if (w->doubted)
		w->stage = PROBE;
	else
		watch_heard(w);
	w->away = false;
	w->failures = 0;
	watch_problem(w, NULL);
	watch_start(w);
}

static void call_done(int err, int status, const char *body, size_t len,
		      void *arg)
{
	struct kube_watch *w = arg;

	w->call = NULL;
	uv_timer_stop(&w->timer);
	if (w->stage == PROBE && (err || status != 200))
		w->stage = WATCH;
	if (err || status != 200) {
		refused(w, err, status, body, len);
	} else if (w->stage == PROBE) {
		watch_probed(w, body, len);
	} else if (w->stage == PLAIN || w->stage == PAGE) {
		watch_plain_list(w, body, len);
	} else if (w->stage == STREAM) {
		watch_fail_say(w, PLAIN, "the list was not finished");
	} else if (!watch_settled(w)) {
		watch_fail_say(w, WATCH, "it ended at once");
	} else {
		ended(w);
	}
}

/* Nothing came: the connection may be dead, or the server has nothing to
 * send. */
static void watch_silence_event(uv_timer_t *timer)
{
	struct kube_watch *w = timer->data;

	if (w->begun && w->stage == STREAM) {
		watch_stop_call(w);
		w->stage = PLAIN;
		watch_start(w);
		return;
	}
	kube_client_suspect(w->client);
	if (w->begun && !w->doubted) {
		log_debug("%s: the server is silent, watching anew from %s",
			  w->what, w->version);
		watch_stop_call(w);
		w->doubted = w->away = true;
		watch_start(w);
		return;
	}
	/* So the call was not good. */
	w->begun = false;
	watch_fail_say(w, w->stage, "no answer within %u s",
		       (w->doubted ? WATCH_DOUBTED_MS : ANSWER_MS) / 1000);
}

/* ---- calls --------------------------------------------------------------- */

/* With a version a limit would bypass the watch cache and read the store; with
 * "0" most servers ignore it. */
static void first_page(const struct kube_watch *w, struct buf *out)
{
	buf_printf(out, "%s?", w->path);
	if (w->paged)
		buf_printf(out, "limit=" PAGE_OBJECTS);
	else if (w->version)
		buf_printf(
			out,
			"resourceVersion=%s&resourceVersionMatch=NotOlderThan",
			w->version);
	else
		buf_printf(out, "resourceVersion=0&limit=" PAGE_OBJECTS);
	buf_printf(out, "%s", w->selectors);
}

static int make_path(const struct kube_watch *w, unsigned int seconds,
		     struct buf *out)
{
	static const char watching[] =
		"watch=true&allowWatchBookmarks=true&timeoutSeconds";

	switch (w->stage) {
	case PAGE:
		buf_printf(out, "%s?limit=" PAGE_OBJECTS "&continue=", w->path);
		kube_escape(out, w->next);
		buf_printf(out, "%s", w->selectors);
		break;
	case STREAM:
		buf_printf(
			out,
			"%s?%s=%u&sendInitialEvents=true&resourceVersionMatch=NotOlderThan%s",
			w->path, watching, seconds, w->selectors);
		break;
	case PLAIN:
		first_page(w, out);
		break;
	case PROBE:
		buf_printf(out, "%s?limit=1", w->path);
		break;
	case WATCH:
		buf_printf(out, "%s?%s=%u&resourceVersion=%s%s", w->path,
			   watching, seconds, w->version, w->selectors);
		break;
	}
	return out->err;
}

static bool is_stream(const struct kube_watch *w)
{
	return w->stage == STREAM || w->stage == WATCH;
}

static const char *accepted(const struct kube_watch *w)
{
	if (!w->opt.metadata_only)
		return NULL;
	return is_stream(w) ? METADATA_ONLY METADATA_OF
			    : METADATA_LIST METADATA_OF;
}

static int ask(struct kube_watch *w)
{
	unsigned int seconds =
		w->doubted ? DOUBTED_S : WATCH_S + kube_dice(WATCH_S);
	_buf_ struct buf path = {};
	struct kube_request req = {
		.method = "GET",
		.accept = accepted(w),
		.timeout_ms =
			is_stream(w) ? seconds * 1000 + ANSWER_MS : PLAIN_MS,
		.done = call_done,
		.arg = w,
	};

	if (make_path(w, seconds, &path))
		return -ENOMEM;
	free(w->asked);
	w->asked = buf_take(&path);
	req.path = w->asked;
	if (!is_stream(w))
		return kube_request(w->client, &req, &w->call);
	return kube_stream(w->client, &req, watch_stream_data, &w->call);
}

static void watch_start(struct kube_watch *w)
{
	int err;

	w->begun = false;
	w->since = uv_now(kube_client_loop(w->client));
	if (w->stage == WATCH && !w->version)
		w->stage = STREAM;
	/* Somebody may have restored the server meanwhile. */
	if (w->stage == WATCH && w->opt.eager && w->away && !w->doubted &&
	    !w->probed)
		w->stage = PROBE;
	w->doubted &= w->stage == WATCH || w->stage == PROBE;
	w->patience_ms = SILENT_MS + kube_dice(SILENT_MS / 10);
	if (w->stage == STREAM || w->stage == PLAIN)
		w->set.list++;
	if (w->stage != PAGE)
		free(take_ptr(w->next));
	err = ask(w);
	if (err)
		watch_fail_say(w, w->stage, "%s", strerror(-err));
	else if (is_stream(w))
		uv_timer_start(
			&w->timer, watch_silence_event,
			fault_ms(w->doubted ? WATCH_DOUBTED_MS : ANSWER_MS), 0);
}

/* ---- opening and closing ------------------------------------------------- */

static void watch_free(struct kube_watch *w)
{
	free(w->path);
	free(w->what);
	free(w->selectors);
	free(w->asked);
	free(w->version);
	free(w->next);
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
	_buf_ struct buf selectors = {};

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

static const struct watch_steps steps = {
	.start = watch_start,
	.silence_event = watch_silence_event,
};

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
	w->steps = &steps;
	w->client = c;
	LIST_INSERT_HEAD(&kube_client_watches(c)->list, w, of_client);
	watch_heard(w);
	uv_timer_init(kube_client_loop(c), &w->timer);
	w->timer.data = w;
	watch_start_in(w, kube_dice(opt->first_ms));
	*out = w;
	return 0;
}

void kube_watch_close(struct kube_watch *w)
{
	if (!w || w->closed)
		return;
	w->closed = true;
	LIST_REMOVE(w, of_client);
	watch_stop_call(w);
	while (w->set.n)
		watch_drop(w, watch_set_any(&w->set));
	uv_close((uv_handle_t *)&w->timer, timer_closed);
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
