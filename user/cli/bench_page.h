/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <yyjson.h>
#include "base/buf.h"

/*
 * bench_page - A result of bench_json() as one HTML page: its figures are SVG
 * in it, there is no script, and nothing is loaded from anywhere.
 * @root: passed bench_json_check().
 * @out: appended to; out->err tells of missing memory.
 */
void bench_page(yyjson_val *root, struct buf *out);
