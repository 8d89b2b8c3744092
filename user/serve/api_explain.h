/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of /v1/explain share; nobody else includes this. */
#pragma once

#include "mesh/explain.h"
#include "pods/armed_rows.h"
#include "serve/api.h"

/* A pod, and what was read back of it for this answer. */
struct explained {
	struct agent *agent;
	const struct pod *pod; /* NULL: not known */
	const char *asked;     /* its name */
	struct pod_state is;   /* by its row */
	struct smc_config config;
	bool has_config;
	double lease_left;	/* seconds; negative: there are no maps */
	struct netns_facts now; /* if look_err is 0 */
	int look_err;		/* -EAGAIN: nobody looked, it is not wanted */
	struct smc_usage held, node;
	struct explain_facts facts;
	struct explain_at at;
};

/* What the whole answer comes to. */
struct explain_end {
	const char *reason, *sentence, *remedy;
	int accelerated;       /* 1, 0, or -1: could not be told */
	struct buf said, todo; /* where they are not of a table */
};

/* The other end of the connection that is asked about. */
struct explain_peer {
	struct smc_addr_port at;
	__u32 role; /* of the pod: as a server `at` has the pod's own port */
};

/* explain_add_peer - Add "peer" to @root: the verdict on it and what it is made
 * of. @end: as the pod alone gives it; changed where the peer decides. Return:
 * 0 or a negative errno. */
must_check int explain_add_peer(const struct explained *x,
				const struct explain_peer *peer,
				yyjson_mut_doc *doc, yyjson_mut_val *root,
				struct explain_end *end);

/* ---- api_explain_end.c ---- */

/* explain_end_reason - The end by a reason of smcmesh/reasons.h. */
void explain_end_reason(struct explain_end *end, __u32 reason);

/* explain_end_pod - The end by the reason why this pod of the node is not
 * armed. */
void explain_end_pod(struct explain_end *end, const struct pod *p,
		     const struct pod_state *is);

/* explain_add_end - Add the end's members to the answer. */
void explain_add_end(yyjson_mut_doc *doc, yyjson_mut_val *root,
		     const struct explain_end *end);
void explain_end_free(struct explain_end *end);
