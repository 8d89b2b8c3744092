// SPDX-License-Identifier: Apache-2.0
#include "mesh/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/part.h"

/* ---- sets -----------------------------------------------------------------
 */

static int first_cmp(const void *a, const void *b)
{
	return (int)((const struct mesh_range *)a)->first -
	       (int)((const struct mesh_range *)b)->first;
}

/* Join sorted ranges that overlap or touch. Return: how many are left. */
static size_t join(struct mesh_range *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 1; i < n; i++) {
		struct mesh_range *last = &v[kept];

		if (v[i].first > last->last + 1)
			v[++kept] = v[i];
		else if (v[i].last > last->last)
			last->last = v[i].last;
	}
	return n ? kept + 1 : 0;
}

int mesh_ranges_set(struct mesh_ranges *out, const struct mesh_range *v,
		    size_t n)
{
	struct mesh_range *copy = NULL;

	if (n) {
		copy = reallocarray(NULL, n, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, v, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), first_cmp);
	}
	free(out->v);
	out->v = copy;
	out->n = join(copy, n);
	return 0;
}

static int range_cmp(const void *port, const void *range)
{
	const struct mesh_range *r = range;
	__u16 p = *(const __u16 *)port;

	return p < r->first ? -1 : p > r->last;
}

bool mesh_ranges_has(const struct mesh_ranges *r, __u16 port)
{
	return r->n && bsearch(&port, r->v, r->n, sizeof(*r->v), range_cmp);
}

/* ---- text -----------------------------------------------------------------
 */

/* Return: 0 or -EINVAL. */
static int port_parse(const char *text, size_t len, __u16 *out)
{
	unsigned long port = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		port = 10 * port + (text[i] - '0');
		if (port > 65535)
			return -EINVAL;
	}
	if (!port)
		return -EINVAL;
	*out = port;
	return 0;
}

int mesh_range_parse(const char *text, size_t len, struct mesh_range *out)
{
	const char *dash = memchr(text, '-', len);
	size_t head = dash ? (size_t)(dash - text) : len;
	struct mesh_range r;
	int err = port_parse(text, head, &r.first);

	r.last = r.first;
	if (!err && dash)
		err = port_parse(dash + 1, len - head - 1, &r.last);
	if (err || r.first > r.last)
		return -EINVAL;
	*out = r;
	return 0;
}

int mesh_ranges_parse(const char *text, struct mesh_ranges *out, char bad[32])
{
	struct mesh_range v[MESH_RANGES_MAX];
	const char *part;
	size_t len, n = 0;

	/* Nothing but blanks is an empty list; an empty part of one is an
	 * error. */
	if (part_blank(text))
		return mesh_ranges_set(out, NULL, 0);
	while (text) {
		if (n == MESH_RANGES_MAX)
			return -E2BIG;
		part = part_next(&text, &len);
		if (mesh_range_parse(part, len, &v[n++])) {
			part_copy(part, len, bad);
			return -EINVAL;
		}
	}
	return mesh_ranges_set(out, v, n);
}

/* ---- blocks ---------------------------------------------------------------
 */

__u16 mesh_block(__u16 first, __u16 last)
{
	__u32 more = 0; /* ports after the first: 2^n - 1 */

	while (more < 0xffff && !(first & (2 * more + 1)) &&
	       first + 2 * more + 1 <= last)
		more = 2 * more + 1;
	return first + more;
}

unsigned int mesh_block_bits(__u16 first, __u16 last)
{
	return 16 - __builtin_popcount(first ^ last);
}

size_t mesh_blocks(const struct mesh_ranges *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		for (__u32 at = r->v[i].first; at <= r->v[i].last; n++)
			at = mesh_block(at, r->v[i].last) + 1U;
	return n;
}
