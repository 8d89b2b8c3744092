/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow one by one, without a field for their room. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * array_room - Room for one more element behind @n. The room is always the next
 * power of two, so it is full exactly when @n is 0 or a power of two: grow an
 * array by this function from its first element on, or not at all.
 *
 * Return: the array, perhaps moved; NULL without memory, @v is then untouched.
 */
static inline void *array_room(void *v, size_t n, size_t size)
{
	if (n & (n - 1))
		return v;
	if (n > PTRDIFF_MAX / 2 / size)
		return NULL;
	return reallocarray(v, n ? 2 * n : 1, size);
}

/*
 * array_push - Append one zeroed element.
 * @v: an lvalue, pointer to the first element. @n: an lvalue, their number.
 * Return: the new element, or NULL without memory (both untouched).
 */
#define array_push(v, n)                                               \
	({                                                             \
		__typeof__(v) _new = NULL;                             \
		__typeof__(v) _v = array_room((v), (n), sizeof(*(v))); \
		if (_v) {                                              \
			(v) = _v;                                      \
			_new = &_v[(n)++];                             \
			*_new = (__typeof__(*(v))){0};                 \
		}                                                      \
		_new;                                                  \
	})

/*
 * array_sort_once - Sort @n elements of @size bytes at @v by @order, and keep
 * the first of those that are equal by @same, which then stand together. @v may
 * be NULL if @n is 0. Return: how many are left.
 */
static inline size_t array_sort_once(void *v, size_t n, size_t size,
				     int (*order)(const void *, const void *),
				     int (*same)(const void *, const void *))
{
	char *kept = v, *next = v;

	if (!n)
		return 0;
	qsort(v, n, size, order);
	for (size_t i = 1; i < n; i++) {
		next += size;
		if (!same(kept, next))
			continue;
		kept += size;
		if (kept != next)
			memcpy(kept, next, size);
	}
	return (kept - (char *)v) / size + 1;
}
