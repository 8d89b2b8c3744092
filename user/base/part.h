/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that people write with commas between their parts: "80, 443". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* part_blank - Is there nothing in @text but blanks? */
bool part_blank(const char *text);

/*
 * part_next - Cut the next part out of *@text, without the blanks around it.
 * *@text then points behind the part's comma; NULL after the last part.
 * Return: the start of the part, of *@len bytes; "" between two commas is a
 * part.
 */
const char *part_next(const char **text, size_t *len);

/* part_copy - Copy the first 31 bytes of a part, to show them, as a string. */
void part_copy(const char *part, size_t len, char out[32]);
