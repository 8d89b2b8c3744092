// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include <errno.h>
#include <string.h>

/* Return: 0 to 63, or -1. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const char *text, struct buf *out)
{
	_buf_ struct buf made = {};
	unsigned int bits = 0, n = 0, padding = 0;

	for (const char *p = text; *p; p++) {
		int d = digit(*p);

		if (strchr(" \t\r\n", *p))
			continue;
		if (*p == '=')
			padding++;
		else if (d < 0 || padding)
			return -EINVAL;
		bits = bits << 6 | (d < 0 ? 0 : d);
		if (++n < 4)
			continue;
		if (padding > 2)
			return -EINVAL;
		unsigned char bytes[] = {bits >> 16, bits >> 8, bits};

		if (buf_add(&made, bytes, 3 - padding))
			return -ENOMEM;
		bits = n = 0;
	}
	if (n)
		return -EINVAL;
	return made.len ? buf_add(out, made.data, made.len) : 0;
}
