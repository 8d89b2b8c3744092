/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP on the loop: one server per listening socket, GET and HEAD (of some
 * POST) of a table of routes; streams: answers that are made while they are
 * read; and feeds: answers without an end, to which text is published. All is
 * bounded: connections, idle time, text that waits for a slow reader.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>
#include <linux/types.h>
#include "base/buf.h"
#include "base/cleanup.h"

struct http;
struct http_feed;
struct MHD_Connection;

/*
 * An answer made piece by piece, each when the reader has taken the one before;
 * between two pieces the loop does its other work.
 * @more: append the next piece to @out, which is empty. Return: 1; 0: that was
 *        the last one; a negative errno, logged by itself: the connection is
 *        closed in mid answer, so no reader takes the part for the whole.
 * @free: called once, also where nobody reads to the end; NULL: nothing to do.
 */
struct http_stream {
	int (*more)(struct buf *out, void *arg); /* NULL: there is no stream */
	void (*free)(void *arg);
	void *arg;
};

/* A reader of a feed, and what of it is for it; zeroed: all. */
struct http_reader {
	/* @item: as of http_feed_publish(), not NULL. NULL: every one is. */
	bool (*wants)(const void *item, void *arg);
	void (*free)(void *arg); /* once the reader has gone; or NULL */
	void *arg;
};

struct http_reply {
	unsigned int status;	   /* 200 unless the route changes it */
	const char *type;	   /* Content-Type, a static string */
	struct buf body;	   /* owned by the server afterwards */
	struct http_feed *feed;	   /* or NULL: instead of the body */
	struct http_reader reader; /* of the feed; owned by the server, too */
	struct http_stream stream; /* as feed; likewise */
};

typedef void (*http_route_fn)(struct MHD_Connection *request,
			      struct http_reply *reply, void *arg);

struct http_route {
	const char *path;
	http_route_fn run;
	bool post; /* it changes something: POST only */
};

/* http_query - The value of ?key=value, "" for ?key, NULL if it is missing.
 * Lives as long as the request. */
const char *http_query(struct MHD_Connection *request, const char *key);

/* http_query_each - Call @fn for each ?key=value in turn, with "" for ?key,
 * until it returns false. */
typedef bool (*http_query_fn)(const char *key, const char *value, void *arg);
void http_query_each(struct MHD_Connection *request, http_query_fn fn,
		     void *arg);

/* http_address_check - Is @where an address and port as http_listen_tcp() wants
 * them? Return: 0; -EINVAL, logged. */
must_check int http_address_check(const char *where);

/* http_listen_tcp - "127.0.0.1:9469", "[::1]:9469"; port 0: any free one.
 * @bound: the address it got, as in @where. Return: socket, or a negative
 * errno, logged; -EINVAL: @where is no such text. */
must_check int http_listen_tcp(const char *where, char bound[64]);

/* http_listen_unix - A socket of mode 0600 at @path; replaces one that a dead
 * agent left: the caller holds the lock. Return: as above. */
must_check int http_listen_unix(const char *path);

/*
 * http_start - Serve @routes on @listen_fd, which the server owns from now on,
 * also on failure.
 * @routes: ends with an empty row; @arg goes to each.
 * Return: 0 or a negative errno, logged.
 */
must_check int http_start(uv_loop_t *loop, int listen_fd,
			  const struct http_route *routes, void *arg,
			  struct http **out);

/* http_stop - End all connections; memory goes when the loop has closed the
 * handles. NULL is allowed. */
void http_stop(struct http *h);

/* http_feed_new - A feed; give it to replies. Free it after http_stop(). */
struct http_feed *http_feed_new(void);
void http_feed_free(struct http_feed *feed);

/* http_feed_readers - How many read now. */
unsigned int http_feed_readers(const struct http_feed *feed);

/* http_feed_tell_missed - Have @say append to @out what a reader that missed
 * @n texts reads in their place. */
void http_feed_tell_missed(struct http_feed *feed,
			   void (*say)(__u64 n, struct buf *out));

/*
 * http_feed_publish - Send @text to every reader that wants @item; NULL: to
 * all. A reader for which too much text waits does not get it.
 * Return: number of readers that missed it.
 */
unsigned int http_feed_publish(struct http_feed *feed, const void *item,
			       const char *text, size_t len);

/* http_feed_sweep - Drop readers that have gone away: libmicrohttpd does not
 * look at connections that wait for news. */
void http_feed_sweep(struct http_feed *feed);
