/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that programs of armed pods opened before arming: late listeners,
 * late flows. */
#pragma once

#include "pods/known.h"

/* diagnose_open - Before the first. */
void diagnose_open(struct agent *a);

/* diagnose_resync - Have the records of open flows, and the counts of what pods
 * hold, looked through again. */
void diagnose_resync(struct agent *a);

/* diagnose - After a reconcile: find it in each armed pod that was looked at
 * since the last time, one pod at a time, in a small part of the time. Of a pod
 * that is not armed nothing is late. */
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
