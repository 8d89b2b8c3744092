/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <yyjson.h>
#include "base/buf.h"

/* A line of a figure: a histogram of seconds as bench_json() has it. */
struct bench_line {
	const char *word, *title; /* for classes of CSS; for people */
	yyjson_val *histogram;	  /* NULL: there is none */
};

/*
 * bench_figure - Append an SVG element: for each line its histogram as steps
 * (the share of requests in each of equal bins of the axis, left) and its
 * cumulative curve (percent, right), with the percentiles marked.
 * @id: begins the ids of its title and description.
 * @log: the axis of time is logarithmic.
 * @lines: ends with one without a word.
 *
 * What a line's points mean is in attributes of the svg: data-min and data-max,
 * the times in seconds at the left and right edge of the plot; data-left,
 * -right, -top, -bottom, its edges; data-peak, the share at its top.
 */
void bench_figure(struct buf *out, const char *id, bool log,
		  const struct bench_line *lines);
