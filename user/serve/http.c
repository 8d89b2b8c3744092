// SPDX-License-Identifier: Apache-2.0
/*
 * libmicrohttpd brings its own epoll set; its descriptor is one more source of
 * our loop, and MHD_get_timeout() one timer, or the next turn. Nothing runs in
 * a thread.
 *
 * A reader of a feed is a response whose content callback has nothing to give
 * most of the time. It then suspends its connection, and publishing resumes
 * it. Two traps: without a thread of its own libmicrohttpd has nothing that
 * wakes it after a resume, so our next turn runs it; and it aborts the
 * process if it is stopped with a suspended connection left, so http_stop()
 * first ends the feeds.
 *
 * A stream's connection is suspended after each piece, too, and resumed after
 * the run: else libmicrohttpd would ask for pieces until the socket is full,
 * and the loop do nothing else while a client reads as fast as we write.
 */
#include "serve/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "base/log.h"
#include "loop/handles.h"

#define CONNECTIONS_MAX 64
/* One machine that leaves its connections hanging does not keep scrapers and
 * kubelet's probes out; more are closed as they come. Not on a unix socket. */
#define CONNECTIONS_PER_ADDRESS_MAX 16
#define IDLE_SECONDS 10
#define READERS_MAX 16
#define READER_WAITING_MAX (1U << 20) /* bytes */
#define PIECE_MAX 16384 /* bytes that libmicrohttpd sends at once */
#define STREAMS_MAX 4	/* each may hold a copy of a whole map */

struct http {
	struct MHD_Daemon *daemon;
	const struct http_route *routes;
	void *arg;
	struct http_feed *feed; /* the last one that a route gave */
	uv_poll_t poll;
	uv_timer_t timer;
	uv_idle_t idle; /* run in the next turn in any case */
	struct handles handles;
	struct streamed *streams[STREAMS_MAX]; /* or NULL */
	unsigned int runs;		       /* of libmicrohttpd */
};

struct reader {
	struct reader *next;
	struct http_feed *feed;
	struct MHD_Connection *connection;
	struct http_reader who;
	struct buf waiting;
	__u64 missed; /* texts, since it got the last one */
	bool suspended, gone;
};

struct http_feed {
	struct http *server; /* of the readers; NULL before the first */
	struct reader *readers;
	unsigned int n;
	bool ended;
	void (*say_missed)(__u64 n, struct buf *out); /* or NULL */
};

/* ---- feeds ------------------------------------------------------------- */

struct http_feed *http_feed_new(void)
{
	return calloc(1, sizeof(struct http_feed));
}

void http_feed_free(struct http_feed *feed)
{
	free(feed);
}

unsigned int http_feed_readers(const struct http_feed *feed)
{
	return feed->n;
}

static void idle_event(uv_idle_t *idle);

static void reader_resume(struct reader *r)
{
	if (!r->suspended)
		return;
	r->suspended = false;
	MHD_resume_connection(r->connection);
	uv_idle_start(&r->feed->server->idle, idle_event);
}

void http_feed_tell_missed(struct http_feed *feed,
			   void (*say)(__u64 n, struct buf *out))
{
	feed->say_missed = say;
}

/* Return: false: too much waits, it has missed it. */
static bool reader_add(struct reader *r, const char *text, size_t len)
{
	if (r->waiting.len + len > READER_WAITING_MAX) {
		r->missed++;
		return false;
	}
	if (r->missed && r->feed->say_missed)
		r->feed->say_missed(r->missed, &r->waiting);
	r->missed = 0;
	return !buf_add(&r->waiting, text, len);
}

unsigned int http_feed_publish(struct http_feed *feed, const void *item,
			       const char *text, size_t len)
{
	unsigned int missed = 0;

	for (struct reader *r = feed->readers; r; r = r->next) {
		if (item && r->who.wants && !r->who.wants(item, r->who.arg))
			continue;
		missed += !reader_add(r, text, len);
		reader_resume(r);
	}
	return missed;
}

void http_feed_sweep(struct http_feed *feed)
{
	const union MHD_ConnectionInfo *info;
	char byte;

	for (struct reader *r = feed->readers; r; r = r->next) {
		info = MHD_get_connection_info(
			r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (!info ||
		    recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT))
			continue;
		r->gone = true;
		reader_resume(r);
	}
}

static ssize_t reader_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct reader *r = arg;
	size_t n = r->waiting.len < max ? r->waiting.len : max;

	if (r->gone || r->waiting.err)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!n && r->feed->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!n) {
		r->suspended = true;
		MHD_suspend_connection(r->connection);
		return 0;
	}
	memcpy(out, r->waiting.data, n);
	buf_drop(&r->waiting, n);
	return n;
}

static void who_free(const struct http_reader *who)
{
	if (who->free)
		who->free(who->arg);
}

static void reader_free(void *arg)
{
	struct reader *r = arg;
	struct reader **link = &r->feed->readers;

	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	r->feed->n--;
	buf_free(&r->waiting);
	who_free(&r->who);
	free(r);
}

