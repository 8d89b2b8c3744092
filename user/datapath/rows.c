// SPDX-License-Identifier: Apache-2.0
#include "datapath/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t rec_size(const struct rows *r)
{
	return r->key_size + r->value_size;
}

void rows_free(struct rows *r)
{
	free(r->v);
	r->v = NULL;
	r->n = r->room = 0;
}

int rows_reserve(struct rows *r, size_t n)
{
	unsigned char *v;

	if (n <= r->room)
		return 0;
	v = reallocarray(r->v, n, rec_size(r));
	if (!v)
		return -ENOMEM;
	r->v = v;
	r->room = n;
	return 0;
}

int rows_add(struct rows *r, const void *key, const void *value)
{
	if (r->n == r->room && rows_reserve(r, r->room ? 2 * r->room : 16))
		return -ENOMEM;
	memcpy(rows_key(r, r->n), key, r->key_size);
	memcpy(rows_value(r, r->n), value, r->value_size);
	r->n++;
	return 0;
}

static int cmp_key(const void *a, const void *b, void *key_size)
{
	return memcmp(a, b, *(const size_t *)key_size);
}

void rows_sort(struct rows *r)
{
	size_t kept = 0;

	if (!r->n)
		return;
	qsort_r(r->v, r->n, rec_size(r), cmp_key, &r->key_size);
	for (size_t i = 1; i < r->n; i++) {
		if (memcmp(rows_key(r, kept), rows_key(r, i), r->key_size))
			kept++;
		if (kept != i)
			memcpy(rows_key(r, kept), rows_key(r, i), rec_size(r));
	}
	r->n = kept + 1;
}

void *rows_find(const struct rows *r, const void *key)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(key, rows_key(r, mid), r->key_size);

		if (!c)
			return rows_value(r, mid);
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

void rows_delta_free(struct rows_delta *d)
{
	rows_free(&d->added);
	rows_free(&d->changed);
	rows_free(&d->removed);
}

static int copy_row(struct rows *to, const struct rows *from, size_t i)
{
	return rows_add(to, rows_key(from, i), rows_value(from, i));
}

/* Which row comes next: below 0 one only in want, above 0 one only in have. */
static int next_is(const struct rows *want, size_t w, const struct rows *have,
		   size_t h)
{
	if (w == want->n)
		return 1;
	if (h == have->n)
		return -1;
	return memcmp(rows_key(want, w), rows_key(have, h), want->key_size);
}

int rows_diff(const struct rows *want, const struct rows *have,
	      struct rows_delta *out)
{
	const struct rows empty = {.key_size = want->key_size,
				   .value_size = want->value_size};
	size_t w = 0, h = 0;
	int c, err = 0;

	*out = (struct rows_delta){empty, empty, empty};
	while (!err && (w < want->n || h < have->n)) {
		c = next_is(want, w, have, h);
		if (c < 0)
			err = copy_row(&out->added, want, w);
		else if (c > 0)
			err = copy_row(&out->removed, have, h);
		else if (memcmp(rows_value(want, w), rows_value(have, h),
				want->value_size))
			err = copy_row(&out->changed, want, w);
		w += c <= 0;
		h += c >= 0;
	}
	return err;
}
