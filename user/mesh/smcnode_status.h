/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this node tells the others: the decision about its own SmcNode's
 * status. Pure, like plan.h.
 */
#pragma once

#include "mesh/plan.h"

struct mesh_publish_endpoint { /* one of SmcNode.status.endpoints */
	struct smc_addr addr;
	__u32 transports;	    /* 0: no endpoint, a claim (endpoints.c) */
	const struct mesh_pod *pod; /* into the world */
	const struct mesh_ports
		*ports; /* hostNetwork, into the plan; or NULL */
};

/* The ids of doctor's checks that fail or warn: the first of them, those that
 * fail before those that warn. */
#define MESH_WRONG_MAX 8
#define MESH_WRONG_ID 32 /* bytes with the NUL; longer ones are left out */
struct mesh_wrong {
	char id[MESH_WRONG_MAX][MESH_WRONG_ID];
	size_t n, n_fails;
};

/* mesh_wrong_add - Note that the check @id fails, or warns. Those of each kind
 * stay in the order of the calls; a warning has no place that a failure needs.
 */
void mesh_wrong_add(struct mesh_wrong *w, const char *id, bool fails);

/* Since when the conditions Ready and Capable are what they are, and which
 * checks are wrong. Kept by the caller from one mesh_publish() to the next;
 * zeroed at the start, or mesh_ready_from(). */
struct mesh_ready {
	bool known, ready;
	long long since; /* seconds since 1970 */
	enum mesh_truth capable;
	long long capable_since;
	bool wrong_known;
	struct mesh_wrong wrong; /* as published last */
	__u64 wrong_until; /* ms: it stays so until then; 0: it may change */
};

/* mesh_ready_from - What the own SmcNode says; NULL: there is none. */
struct mesh_ready mesh_ready_from(const struct mesh_node *own);

/* mesh_capable_since - Note that Capable is @is now. @now: seconds since 1970.
 * Return: since when; kept in @ready. */
long long mesh_capable_since(struct mesh_ready *ready, enum mesh_truth is,
			     long long now);

/*
 * mesh_wrong_hold - Which checks to publish as wrong: @found, but for a minute
 * after a change what was published before.
 * @now_ms: of a clock that is never set, from 1.
 * Return: the list, kept in @ready.
 */
const struct mesh_wrong *mesh_wrong_hold(struct mesh_ready *ready,
					 const struct mesh_wrong *found,
					 __u64 now_ms);

struct mesh_publish {
	struct mesh_publish_endpoint *endpoints; /* sorted by address, UID */
	size_t n;
	size_t n_claims; /* of these, without a transport */
	size_t n_enabled,
		n_armed;    /* pods that are to be armed; of these, armed */
	bool ready;	    /* the condition */
	const char *reason; /* of it, CamelCase; static */
	char *message;	    /* of it, a sentence */
	long long since;    /* its lastTransitionTime */
};

/*
 * mesh_rebooted - Must the node publish an empty list before it arms anything?
 * Yes if its SmcNode lists endpoints of another boot.
 * @own: the own SmcNode as the API has it; NULL: there is none.
 */
bool mesh_rebooted(const struct mesh_node *own, const char *boot_id);

/*
 * mesh_publish - What to publish of @plan.
 * @plan: NULL: no endpoint (before the first plan, after a boot).
 * @armed: is this pod armed in the kernel, as read back just now? If not, the
 *         pod is not published, whatever the plan wants. NULL: as planned.
 * @ready: brought up to date.
 * @now: seconds since 1970.
 *
 * Return: 0 or -ENOMEM. @out points into plan and world; free with
 * mesh_publish_free().
 */
int mesh_publish(const struct mesh_host *host, const struct mesh_plan *plan,
		 bool (*armed)(const struct plan_pod *p, void *arg), void *arg,
		 struct mesh_ready *ready, long long now,
		 struct mesh_publish *out);
void mesh_publish_free(struct mesh_publish *p);
