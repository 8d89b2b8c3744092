/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps by which a pod comes to be accelerated, in the order in which the
 * agent goes them; and at which one a pod stands still.
 */
#pragma once

#include <stdbool.h>
#include <smcmesh/reasons.h>

/*
 * X(ID, label, sentence, remedy)
 *   label     JSON's `step`
 *   sentence  what it means that the step failed where no reason of
 *             smcmesh/reasons.h says it, and
 *   remedy    what to do then; "" where there always is such a reason
 */
/* clang-format off */
#define EXPLAIN_STEPS(X)                                                       \
	X(KNOWN, "known",                                                      \
	  "the agent of this node knows no pod of that name",                  \
	  "run it on the pod's node (kubectl get pod -o wide names it): "      \
	  "each node tells of its own pods")                                   \
	X(RUNNING, "running", "", "")                                          \
	X(ANNOTATED, "annotated", "", "")                                      \
	X(MESH, "mesh-on",                                                     \
	  "rows that deny found no room in their map, so nothing is "          \
	  "offered or answered on this node",                                  \
	  "exclude less in the SmcMesh's spec (excludeCIDRs, "                 \
	  "excludePorts): smcmesh status says what found no room")             \
	X(CAPABLE, "node-capable", "", "")                                     \
	X(SPACE, "namespace", "", "")                                          \
	X(LOOK, "look", "", "")                                                \
	X(TRANSPORT, "transport", "", "")                                      \
	X(ADDRESS, "address", "", "")                                          \
	X(ROW, "row", "", "")                                                  \
	X(LEASE, "lease", "", "")                                              \
	X(PUBLISHED, "published",                                              \
	  "the API server does not have the pod's addresses yet, so other "    \
	  "nodes do not offer to it",                                          \
	  "wait a moment; if it stays so, smcmesh status says what the API "   \
	  "server answers")                                                    \
	X(RATION, "rations", "", "")
/* clang-format on */

#define EXPLAIN_STEP_ENUM(id, label, sentence, remedy) EXPLAIN_##id,
enum explain_step { EXPLAIN_STEPS(EXPLAIN_STEP_ENUM) EXPLAIN_STEP_MAX };
#undef EXPLAIN_STEP_ENUM

/* explain_step_label, _sentence, _remedy - The columns of the table; "" for
 * EXPLAIN_STEP_MAX. */
const char *explain_step_label(enum explain_step step);
const char *explain_step_sentence(enum explain_step step);
const char *explain_step_remedy(enum explain_step step);

/* What was read back of a pod. */
struct explain_facts {
	bool known;
	enum smc_reason reason; /* why its row does not arm it */
	bool mesh_on;		/* the switch in the kernel */
	bool no_room;		/* it is off for rows that found no room */
	/* What a look into its namespace found just now: the same, or NONE. */
	enum smc_reason look;
	bool lease; /* clients may offer */
	bool unpublished;
	enum smc_reason ration; /* RATIONED, BUDGET, or NONE: some is left */
};

struct explain_at {
	enum explain_step failed; /* the first; EXPLAIN_STEP_MAX: none */
	/* NONE: the step's own sentence says why. */
	enum smc_reason reason;
};

/* explain_pod - The first step that failed, by all that was read back. */
struct explain_at explain_pod(const struct explain_facts *f);

/* explain_step_of - The step that fails with this reason; EXPLAIN_STEP_MAX for
 * NONE, and for reasons that are of a flow. */
enum explain_step explain_step_of(enum smc_reason reason);
