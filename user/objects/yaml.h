/* SPDX-License-Identifier: Apache-2.0 */
/* Reads YAML as if it were JSON, and JSON. */
#pragma once

#include <yyjson.h>
#include "base/buf.h"

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
