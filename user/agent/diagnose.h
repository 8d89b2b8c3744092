/* SPDX-License-Identifier: Apache-2.0 */
/* What was opened in armed pods before arming: late listeners, late flows. */
#pragma once

#include "agent/state.h"

/* diagnose - Of each armed pod that was looked at since the last time, as long
 * as it takes a small part of the time. Return: are some left for soon? */
bool diagnose(struct agent *a, const struct mesh_plan *plan,
	      const struct pod_how *how);

/*
 * diagnose_end - End the late flows of @p, as the last diagnose() found them.
 * Return: how many were ended, or a negative errno.
 */
must_check int diagnose_end(const struct agent *a, const struct pod *p);
