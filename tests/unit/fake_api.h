/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server that says what the test wants: HTTP/1.1 on a socket of the
 * test's own loop. Requests wait until the test answers them, so nothing here
 * depends on time.
 */
#pragma once

#include "unit.h"

#include <stdarg.h>
#include <sys/queue.h>
#include <uv.h>
#include "base/buf.h"

#define GIVE_UP_MS 20000
/* A turn of the loop that only ran a timer would wait for the next event. */
#define TICK_MS 20

struct fake;

struct fake_conn {
	struct fake *fake;
	LIST_ENTRY(fake_conn) all;
	uv_tcp_t tcp;
	struct buf in;	/* what came */
	size_t request; /* length of the request that waits, 0: none */
	bool gone;	/* the client closed it */
	bool closing;
};

struct fake {
	uv_loop_t *loop;
	uv_tcp_t tcp;
	uv_timer_t guard;
	uint64_t give_up_at;
	bool gave_up;
	int port;
	char url[64];
	unsigned int accepted;
	LIST_HEAD(, fake_conn) conns;
};

/* Run the loop until @cond holds. */
#define wait_for(f, cond)                                  \
	do {                                               \
		fake_patience(f);                          \
		while (!(cond) && !(f)->gave_up)           \
			uv_run((f)->loop, UV_RUN_ONCE);    \
		uv_timer_stop(&(f)->guard);                \
		if (!(cond))                               \
			fail_msg("never came: %s", #cond); \
	} while (0)

static inline void fake_guard(uv_timer_t *timer)
{
	struct fake *f = timer->data;

	f->gave_up = uv_now(f->loop) >= f->give_up_at;
}

static inline void fake_patience(struct fake *f)
{
	uv_update_time(f->loop);
	f->give_up_at = uv_now(f->loop) + GIVE_UP_MS;
	f->gave_up = false;
	uv_timer_start(&f->guard, fake_guard, TICK_MS, TICK_MS);
}

/* ---- connections --------------------------------------------------------- */

static inline void fake_conn_closed(uv_handle_t *handle)
{
	struct fake_conn *c = handle->data;

	buf_free(&c->in);
	free(c);
}

static inline void fake_drop(struct fake_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	LIST_REMOVE(c, all);
	uv_close((uv_handle_t *)&c->tcp, fake_conn_closed);
}

static inline void fake_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	static char room[65536];

	*buf = uv_buf_init(room, sizeof(room));
}

/* Is there a whole request? */
static inline void fake_parse(struct fake_conn *c)
{
	const char *end, *length;
	size_t body = 0;

	if (c->request || !c->in.data)
		return;
	end = strstr(c->in.data, "\r\n\r\n");
	if (!end)
		return;
	length = strcasestr(c->in.data, "\r\nContent-Length:");
	if (length && length < end)
		body = strtoul(length + 17, NULL, 10);
	if (c->in.len >= end - c->in.data + 4 + body)
		c->request = end - c->in.data + 4 + body;
}

static inline void fake_read(uv_stream_t *stream, ssize_t n,
			     const uv_buf_t *buf)
{
	struct fake_conn *c = stream->data;

	if (n < 0) {
		c->gone = true;
		uv_read_stop(stream);
		return;
	}
	buf_add(&c->in, buf->base, n);
	fake_parse(c);
}

static inline void fake_accept(uv_stream_t *stream, int status)
{
	struct fake *f = stream->data;
	struct fake_conn *c = calloc(1, sizeof(*c));

	assert_int_equal(status, 0);
	uv_tcp_init(f->loop, &c->tcp);
	c->tcp.data = c;
	c->fake = f;
	LIST_INSERT_HEAD(&f->conns, c, all);
	assert_int_equal(uv_accept(stream, (uv_stream_t *)&c->tcp), 0);
	uv_read_start((uv_stream_t *)&c->tcp, fake_alloc, fake_read);
	f->accepted++;
}

/* ---- answers ------------------------------------------------------------- */

struct fake_write {
	uv_write_t req;
	char *text;
};

static inline void fake_written(uv_write_t *req, int status)
{
	struct fake_write *w = (struct fake_write *)req;

	free(w->text);
	free(w);
}

