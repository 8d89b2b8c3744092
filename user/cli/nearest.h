/* SPDX-License-Identifier: Apache-2.0 */
/* Which word may have been meant by one that is not known. */
#pragma once

#include <stddef.h>

struct nearest {
	const char *given;
	char word[48]; /* the nearest so far; "": none is near */
	unsigned int distance;
};

/* nearest_try - Take @word, of @len bytes, if none was nearer to what was
 * given: it begins so, or two letters at most are wrong, missing, too many or
 * in the wrong order, and fewer than are right. */
void nearest_try(struct nearest *n, const char *word, size_t len);

/* nearest_hint - "; did you mean WORD?" or "". Return: @text. */
const char *nearest_hint(const struct nearest *n, char text[80]);
