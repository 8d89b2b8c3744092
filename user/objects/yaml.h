/* SPDX-License-Identifier: Apache-2.0 */
/* Reads YAML as if it were JSON, and JSON; writes what was JSON as YAML. */
#pragma once

#include <yyjson.h>
#include "base/buf.h"
#include "base/cleanup.h"

/*
 * yaml_read - The first document of @text, or JSON, if it begins like that.
 *
 * Plain words become what they mean in YAML 1.1 and for kubectl: true, yes, on
 * and y, false, no, off and n, each also in capitals or with one at its start,
 * booleans; null, ~ and nothing null. Every other scalar is a string: numbers
 * too, since files that we read as YAML have none. The tag !!bool makes a
 * quoted word a boolean, too; !!str on a plain word has no effect (libyaml does
 * not report it), quotes have. Merge keys are not supported.
 *
 * @error: gets a sentence with line and column, or about an exceeded limit.
 * Return: NULL on failure. Free with yyjson_doc_free().
 */
yyjson_doc *yaml_read(const char *text, size_t len, struct buf *error);

/*
 * yaml_write - @root, and all in it, as one document of block YAML, which
 * readers of YAML 1.1 and 1.2 take for the same: a text that one of them would
 * take for a number, a date, a boolean or null is quoted. A text that is no
 * UTF-8 gets a "?" for each byte beyond ASCII. Return: 0, or -ENOMEM, then @out
 * has a part of it.
 */
must_check int yaml_write(yyjson_val *root, struct buf *out);
