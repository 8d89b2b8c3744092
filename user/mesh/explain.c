// SPDX-License-Identifier: Apache-2.0
#include "mesh/explain.h"

#include <stddef.h>

static const struct {
	const char *label, *sentence, *remedy;
} steps[EXPLAIN_STEP_MAX] = {
#define ROW(id, label, sentence, remedy) \
	[EXPLAIN_##id] = {label, sentence, remedy},
	EXPLAIN_STEPS(ROW)
#undef ROW
};

/* The step that a reason stops at, and one more; 0: none. */
static const unsigned char stops[SMC_REASON_MAX] = {
#define STOP(id, step) [SMC_REASON_##id] = EXPLAIN_##step + 1
	STOP(POD_ENDED, RUNNING),
	STOP(NOT_ANNOTATED, ANNOTATED),
	STOP(BAD_ANNOTATION, ANNOTATED),
	STOP(MESH_OFF, MESH),
	STOP(NO_CONVERTER, CAPABLE),
	STOP(NO_SELECTOR, CAPABLE),
	STOP(OTHER_PRODUCT, ANNOTATED),
	STOP(NO_CGROUP2, SPACE),
	STOP(BAD_CGROUP, SPACE),
	STOP(NO_NETNS, SPACE),
	STOP(OWNER_RULE, LOOK),
	STOP(FOREIGN_SELECTOR, LOOK),
	STOP(SELECTOR_FAILED, LOOK),
	STOP(FORWARDS, LOOK),
	STOP(TRIAL_FAILED, LOOK),
	STOP(NO_TRANSPORT, TRANSPORT),
	STOP(NO_ADDRESS, ADDRESS),
	STOP(ADDRESS_CONFLICT, ADDRESS),
	STOP(POD_MAP_FULL, ROW),
	STOP(REFUSED, ROW),
	STOP(NOT_ARMED, ROW),
	STOP(AGENT_SILENT, LEASE),
	STOP(RATIONED, RATION),
	STOP(BUDGET, RATION),
#undef STOP
};

const char *explain_step_label(enum explain_step step)
{
	return step < EXPLAIN_STEP_MAX ? steps[step].label : "";
}

const char *explain_step_sentence(enum explain_step step)
{
	return step < EXPLAIN_STEP_MAX ? steps[step].sentence : "";
}

const char *explain_step_remedy(enum explain_step step)
{
	return step < EXPLAIN_STEP_MAX ? steps[step].remedy : "";
}

enum explain_step explain_step_of(enum smc_reason reason)
{
	if (reason >= SMC_REASON_MAX || !stops[reason])
		return EXPLAIN_STEP_MAX;
	return stops[reason] - 1;
}

static void fail(struct explain_at *at, enum explain_step step,
		 enum smc_reason reason)
{
	if (step < at->failed)
		*at = (struct explain_at){step, reason};
}

static void fail_for(struct explain_at *at, enum smc_reason reason)
{
	fail(at, explain_step_of(reason), reason);
}

struct explain_at explain_pod(const struct explain_facts *f)
{
	struct explain_at at = {.failed = EXPLAIN_STEP_MAX};

	if (!f->known)
		return (struct explain_at){.failed = EXPLAIN_KNOWN};
	fail_for(&at, f->reason);
	fail_for(&at, f->look);
	if (!f->mesh_on)
		fail(&at, EXPLAIN_MESH,
		     f->no_room ? SMC_REASON_NONE : SMC_REASON_MESH_OFF);
	if (!f->lease)
		fail_for(&at, SMC_REASON_AGENT_SILENT);
	if (f->unpublished)
		fail(&at, EXPLAIN_PUBLISHED, SMC_REASON_NONE);
	fail_for(&at, f->ration);
	return at;
}
