/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "pods/known.h"

/* agent_ready - Has the node reached the desired state? @why: gets one
 * sentence, either way. */
bool agent_ready(const struct agent *a, struct buf *why);

/* agent_knowledge - Append a sentence about how old the agent's knowledge
 * is. */
void agent_knowledge(const struct agent *a, struct buf *out);
