/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#define BENCH_NS "smcmesh-bench"

/* The same as deploy/examples/fortio.yaml has. */
#define BENCH_IMAGE "docker.io/fortio/fortio:1.63.7"
#define BENCH_PORT "8080"

struct bench_manifest_how {
	const char *image;
	bool one_node; /* clients on their servers' node; else on another one */
};

/* bench_manifest - Print the Kubernetes objects of a benchmark: a namespace
 * with two pairs of the vendor guide's server and client, one annotated. Both
 * servers are on one node, both clients on one. */
void bench_manifest(const struct bench_manifest_how *how, FILE *to);
