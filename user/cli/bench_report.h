/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what load generators print or write: see cli/bench_generator.h, read.
 */
#pragma once

#include "cli/bench_generator.h"

/* The file of load.dir in which a generator leaves its report. */
#define BENCH_FORTIO_FILE "fortio.json"
#define BENCH_H2LOAD_LOG "h2load.log"

must_check int bench_read_fortio(const struct bench_load *load,
				 struct bench_report *out, struct buf *why);
must_check int bench_read_wrk(const struct bench_load *load,
			      struct bench_report *out, struct buf *why);
must_check int bench_read_h2load(const struct bench_load *load,
				 struct bench_report *out, struct buf *why);
