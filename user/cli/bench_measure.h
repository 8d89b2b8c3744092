/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/bench_plan.h"

/*
 * bench_measure - All rounds: TCP, SMC and the control, one after the other,
 * again and again; then, if the plan says so and it is of use, one round at a
 * lower rate. What goes on is said on stderr.
 * @out: free with bench_result_free(), also on failure; has the rounds that
 * were finished.
 * Return: 0; -EINTR: a signal came; or another negative errno, which was said
 * on stderr.
 */
must_check int bench_measure(const struct bench_plan *plan,
			     struct bench_result *out);
