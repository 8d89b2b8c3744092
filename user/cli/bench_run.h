/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/bench_plan.h"

/*
 * bench_run_one - Start the generator once, watch what its connections are, and
 * read what it reports.
 * @load: with a url, a rate, and a directory for files of the generator.
 * @out, @times: on success; times is appended to.
 * @r: gets why and remedy where a run that is to be accelerated is not.
 * @error: on failure, what went wrong.
 * Return: 0; -EINTR: a signal came (cli/ending.h); or another negative errno.
 */
must_check int bench_run_one(const struct bench_plan *plan,
			     enum bench_side side,
			     const struct bench_load *load,
			     struct bench_run *out, struct bench_hist *times,
			     struct bench_result *r, struct buf *error);