static inline void fake_send(struct fake_conn *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline void fake_send(struct fake_conn *c, const char *fmt, ...)
{
	struct fake_write *w = calloc(1, sizeof(*w));
	uv_buf_t buf;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&w->text, fmt, ap);
	va_end(ap);
	assert_true(len >= 0);
	buf = uv_buf_init(w->text, len);
	assert_int_equal(uv_write(&w->req, (uv_stream_t *)&c->tcp, &buf, 1,
				  fake_written),
			 0);
}

/* The request was taken: the next one on this connection may come. */
static inline void fake_next(struct fake_conn *c)
{
	buf_drop(&c->in, c->request);
	c->request = 0;
	fake_parse(c);
}

/* fake_reply - A whole answer. @headers: "" or lines that end in CRLF. */
static inline void fake_reply_with(struct fake_conn *c, int status,
				   const char *headers, const char *body)
{
	fake_next(c);
	fake_send(c,
		  "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n"
		  "%sContent-Length: %zu\r\n\r\n%s",
		  status, headers, strlen(body), body);
}

static inline void fake_reply(struct fake_conn *c, int status, const char *body)
{
	fake_reply_with(c, status, "", body);
}

/* fake_begin - The begin of a watch: 200, then what fake_event() sends. */
static inline void fake_begin(struct fake_conn *c)
{
	fake_next(c);
	fake_send(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		     "Transfer-Encoding: chunked\r\n\r\n");
}

static inline void fake_chunk(struct fake_conn *c, const char *text)
{
	fake_send(c, "%zx\r\n%s\r\n", strlen(text), text);
}

/* fake_event - {"type":@type,"object":@object} and a line's end. */
static inline void fake_event(struct fake_conn *c, const char *type,
			      const char *object)
{
	char *text;

	assert_true(asprintf(&text, "{\"type\":\"%s\",\"object\":%s}\n", type,
			     object) > 0);
	fake_chunk(c, text);
	free(text);
}

static inline void fake_end(struct fake_conn *c)
{
	fake_send(c, "0\r\n\r\n");
}

/* ---- requests ------------------------------------------------------------ */

static inline bool fake_asks(const struct fake_conn *c, const char *what)
{
	const char *at;

	if (!c->request || c->gone)
		return false;
	at = strstr(c->in.data, what);
	return at && at < c->in.data + c->request;
}

/* A waiting request that contains @what, or NULL. */
static inline struct fake_conn *fake_find(struct fake *f, const char *what)
{
	struct fake_conn *c;

	LIST_FOREACH(c, &f->conns, all)
	if (fake_asks(c, what))
		return c;
	return NULL;
}

/* fake_wait - The same, which comes. */
static inline struct fake_conn *fake_wait(struct fake *f, const char *what)
{
	fake_patience(f);
	while (!fake_find(f, what) && !f->gave_up)
		uv_run(f->loop, UV_RUN_ONCE);
	uv_timer_stop(&f->guard);
	if (f->gave_up)
		fail_msg("never asked: %s", what);
	return fake_find(f, what);
}

/* ---- the server ---------------------------------------------------------- */

/* fake_listen - At f->port; 0: at any. After fake_die() it is back. */
static inline void fake_listen(struct fake *f)
{
	struct sockaddr_in in;
	int len = sizeof(in);

	uv_tcp_init(f->loop, &f->tcp);
	f->tcp.data = f;
	uv_ip4_addr("127.0.0.1", f->port, &in);
	assert_int_equal(uv_tcp_bind(&f->tcp, (struct sockaddr *)&in, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&f->tcp, 16, fake_accept), 0);
	uv_tcp_getsockname(&f->tcp, (struct sockaddr *)&in, &len);
	f->port = ntohs(in.sin_port);
}

static inline void fake_open(struct fake *f, uv_loop_t *loop)
{
	*f = (struct fake){.loop = loop};
	LIST_INIT(&f->conns);
	uv_timer_init(loop, &f->guard);
	f->guard.data = f;
	fake_listen(f);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->port);
}

/* fake_die - From now on connections are refused, and those there were end. */
static inline void fake_die(struct fake *f)
{
	while (!LIST_EMPTY(&f->conns))
		fake_drop(LIST_FIRST(&f->conns));
	if (!uv_is_closing((uv_handle_t *)&f->tcp))
		uv_close((uv_handle_t *)&f->tcp, NULL);
}

static inline void fake_close(struct fake *f)
{
	fake_die(f);
	uv_close((uv_handle_t *)&f->guard, NULL);
}
