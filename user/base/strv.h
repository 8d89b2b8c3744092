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