static struct MHD_Response *feed_response(struct http_feed *feed,
					  const struct http_reader *who,
					  struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	struct reader *r = NULL;

	if (feed->n < READERS_MAX)
		r = calloc(1, sizeof(*r));
	if (!r) {
		who_free(who);
		return NULL;
	}
	r->feed = feed;
	r->who = *who;
	r->connection = connection;
	r->next = feed->readers;
	feed->readers = r;
	feed->n++;
	response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, 4096, reader_read, r, reader_free);
	if (!response)
		reader_free(r);
	else /* the idle time is for requests, not for waiting readers */
		MHD_set_connection_option(connection,
					  MHD_CONNECTION_OPTION_TIMEOUT, 0U);
	return response;
}

/* ---- streams ----------------------------------------------------------- */

struct streamed {
	struct http *server;
	struct MHD_Connection *connection;
	struct http_stream stream;
	struct buf piece; /* rest of the last one */
	unsigned int run; /* the run that made it */
	bool suspended, ended;
};

static void stream_free(const struct http_stream *stream)
{
	if (stream->free)
		stream->free(stream->arg);
}

static void streamed_free(void *arg)
{
	struct streamed *s = arg;

	for (int i = 0; i < STREAMS_MAX; i++)
		if (s->server->streams[i] == s)
			s->server->streams[i] = NULL;
	stream_free(&s->stream);
	buf_free(&s->piece);
	free(s);
}

/* Make the next piece, one in a run. Return: 0; 1: not in this run; -EIO. */
static int streamed_more(struct streamed *s)
{
	int more;

	if (s->run == s->server->runs) {
		s->suspended = true;
		MHD_suspend_connection(s->connection);
		return 1;
	}
	s->run = s->server->runs;
	more = s->stream.more(&s->piece, s->stream.arg);
	s->ended = !more;
	return more < 0 || s->piece.err ? -EIO : 0;
}

static ssize_t streamed_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct streamed *s = arg;
	int ret = 0;
	size_t n;

	while (!ret && !s->piece.len && !s->ended)
		ret = streamed_more(s);
	if (ret)
		return ret > 0 ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
	if (!s->piece.len)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = s->piece.len < max ? s->piece.len : max;
	memcpy(out, s->piece.data, n);
	buf_drop(&s->piece, n);
	return n;
}

/* Return: NULL: too many streams, or no memory; it has freed the stream
 * then. */
static struct MHD_Response *stream_response(struct http *h,
					    const struct http_stream *stream,
					    struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	struct streamed *s = NULL;
	int at = 0;

	while (at < STREAMS_MAX && h->streams[at])
		at++;
	if (at < STREAMS_MAX)
		s = calloc(1, sizeof(*s));
	if (!s) {
		stream_free(stream);
		return NULL;
	}
	*s = (struct streamed){.server = h,
			       .connection = connection,
			       .stream = *stream,
			       .run = h->runs - 1};
	h->streams[at] = s;
	response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, PIECE_MAX, streamed_read, s, streamed_free);
	if (!response)
		streamed_free(s);
	return response;
}

/* Return: does a connection wait for the next run? */
static bool streams_resume(struct http *h)
{
	bool any = false;

	for (int i = 0; i < STREAMS_MAX; i++) {
		struct streamed *s = h->streams[i];

		if (!s || !s->suspended)
			continue;
		s->suspended = false;
		MHD_resume_connection(s->connection);
		any = true;
	}
	return any;
}

/* ---- requests ---------------------------------------------------------- */

const char *http_query(struct MHD_Connection *request, const char *key)
{
	const char *value = NULL;

	if (MHD_lookup_connection_value_n(request, MHD_GET_ARGUMENT_KIND, key,
					  strlen(key), &value, NULL) != MHD_YES)
		return NULL;
	return value ?: "";
}

struct each {
	http_query_fn fn;
	void *arg;
};

static enum MHD_Result hand_value(void *arg, enum MHD_ValueKind kind,
				  const char *key, const char *value)
{
	const struct each *each = arg;

	return each->fn(key, value ?: "", each->arg) ? MHD_YES : MHD_NO;
}

void http_query_each(struct MHD_Connection *request, http_query_fn fn,
		     void *arg)
{
	struct each each = {fn, arg};

	MHD_get_connection_values(request, MHD_GET_ARGUMENT_KIND, hand_value,
				  &each);
}

static const struct http_route *route_find(const struct http *h,
					   const char *path)
{
	const struct http_route *r = h->routes;

	while (r->path && strcmp(r->path, path))
		r++;
	return r->path ? r : NULL;
}

static void reply_not_found(struct http *h, struct http_reply *reply)
{
	reply->status = MHD_HTTP_NOT_FOUND;
	buf_printf(&reply->body, "not found; there is");
	for (const struct http_route *r = h->routes; r->path; r++)
		buf_printf(&reply->body, " %s", r->path);
	buf_add(&reply->body, "\n", 1);
}

