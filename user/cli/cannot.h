/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <yyjson.h>

/*
 * print_cannot - For the converter, selector and recorder that @root names as
 * in use, print a line for each that cannot do something: "limits  NAME: what".
 * @width: of the first column.
 */
void print_cannot(yyjson_val *root, int width);

/* print_lacks - For each kind without a usable one, print a line for each of
 * that kind: "lacks  NAME: the features". */
void print_lacks(yyjson_val *root, int width);
