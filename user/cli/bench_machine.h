/* SPDX-License-Identifier: Apache-2.0 */
/* The machine that a measurement was made on. */
#pragma once

#include <yyjson.h>

struct bench_machine {
	char name[256], kernel[65], architecture[65], processor[96];
	long processors;
};

/* bench_machine_here - This one. @proc: as the agent's option. */
void bench_machine_here(const char *proc, struct bench_machine *out);

/* bench_machine_add - As member @key of @to, an object. */
void bench_machine_add(const struct bench_machine *m, yyjson_mut_doc *doc,
		       yyjson_mut_val *to, const char *key);

/* bench_machine_read - From such an object; what it has not is "" or 0. */
void bench_machine_read(yyjson_val *o, struct bench_machine *out);
