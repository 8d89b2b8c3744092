/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One watch; only user/kube/watch*.c include this.
 *
 *   watch.c          asks, and acts on how a call ends
 *   watch_read.c     reads what comes: events of a stream, pages of a list
 *   watch_trouble.c  says what is wrong, and when to ask again
 *   watch_back.c     notices when the server's versions go back
 *   watch_set.c      the objects known
 */
#pragma once

#include "kube/stream.h"
#include "kube/watch_set.h"

/* How a call asks: watch.c. */
enum stage { STREAM, PLAIN, PAGE, WATCH, PROBE };

struct kube_watch;

/* What watch.c does, for the files below it. */
struct watch_steps {
	void (*start)(struct kube_watch *w); /* ask now, as w->stage says */
	/* of the timer, whose data is the watch: nothing was heard for too
	 * long */
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
	uint64_t heard; /* the last time that what is known was right */
	struct watch_set set;
	char *version; /* to go on from; NULL: none */
	char *next;    /* a PAGE's token */
	bool paged;    /* a list was too large to be had at once */
	/* The last call fell silent. The next one is short, so that the server
	 * must say something, if only that it is over. */
	bool doubted;
	bool probed;		  /* since the last failure */
	unsigned int patience_ms; /* so long it may be silent otherwise */
	unsigned int failures, absent;
	bool unreached;	 /* the last call found nobody */
	bool told;	 /* the server said when to come again */
	bool away;	 /* the server was; or so it seemed */
	uint64_t listed; /* loop time */
	bool synced, closed;
	bool not_there; /* the last answer was a 404 that counted */
	char *problem;
};

/* ---- watch_read.c -------------------------------------------------------- */

/* watch_stream_data - kube_stream()'s `data`. */
void watch_stream_data(struct buf *in, void *arg);

/* watch_is_list - Is it a list, with a version? *@meta: the list's own. */
bool watch_is_list(yyjson_val *root, struct watch_meta *meta);

/* watch_plain_list - The body of a list that was not streamed. */
void watch_plain_list(struct kube_watch *w, const char *body, size_t len);

/* watch_listed - All there is was put: what was not is gone. */
void watch_listed(struct kube_watch *w);

/* watch_there - The path is there. */
void watch_there(struct kube_watch *w);

/* watch_drop - The owner is told that @e is gone. */
void watch_drop(struct kube_watch *w, struct watch_entry *e);

/* ---- watch_back.c -------------------------------------------------------- */

/* watch_is_back - Is @version lower than where the watch stands? */
bool watch_is_back(const struct kube_watch *w, const char *version);

/* watch_probed - The answer to a PROBE came. */
void watch_probed(struct kube_watch *w, const char *body, size_t len);

/* ---- watch_trouble.c ----------------------------------------------------- */

/* A call that has lived so long was well: what ends it is no trouble yet. */
#define WATCH_SETTLED_MS 10000

/* So long one that is doubted may be silent, which is to end before that. */
#define WATCH_DOUBTED_MS 20000

/* watch_settled - Has the call lived for so long? */
bool watch_settled(const struct kube_watch *w);

/* watch_heard - What is known is right as of now. */
void watch_heard(struct kube_watch *w);

/* watch_problem - It is this one now; NULL: none. */
void watch_problem(struct kube_watch *w, const char *problem);

/* watch_expect - Something came just now: more must come in time. */
void watch_expect(struct kube_watch *w);

/* watch_stop_call - Neither a call nor the timer is left. */
void watch_stop_call(struct kube_watch *w);

/* watch_start_in - Ask then, as w->stage says. */
void watch_start_in(struct kube_watch *w, unsigned int ms);

/* watch_later - Try again, at @stage. Return: was all well before? */
bool watch_later(struct kube_watch *w, enum stage stage);

/* watch_answered - The server answers, whatever it says. */
void watch_answered(struct kube_watch *w);

/*
 * watch_spread_ms - After how long @n objects are to be listed anew, where all
 * nodes have to at the same time: by chance, within 6 ms for each, 30 s at
 * most.
 */
unsigned int watch_spread_ms(size_t n);

/* watch_list_in - List anew, so many ms from now. */
void watch_list_in(struct kube_watch *w, unsigned int ms);

/*
 * watch_expired - The server does not know any more what came after w->version:
 * list anew, at once; but where other nodes are likely to do so as well,
 * spread.
 */
void watch_expired(struct kube_watch *w);

/* watch_fail - The call did not end as it should: say why, try again later. */
void watch_fail(struct kube_watch *w, enum stage stage, const char *problem);
void watch_fail_say(struct kube_watch *w, enum stage stage, const char *fmt,
		    ...) __attribute__((format(printf, 3, 4)));
