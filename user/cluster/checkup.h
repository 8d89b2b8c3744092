/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks doctor's checks once a minute, for the SmcNode. They read files, and
 * some of them long ones: a helper process does that, and the loop never waits
 * for it.
 */
#pragma once

#include <uv.h>
#include "datapath/datapath.h"
#include "mesh/smcnode_status.h"

struct checkup;

/*
 * checkup_new - Begin in a few seconds, when the agent has armed its first
 * pods.
 * @opt: its strings, and @features, what the datapath found, must outlive it.
 * @done: called from the loop after each answer.
 * Return: NULL without memory.
 */
struct checkup *checkup_new(uv_loop_t *loop, const struct datapath_options *opt,
			    const struct features *features,
			    void (*done)(void *arg), void *arg);

/* checkup_found - The checks that fail or warn; NULL: there was no answer
 * yet. */
const struct mesh_wrong *checkup_found(const struct checkup *c);

/* checkup_close - NULL is fine. Memory goes when the loop has closed the
 * handle. */
void checkup_close(struct checkup *c);
