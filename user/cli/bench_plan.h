/* SPDX-License-Identifier: Apache-2.0 */
/* What a `smcmesh bench client` is to do, and what it found. */
#pragma once

#include <stdbool.h>
#include "base/addr.h"
#include "cli/bench_generator.h"
#include "cli/bench_machine.h"
#include "cli/bench_why.h"
#include "mesh/bench.h"
#include "node/place.h"

struct bench_way;
struct bench_cluster;

/* How one side's runs are made. */
struct bench_end {
	bool used;
	const char *target; /* HOST:PORT as it was given */
	struct smc_addr_port to;
	char url[128];
	const char *pod; /* NAMESPACE/POD from whose namespace, or in which, the
			    generator starts; NULL: here */
	struct place at; /* of the pod */
	bool by_run;	 /* through `smcmesh run` */
};

struct bench_plan {
	const struct bench_generator *generator;
	struct bench_load load; /* url and rate are each run's */
	double rate;
	unsigned int rounds;
	bool paced; /* also at BENCH_PACE of the lower rate */
	struct bench_end end[BENCH_SIDES];
	const struct bench_way *way;
	const struct bench_cluster *cluster; /* NULL: on this machine */
	const char *run, *proc;		     /* as the agent's options */
	char **argv;			     /* the command, for the record */
};

/* Of one side. */
struct bench_series {
	struct bench_run run[BENCH_ROUNDS_MAX];
	struct bench_hist times; /* of all finished rounds */
	struct bench_run paced;
	struct bench_hist paced_times;
};

struct bench_result {
	struct bench_series side[BENCH_SIDES];
	unsigned int rounds; /* finished */
	double pace;	     /* of the second part; 0: there was none */
	long long began;     /* seconds since 1970 */
	enum bench_verdict verdict;
	struct bench_why
		why;	   /* there is no ratio; "": the verdict says it all */
	char software[64]; /* the RDMA device of SMC-R that is one made of
			      software; "": none */
	/* Where the generator runs; the server's, where that is another one
	 * (kernel "": not). */
	struct bench_machine machine, server_machine;
};

extern const char *const bench_side_words[BENCH_SIDES]; /* of JSON: "tcp" */

/* bench_result_free - For cleanup. */
void bench_result_free(struct bench_result *r);
