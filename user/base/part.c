// SPDX-License-Identifier: Apache-2.0
#include "base/part.h"

#include <string.h>

static const char blanks[] = " \t\r\n";

bool part_blank(const char *text)
{
	return !text[strspn(text, blanks)];
}

const char *part_next(const char **text, size_t *len)
{
	const char *start = *text + strspn(*text, blanks);
	const char *end = start + strcspn(start, ",");

	*text = *end ? end + 1 : NULL;
	while (end > start && strchr(blanks, end[-1]))
		end--;
	*len = end - start;
	return start;
}

void part_copy(const char *part, size_t len, char out[32])
{
	if (len > 31)
		len = 31;
	memcpy(out, part, len);
	out[len] = '\0';
}
