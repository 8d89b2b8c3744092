/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "pods/known.h"

/* handover - After a reconcile that left no look over: take away what agents
 * before this one left, their selectors, the programs of another ABI, and the
 * counters of pods that are gone. What fails is logged, and tried again by the
 * next call. */
void handover(struct agent *a);
