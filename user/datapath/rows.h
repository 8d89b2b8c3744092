/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a map, as sorted fixed-size records, and the difference of two sets
 * of them. Pure: knows no kernel.
 */
#pragma once

#include <stddef.h>
#include "base/cleanup.h"

struct rows {
	size_t key_size, value_size; /* bytes; set before the first row */
	size_t n, room;
	unsigned char *v; /* n records of key_size + value_size */
};

/* rows_free - Free the records; safe on a zeroed struct and as a cleanup. */
void rows_free(struct rows *r);

/* rows_reserve - Make room for @n rows in all. Return: 0 or -ENOMEM. */
must_check int rows_reserve(struct rows *r, size_t n);

/* rows_add - Append a copy of one row. Return: 0 or -ENOMEM. */
must_check int rows_add(struct rows *r, const void *key, const void *value);

/* rows_sort - Order by key (as memcmp() does); of rows with the same key keep
 * one. */
void rows_sort(struct rows *r);

static inline void *rows_key(const struct rows *r, size_t i)
{
	return r->v + i * (r->key_size + r->value_size);
}

static inline void *rows_value(const struct rows *r, size_t i)
{
	return r->v + i * (r->key_size + r->value_size) + r->key_size;
}

/* rows_find - The value of @key in sorted rows, or NULL. */
void *rows_find(const struct rows *r, const void *key);

struct rows_delta {
	struct rows added;   /* in want only */
	struct rows changed; /* in both, with want's value where it differs */
	struct rows removed; /* in have only, with have's value */
};

void rows_delta_free(struct rows_delta *d);

/* rows_diff - The changes that turn @have into @want, both sorted and of the
 * same sizes.
 * Return: 0 or -ENOMEM. Free with rows_delta_free(), also after -ENOMEM. */
must_check int rows_diff(const struct rows *want, const struct rows *have,
			 struct rows_delta *out);
