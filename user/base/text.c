// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool text_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

int text_set(char **to, const char *from)
{
	char *copy = NULL;

	if (text_same(*to, from))
		return 0;
	if (from) {
		copy = strdup(from);
		if (!copy)
			return -ENOMEM;
	}
	free(*to);
	*to = copy;
	return 0;
}
