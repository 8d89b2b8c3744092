/* SPDX-License-Identifier: Apache-2.0 */
/* YAML as if it were JSON, for those who read both. */
#pragma once

#include <yyjson.h>
#include "base/buf.h"

/*
 * yaml_read - The first document of @text, or JSON, where it begins like that.
 *
 * Plain words become what YAML 1.1 and kubectl take them for: true, yes, on and
 * y, false, no, off and n, each also in capitals or with one at its start,
 * booleans; null, ~ and nothing null. Every other scalar is a string: numbers
 * too, since what is read from YAML here has none. The tag !!bool makes a
 * quoted word a boolean, too; !!str is not seen on a plain one (libyaml tells
 * the two apart no more), quotes are. Merge keys are not known.
 *
 * @error: gets a sentence with line and column, or what there is too much of.
 * Return: NULL on failure. Free with yyjson_doc_free().
 */
yyjson_doc *yaml_read(const char *text, size_t len, struct buf *error);
