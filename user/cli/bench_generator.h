/* SPDX-License-Identifier: Apache-2.0 */
/* The load generators that `smcmesh bench` can use: a row says how each is
 * started and how what it reports is read. */
#pragma once

#include <stdbool.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "mesh/bench_hist.h"

/* What a run asks for. */
struct bench_load {
	const char *url;
	unsigned int connections, seconds, payload; /* bytes of a request */
	double rate; /* requests a second of all connections; 0: what goes */
	const char *dir; /* where the generator may put files, its own */
	bool remote;	 /* it cannot: all that it reports it prints */
};

/* What a generator reports. */
struct bench_report {
	double requests, errors, seconds; /* requests: that were answered */
	struct bench_hist times;
};

/* In load.dir, what it prints. */
#define BENCH_STDOUT "stdout"
#define BENCH_STDERR "stderr"

struct bench_generator {
	const char *name;    /* also of its program */
	const char *package; /* where to get it */
	bool paces;	     /* can keep to a rate */
	bool goes_remote;    /* can be load.remote */
	const char *latency; /* what its latencies are, and are not */
	/* Write the files it needs, append its arguments. Return: 0 or a
	 * negative errno. */
	int (*prepare)(const struct bench_load *load, char ***argv);
	/* Read what it left. @why: on failure, what was wrong. Return: 0 or a
	 * negative errno. */
	int (*read)(const struct bench_load *load, struct bench_report *out,
		    struct buf *why);
};

/* In the order of preference; ends with a row without a name. */
extern const struct bench_generator bench_generators[];

/*
 * bench_generator_find - The first one whose program is on the PATH, or that
 * which is called @name (NULL: any).
 * @error: on failure a sentence that says which packages have them.
 * Return: NULL: there is none.
 */
const struct bench_generator *bench_generator_find(const char *name,
						   struct buf *error);

/* bench_report_free - For cleanup. */
static inline void bench_report_free(struct bench_report *r)
{
	bench_hist_free(&r->times);
}