static bool method_ok(const struct http_route *route, const char *method)
{
	if (route && route->post)
		return !strcmp(method, "POST");
	return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

/* The response for a feed or stream; NULL: it has neither, or too many readers:
 * the reply is then a 503. */
static struct MHD_Response *bodiless_response(struct http *h,
					      struct http_reply *reply,
					      struct MHD_Connection *connection)
{
	struct MHD_Response *response;

	if (reply->feed) {
		h->feed = reply->feed;
		h->feed->server = h;
		response =
			feed_response(reply->feed, &reply->reader, connection);
	} else if (reply->stream.more) {
		response = stream_response(h, &reply->stream, connection);
	} else {
		return NULL;
	}
	if (response)
		return response;
	reply->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	reply->type = "text/plain";
	buf_printf(&reply->body, "too many readers, at most %d\n",
		   reply->feed ? READERS_MAX : STREAMS_MAX);
	return NULL;
}

static struct MHD_Response *reply_response(struct http *h,
					   struct http_reply *reply,
					   struct MHD_Connection *connection)
{
	struct MHD_Response *response = bodiless_response(h, reply, connection);
	size_t len;

	if (response)
		return response;
	if (reply->body.err) {
		reply->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		buf_free(&reply->body);
	}
	len = reply->body.len;
	return MHD_create_response_from_buffer(len, buf_take(&reply->body),
					       MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection,
			      const char *url, const char *method,
			      const char *version, const char *upload,
			      size_t *upload_len, void **seen)
{
	struct http_reply reply = {.status = MHD_HTTP_OK,
				   .type = "text/plain; charset=utf-8"};
	const struct http_route *route;
	struct MHD_Response *response;
	struct http *h = arg;
	enum MHD_Result ret;

	/* The first call has only the headers; a reply then would close the
	 * connection after it. */
	if (!*seen) {
		*seen = h;
		return MHD_YES;
	}
	if (*upload_len) {
		*upload_len = 0;
		return MHD_YES;
	}
	route = route_find(h, url);
	if (!method_ok(route, method)) {
		reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
		buf_printf(&reply.body, "only %s is answered here\n",
			   route && route->post ? "POST" : "GET");
	} else if (!route) {
		reply_not_found(h, &reply);
	} else {
		route->run(connection, &reply, h->arg);
	}
	response = reply_response(h, &reply, connection);
	buf_free(&reply.body);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", reply.type);
	ret = MHD_queue_response(connection, reply.status, response);
	MHD_destroy_response(response);
	return ret;
}

/* ---- the loop ---------------------------------------------------------- */

/* Return: as of streams_resume(). */
static bool run(struct http *h)
{
	h->runs++;
	MHD_run(h->daemon);
	return streams_resume(h);
}

static void timer_event(uv_timer_t *timer);

/* A timer of 0 ms would fire again in the same turn, each time it is set. */
static void pump(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	bool waits = run(h);
	bool timed = MHD_get_timeout(h->daemon, &ms) == MHD_YES;

	if (waits || (timed && !ms))
		uv_idle_start(&h->idle, idle_event);
	else
		uv_idle_stop(&h->idle);
	if (timed && ms)
		uv_timer_start(&h->timer, timer_event, ms, 0);
	else
		uv_timer_stop(&h->timer);
}

static void timer_event(uv_timer_t *timer)
{
	pump(timer->data);
}

static void idle_event(uv_idle_t *idle)
{
	pump(idle->data);
}

static void poll_event(uv_poll_t *poll, int status, int events)
{
	pump(poll->data);
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	if (h->feed) {
		h->feed->ended = true;
		for (struct reader *r = h->feed->readers; r; r = r->next)
			reader_resume(r);
		/* The next run looks at a resumed connection; the one after it
		 * writes the end of its stream. */
		for (int i = 0; i < 4 && h->feed->n; i++)
			run(h);
	}
	handles_close(&h->handles, &h->poll);
	handles_close(&h->handles, &h->timer);
	handles_close(&h->handles, &h->idle);
	MHD_stop_daemon(h->daemon);
	h->daemon = NULL;
	handles_free(&h->handles, free, h);
}

static int http_init(uv_loop_t *loop, struct http *h, int fd)
{
	const union MHD_DaemonInfo *info;
	int err;

	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer,
		h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		(unsigned int)CONNECTIONS_PER_ADDRESS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS,
		MHD_OPTION_END);
	if (!h->daemon)
		return -EIO;
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	err = info ? uv_poll_init(loop, &h->poll, info->epoll_fd) : -EIO;
	if (err) {
		MHD_stop_daemon(h->daemon);
		return err;
	}
	uv_timer_init(loop, &h->timer);
	uv_idle_init(loop, &h->idle);
	h->poll.data = h->timer.data = h->idle.data = h;
	/* Fails for a closing handle only. */
	uv_poll_start(&h->poll, UV_READABLE, poll_event);
	return 0;
}

int http_start(uv_loop_t *loop, int listen_fd, const struct http_route *routes,
	       void *arg, struct http **out)
{
	struct http *h = calloc(1, sizeof(*h));
	int err;

	if (!h) {
		close(listen_fd);
		return -ENOMEM;
	}
	h->routes = routes;
	h->arg = arg;
	err = http_init(loop, h, listen_fd);
	if (err) {
		free(h);
		return log_err(err, "start the HTTP server");
	}
	*out = h;
	return 0;
}
