/* SPDX-License-Identifier: Apache-2.0 */
/* How this run of the program prints its data: what its options -o and
 * --no-headers say. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* As the words of -o. */
enum output {
	OUTPUT_TABLE,
	OUTPUT_WIDE, /* all columns, and no cell is cut */
	OUTPUT_JSON,
	OUTPUT_YAML,
	OUTPUT_NAME, /* of each row its name alone */
};

/* output_choose - @word: that of -o, one of the above; NULL or another: a
 * table. For all that is printed from now on. */
void output_choose(const char *word, bool headers);

/* output_format, output_headers - What was chosen; before: OUTPUT_TABLE, and
 * true. */
enum output output_format(void);
bool output_headers(void);

/* output_is_list - Does whoever reads it want rows alone: their names, or
 * without a head? Then nothing else belongs on stdout. */
bool output_is_list(void);

/*
 * data_print - Print a JSON text of @len bytes to stdout, as it is, with a
 * line's end, or for -o yaml as YAML; each call is a document of its own there.
 * Return: 0, or a negative errno after a sentence on stderr: @json is none, or
 * there is no memory.
 */
int data_print(const char *json, size_t len);
