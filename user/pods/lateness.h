/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that programs of armed pods opened before arming: late listeners,
 * late flows. */
#pragma once

#include "pods/known.h"

/* diagnose_open - Call it once, before all others here. */
void diagnose_open(struct agent *a);

/* diagnose_resync - Have the next diagnose() also look through the records of
 * open flows, and the counts of SMC sockets under way. */
void diagnose_resync(struct agent *a);

/* diagnose - After a reconcile: find the late sockets of each armed pod that
 * was looked at since the last time, one pod at a time from the loop, in a
 * small part of the agent's time. A pod that is not armed has none. */
void diagnose(struct agent *a);

/*
 * diagnose_now - Diagnose @p now, before the pods whose turn it is. Return: 0;
 * -EAGAIN: there is no plan to judge its flows by; or a negative errno.
 */
must_check int diagnose_now(struct agent *a, struct pod *p);

/*
 * diagnose_end - End the late flows of @p, as the last diagnose() found them.
 * Return: how many were ended, or a negative errno.
 */
must_check int diagnose_end(const struct agent *a, const struct pod *p);
