/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent tells the API server, where there is one: this node's SmcNode
 * (smcnode.h), Events on its pods (events.h), the start-up taint that it takes
 * off (untaint.h), late pods that it evicts (evict.h). With a file as the
 * source there is no cluster: all of this takes NULL and then does nothing.
 */
#pragma once

#include "pods/known.h"

/* cluster_open - If the source has a server. Return: 0 with a->cluster set or
 * NULL; or a negative errno, logged. */
must_check int cluster_open(struct agent *a);

/* cluster_close - Before the source is closed. */
void cluster_close(struct agent *a);

/* cluster_may_arm - May pods be armed? Not before the agent has taken back what
 * it published in another boot of this node. */
bool cluster_may_arm(const struct cluster *c);

/* cluster_hold - hold_armed() (take_back.h), by the status that the server has.
 * Return: is any pod held? */
bool cluster_hold(struct agent *a, struct mesh_plan *plan);

/* cluster_planned - @plan was applied and read back: publish, report, evict.
 * @ready: is the desired state reached? Then the start-up taint goes. */
void cluster_planned(struct agent *a, const struct mesh_plan *plan, bool ready);

/* cluster_resync - Is the SmcNode still as it was published? */
void cluster_resync(struct agent *a);

/* cluster_published - Has the server our newest status? @ever: or has it had
 * any of this agent's? */
bool cluster_published(const struct cluster *c, bool ever);

/* cluster_problem - NULL, or a sentence about why not. */
const char *cluster_problem(const struct cluster *c);

/* cluster_age_ms - Since when it has; -1: it has not. */
long long cluster_age_ms(const struct cluster *c);
