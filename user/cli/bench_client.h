/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cleanup.h"
#include "cli/bench_plan.h"

/* How a result is to be shown. */
struct bench_show {
	bool json;
	const char *directory; /* for files besides; NULL: none */
};

/* bench_can_show - Can the files be written? If not it is said on stderr. To be
 * asked before minutes of measuring. */
bool bench_can_show(const struct bench_show *show);

/*
 * bench_client - Measure as the plan says, and show the result.
 * Signals are caught by the caller (cli/ending.h).
 * Return: an exit status: EXIT_FAILED: a run failed, the accelerated runs were
 * not SMC, or the result could not be written; EXIT_UNTOLD: nothing could be
 * measured.
 */
int bench_client(const struct bench_plan *plan, const struct bench_show *show);

/* bench_redraw - Print the page of a result that is kept as JSON in @path.
 * Return: an exit status. */
int bench_redraw(const char *path);
