/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run's generator is started, and from where its connections are looked
 * at: on this machine, or in pods of a cluster. */
#pragma once

#include "cli/bench_look.h"
#include "cli/bench_plan.h"
#include "cli/child.h"

/* What looks at one run while it goes on. */
struct bench_eyes {
	double busy;	     /* seconds, when the run began */
	const char *dir;     /* of the files below */
	struct child keeper; /* keeps an RDMA path in use, or none */
	/* Of the client's node and, if it is another one, the server's: who
	 * looks there, and what it said last. */
	struct bench_stream {
		struct child child;
		char file[16], err_file[16];
		long read; /* so far, of the file */
		bool fresh;
		struct bench_sight sight;
	} stream[2];
};

struct bench_way {
	/* begin - Get ready, before the generator is started. */
	int (*begin)(const struct bench_plan *plan, enum bench_side side,
		     const struct bench_load *load, struct bench_eyes *eyes,
		     struct bench_result *r, struct buf *error);
	/* arguments - How the generator is started: @argv is appended to. */
	int (*arguments)(const struct bench_plan *plan, enum bench_side side,
			 const struct bench_load *load, char ***argv);
	/* look - What are the connections now?
	 * @pid: the generator's process.
	 * @why: should it be found out why some are TCP?
	 * Return: was anything seen? */
	bool (*look)(const struct bench_plan *plan, enum bench_side side,
		     pid_t pid, bool why, struct bench_eyes *eyes,
		     struct bench_sight *out);
	/* end - The generator has ended. Return: for how many seconds the
	 * processors have worked meanwhile; NAN: not known. */
	double (*end)(const struct bench_plan *plan, struct bench_eyes *eyes);
};

extern const struct bench_way bench_here, bench_in_cluster;
