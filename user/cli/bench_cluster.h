/* SPDX-License-Identifier: Apache-2.0 */
/* `smcmesh bench --cluster`: two pairs of the vendor guide's pods, annotated
 * and not, in a namespace that is made for it and taken away. */
#pragma once

#include "cli/bench_client.h"
#include "cli/bench_manifest.h"
#include "cli/kubectl.h"

enum bench_pair { BENCH_PLAIN_PAIR, BENCH_SMC_PAIR, BENCH_PAIRS };

/* What the API server says of a pod. */
struct bench_pod {
	char name[254];
	char full[sizeof(BENCH_NS) + 254]; /* NAMESPACE/POD */
	char node[254];
	char agent[254]; /* the agent's pod of that node */
};

struct bench_cluster {
	struct kubectl kubectl;
	const char *agents; /* the namespace of the agents */
	struct bench_manifest_how manifest;
	bool keep; /* the namespace */
	/* Found out. */
	struct bench_pod client[BENCH_PAIRS], server[BENCH_PAIRS];
	char service[BENCH_PAIRS][64]; /* the cluster's address of the server */
	bool made;		       /* the namespace */
};

/* bench_pair_of - Whose pods a side's runs are between. */
static inline enum bench_pair bench_pair_of(enum bench_side side)
{
	return side == BENCH_SMC ? BENCH_SMC_PAIR : BENCH_PLAIN_PAIR;
}

/*
 * bench_cluster - Make the pods, measure as @plan says, show the result, take
 * them away; the last one also after a signal.
 * @plan: its ends are filled in.
 * Return: an exit status as bench_client().
 */
int bench_cluster(struct bench_cluster *cluster, struct bench_plan *plan,
		  const struct bench_show *show);
