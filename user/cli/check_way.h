/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `smcmesh check` finds out about connections from one pod to another, or
 * to a Service: how far each came, as its ends' agents recorded it, and what
 * the kernel says that it became.
 */
#pragma once

#include <stdbool.h>
#include "node/exchange.h"
#include "node/place.h"

#define CHECK_NAME_MAX 512 /* NAMESPACE/POD */

/* A pod of this node, as its agent knows it. */
struct check_pod {
	char name[CHECK_NAME_MAX];
	struct smc_addr addr;
	bool armed;
	char sentence[512], remedy[512]; /* why it is not armed */
	struct place at;		 /* its network namespace */
};

/* One end's record of a connection. */
struct check_flow {
	bool found;
	bool accelerate; /* it offered SMC, or answered with a yes */
	bool smc;
	bool offered_none; /* a server's: the SYN had no option */
	__u32 code;	   /* the kernel's, if it gave up SMC; else 0 */
	char remedy[512], sentence[256];
};

/* Connections one way. */
struct check_way {
	const struct check_pod *from, *to; /* NULL: it is not of this node */
	struct smc_addr_port at;
	bool service; /* who answers is not ours: nothing was sent */
	bool listener_converted;
	/* n: that were tried, or as a server that came; wanted: of those */
	unsigned int wanted, n, n_tcp;
	struct exchange v[EXCHANGE_MAX], tcp[EXCHANGE_MAX];
	struct check_flow client[EXCHANGE_MAX], server[EXCHANGE_MAX];
};

/* How far a connection comes, in this order. */
enum check_step {
	CHECK_CONVERTED,
	CHECK_SENT,
	CHECK_SEEN,
	CHECK_ANSWERED,
	CHECK_CLC,
	CHECK_BYTE,
	CHECK_STEPS
};

struct check_step_text {
	const char *id, *text; /* of JSON; for people */
};
extern const struct check_step_text check_steps[CHECK_STEPS];

/* check_step_known - Can the ends that are known tell of this step? */
bool check_step_known(const struct check_way *w, enum check_step step);

/* check_passed - How many connections have passed it. */
unsigned int check_passed(const struct check_way *w, enum check_step step);

/* check_is - How many the kernel says are @mode; for those of which it says
 * nothing the records count as SMC or TCP. */
unsigned int check_is(const struct check_way *w, enum exchange_mode mode);

/* check_smc - How many are SMC, of either kind. */
unsigned int check_smc(const struct check_way *w);

/* check_ok - Were all that were wanted SMC, and carried what was sent? */
bool check_ok(const struct check_way *w);

/*
 * check_stop - Where did the first connection stop that did?
 * @why, @remedy: sentences, "" if nothing is known.
 * Return: the step; CHECK_STEPS: none did.
 */
enum check_step check_stop(const struct check_way *w, const char **why,
			   const char **remedy);

/* check_median - Of a time of these connections, ns; 0: there is none.
 * @trip: trip_ns, else first_ns. */
__u64 check_median(const struct exchange *v, unsigned int n, bool trip);
