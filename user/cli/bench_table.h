/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>
#include <yyjson.h>
#include "base/buf.h"

/* A metric as people read it. */
struct bench_column {
	const char *word, *title; /* of JSON; with its unit */
	double scale;		  /* what a number of JSON is multiplied by */
	int digits;		  /* behind the point */
};

extern const struct bench_column bench_columns[]; /* ends without a word */

/* A side of a document, in the order of a round. */
struct bench_side_name {
	const char *word, *title;
};

extern const struct bench_side_name bench_side_names[]; /* ends likewise */

/* bench_spread_text - "1234 (1200-1300)" of an object of median, low and high;
 * "-" for none. Return: @out's text, cleared before. */
const char *bench_spread_text(yyjson_val *spread, double scale, int digits,
			      struct buf *out);

/* bench_connections_text - "SMC-D 64", of all runs of a side that one with the
 * fewest SMC connections. Return: as above. */
const char *bench_connections_text(yyjson_val *side, struct buf *out);

/* bench_machine_names - "n1", or "n1 to n2" from client to server. Return: as
 * above. */
const char *bench_machine_names(yyjson_val *root, struct buf *out);

/* bench_notes - Sentences that belong to the numbers, a line each: why there is
 * no ratio, what the latencies are, what SMC-R ran over. */
void bench_notes(yyjson_val *root, struct buf *out);

/* bench_table - The result of bench_json() for people. */
void bench_table(yyjson_val *root, FILE *to);
