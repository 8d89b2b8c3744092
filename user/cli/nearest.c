// SPDX-License-Identifier: Apache-2.0
#include "cli/nearest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LETTERS_MAX 40
#define NEAR 2 /* letters */

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* One row of the distances between the starts of two words: by letters that
 * are wrong, missing, too many, or two in the wrong order. @row[0]: of this
 * letter of @a, @row[1] and @row[2]: of the two before it. */
static void next_row(const char *a, size_t i, const char *b, size_t len,
		     unsigned int *const row[3])
{
	row[0][0] = i;
	for (size_t j = 1; j <= len; j++) {
		const bool other = a[i - 1] != b[j - 1];

		row[0][j] = least(least(row[1][j], row[0][j - 1]) + 1,
				  row[1][j - 1] + other);
		if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
		    a[i - 2] == b[j - 1])
			row[0][j] = least(row[0][j], row[2][j - 2] + 1);
	}
}

/* Of words with at most LETTERS_MAX letters. */
static unsigned int distance(const char *a, const char *b, size_t len)
{
	unsigned int rows[3][LETTERS_MAX + 1] = {};
	const size_t n = strlen(a);

	for (size_t j = 0; j <= len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		unsigned int *const row[] = {rows[i % 3], rows[(i + 2) % 3],
					     rows[(i + 1) % 3]};

		next_row(a, i, b, len, row);
	}
	return rows[n % 3][len];
}

void nearest_try(struct nearest *n, const char *word, size_t len)
{
	const size_t given = strlen(n->given);
	unsigned int d;

	if (given > LETTERS_MAX || len > LETTERS_MAX || given < 2)
		return;
	d = distance(n->given, word, len);
	if (d > NEAR && given > NEAR && given < len &&
	    !strncmp(n->given, word, given))
		d = NEAR;
	if (d > NEAR || d * 2 > given || (*n->word && d >= n->distance))
		return;
	n->distance = d;
	snprintf(n->word, sizeof(n->word), "%.*s", (int)len, word);
}

const char *nearest_hint(const struct nearest *n, char text[80])
{
	snprintf(text, 80, *n->word ? "; did you mean %s?" : "%s", n->word);
	return text;
}
