/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of strings that end in NULL; a NULL list is an empty one. */
#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

static inline void strv_free(char ***v)
{
	for (char **s = *v; s && *s; s++)
		free(*s);
	free(*v);
	*v = NULL;
}
#define _strv_ _cleanup_(strv_free)

static inline bool strv_has(char *const *v, const char *text)
{
	for (; v && *v; v++)
		if (!strcmp(*v, text))
			return true;
	return false;
}

/* strv_push - Append a copy of @text. Return: 0 or -ENOMEM, @v is untouched
 * then. */
must_check static inline int strv_push(char ***v, const char *text)
{
	size_t n = 0;
	char **grown, *copy;

	while (*v && (*v)[n])
		n++;
	grown = reallocarray(*v, n + 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*v = grown;
	copy = strdup(text);
	grown[n] = copy;
	grown[n + 1] = NULL;
	return copy ? 0 : -ENOMEM;
}
