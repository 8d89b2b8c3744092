/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that people write with commas between their parts: "80, 443". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* part_blank - Is there nothing in @text but blanks? */
bool part_blank(const char *text);

/*
 * part_next - Cut the next part out of *@text, without the blanks around it.
 * *@text: behind its comma then, NULL after the last part.
 * Return: where the part starts, *@len bytes; "" between two commas is one.
 */
const char *part_next(const char **text, size_t *len);

/* part_copy - What can be shown of a part: its first 31 bytes, as a string. */
void part_copy(const char *part, size_t len, char out[32]);
