/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "pods/known.h"

/* agent_ready - Is the desired state reached? @why: gets one sentence, either
 * way. */
bool agent_ready(const struct agent *a, struct buf *why);

/* agent_knowledge - Append the sentence about how old it is. */
void agent_knowledge(const struct agent *a, struct buf *out);
