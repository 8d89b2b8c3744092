/* SPDX-License-Identifier: Apache-2.0 */
/* YAML as if it were JSON, for those who read both. */
#pragma once

#include <yyjson.h>
#include "base/buf.h"

/*
 * yaml_read - The first document of @text, or JSON, where it begins like that.
 *
 * Plain true and false become booleans, plain null, ~ and nothing null, every
 * other scalar a string: numbers too, since what is read from YAML here has
 * none. Merge keys are not known.
 *
 * @error: gets a sentence with line and column, or what there is too much of.
 * Return: NULL on failure. Free with yyjson_doc_free().
 */
yyjson_doc *yaml_read(const char *text, size_t len, struct buf *error);
