/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One watch; only user/kube/watch*.c include this.
 *
 *   watch.c          asks, and acts on how a call ends
 *   watch_read.c     reads what comes: events of a stream, pages of a list
 *   watch_trouble.c  reports problems, and decides when to ask again
 *   watch_back.c     notices when the server's versions go back
 *   watch_set.c      the objects known
 */
#pragma once

#include "kube/stream.h"
#include "kube/watch_set.h"

/* The stages of a call: watch.c. */
enum stage { STREAM, PLAIN, PAGE, WATCH, PROBE };

struct kube_watch;

/* What the files below call in watch.c. */
struct watch_steps {
	void (*start)(struct kube_watch *w); /* ask now, as w->stage says */
	/* for the timer, whose data is the watch: nothing came for too long */
	uv_timer_cb silence_event;
};

struct kube_watch {
	const struct watch_steps *steps;
	struct kube_client *client;
	LIST_ENTRY(kube_watch) of_client;
	struct kube_watch_options opt;
	char *path, *what, *selectors; /* "&fieldSelector=..." or "" */
	char *asked;		       /* path and query of the call */
	uv_timer_t timer;
	struct kube_call *call;
	enum stage stage;
	bool begun;
	uint64_t since; /* loop time of the call's start, ms */
	uint64_t heard; /* when the objects were last known to be right */
	struct watch_set set;
	char *version; /* of the last event; NULL: none */
	char *next;    /* a PAGE's token */
	bool paged;    /* a list was too large for one answer */
	/* The last call fell silent. The next one is short, so that the server
	 * must send something, if only its end. */
	bool doubted;
	bool probed;		  /* since the last failure */
	unsigned int patience_ms; /* else so long it may be silent */
	unsigned int failures, absent;
	bool unreached;	 /* the last call got no connection */
	bool told;	 /* the server said when to come again */
	bool away;	 /* the server was away, or seemed so */
	uint64_t listed; /* loop time */
	bool synced, closed;
	bool not_there; /* the last answer was a 404 that counted */
	char *problem;
};

/* ---- watch_read.c -------------------------------------------------------- */

/* watch_stream_data - kube_stream()'s `data`. */
void watch_stream_data(struct buf *in, void *arg);

/* watch_plain_list - The body of a list that was not streamed. */
void watch_plain_list(struct kube_watch *w, const char *body, size_t len);

/* watch_listed - A list is complete: delete the objects that it did not
 * have. */
void watch_listed(struct kube_watch *w);

/* watch_there - The path exists. */
void watch_there(struct kube_watch *w);

/* watch_drop - Tell the owner that @e is gone. */
void watch_drop(struct kube_watch *w, struct watch_entry *e);

/* ---- watch_back.c -------------------------------------------------------- */

/* watch_is_back - Is @version lower than the last one of the watch? */
bool watch_is_back(const struct kube_watch *w, const char *version);

/* watch_probed - Take the answer to a PROBE. */
void watch_probed(struct kube_watch *w, const char *body, size_t len);

/* ---- watch_trouble.c ----------------------------------------------------- */

/* A call that has lived so long was good: its end is no trouble yet. */
#define WATCH_SETTLED_MS 10000

/* How long a doubted call, which must end before that, may be silent. */
#define WATCH_DOUBTED_MS 20000

/* watch_settled - Has the call lived that long? */
bool watch_settled(const struct kube_watch *w);

/* watch_heard - Note that the objects are right as of now. */
void watch_heard(struct kube_watch *w);

/* watch_problem - Set the present problem; NULL: none. */
void watch_problem(struct kube_watch *w, const char *problem);

/* watch_expect - Something came just now: restart the timer for the next. */
void watch_expect(struct kube_watch *w);

/* watch_stop_call - End the call and the timer. */
void watch_stop_call(struct kube_watch *w);

/* watch_start_in - Ask after @ms, as w->stage says. */
void watch_start_in(struct kube_watch *w, unsigned int ms);

/* watch_later - Try again, at @stage. Return: was all well before? */
bool watch_later(struct kube_watch *w, enum stage stage);

/* watch_answered - The server has answered, whatever it said. */
void watch_answered(struct kube_watch *w);

/*
 * watch_spread_ms - The wait before listing @n objects anew, where all nodes
 * must do so at the same time: random, 6 ms at most for each object, 30 s at
 * most.
 */
unsigned int watch_spread_ms(size_t n);

/* watch_list_in - List anew in @ms. */
void watch_list_in(struct kube_watch *w, unsigned int ms);

/*
 * watch_expired - The server does not know what came after w->version any more:
 * list anew at once; or after a random wait, if other nodes are likely to list,
 * too.
 */
void watch_expired(struct kube_watch *w);

/* watch_fail - The call failed: report why, try again later. */
void watch_fail(struct kube_watch *w, enum stage stage, const char *problem);
void watch_fail_say(struct kube_watch *w, enum stage stage, const char *fmt,
		    ...) __attribute__((format(printf, 3, 4)));
