/* SPDX-License-Identifier: Apache-2.0 */
/* A result as JSON: what is kept, and what the table and the page are made
 * from, so that all three say the same. */
#pragma once

#include <yyjson.h>
#include "cli/bench_plan.h"

/*
 * bench_json - The document of a result: see smcmesh(8).
 * Return: its text, which the caller frees; NULL without memory.
 */
char *bench_json(const struct bench_plan *plan, const struct bench_result *r,
		 size_t *len);

/* bench_json_check - Is it one, as far as its readers rely on? @why: if not,
 * what was missing. Return: 0 or -EINVAL. */
must_check int bench_json_check(yyjson_val *root, struct buf *why);

/* bench_json_number - The number at a JSON pointer (RFC 6901); NAN: there is
 * none. */
double bench_json_number(yyjson_val *root, const char *pointer);

/* bench_json_numberf - The same, the pointer formatted. */
double bench_json_numberf(yyjson_val *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* bench_json_text - The same for a string; "": there is none. */
const char *bench_json_text(yyjson_val *root, const char *pointer);

/* bench_json_side - What a document has of a side, by its word; NULL: nothing.
 */
yyjson_val *bench_json_side(yyjson_val *root, const char *word);
