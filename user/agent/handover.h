/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "pods/known.h"

/* handover - After a reconcile that left no look over: take away the selectors
 * of agents before this one, the programs of another ABI, and the counters of
 * pods that are gone. A failure is logged, and the next call tries again. */
void handover(struct agent *a);
