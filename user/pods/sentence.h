/* SPDX-License-Identifier: Apache-2.0 */
/* A pod's state in words. */
#pragma once

#include "base/buf.h"
#include "pods/pod.h"

/* pod_sentence - Append why @p is not armed, @reason, and what the agent saw;
 * of SMC_REASON_NONE, that it is. A phrase without a full stop. */
void pod_sentence(const struct pod *p, enum smc_reason reason, struct buf *out);
