/* SPDX-License-Identifier: Apache-2.0 */
/* Strings with an owner; NULL is none. */
#pragma once

#include <stdbool.h>
#include "base/cleanup.h"

/* text_same - Are they equal, or both none? */
bool text_same(const char *a, const char *b);

/* text_set - Replace *@to, which is freed, by a copy of @from. Return: 0, or
 * -ENOMEM with *@to untouched. */
must_check int text_set(char **to, const char *from);
