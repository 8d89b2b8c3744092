/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of /v1/flows, parameter by parameter: one table for the agent,
 * which refuses what is not in it, and for the command line, which has an
 * option for each.
 */
#pragma once

#include "base/cleanup.h"
#include "mesh/flow_filter.h"

struct flow_query {
	struct mesh_flow_filter filter;
	unsigned long long since; /* how long ago, s; 0: not asked */
	size_t last;		  /* how many of the newest; SIZE_MAX: all */
	bool last_set;		  /* it was asked for */
	bool follow;		  /* from now on, as a stream */
};

struct flow_parameter {
	const char *name;
	const char *expected; /* of its value */
	int (*take)(struct flow_query *q, const char *value);
};

/* Ends with an empty row. */
extern const struct flow_parameter flow_parameters[];

/* flow_query_init - Of no parameter: the newest FLOWS_TOLD of all. */
void flow_query_init(struct flow_query *q);

/*
 * flow_query_take - Take ?name=value. A list adds to what was given before.
 * @expected: of -EINVAL, what the value should have been.
 * Return: 0; -ENOENT: there is no such parameter; -EINVAL.
 */
must_check int flow_query_take(struct flow_query *q, const char *name,
			       const char *value, const char **expected);

/* flow_query_check - After the last: do they fit together? Return: NULL, or a
 * sentence that says why not. */
const char *flow_query_check(const struct flow_query *q);

/* flow_query_begin - Fix the time from which "since" counts back. @now_ns:
 * CLOCK_MONOTONIC. */
void flow_query_begin(struct flow_query *q, __u64 now_ns);
