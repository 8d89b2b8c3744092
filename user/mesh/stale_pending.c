// SPDX-License-Identifier: Apache-2.0
#include "mesh/stale_pending.h"

#include <stdlib.h>

bool mesh_pending_is_old(const struct smc_pending *v, __u64 now)
{
	return v->since_ns + MESH_PENDING_OLD_NS < now;
}

static int cookie_cmp(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

size_t mesh_pending_over(const struct mesh_pending *v, size_t n, __u64 *cookies)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i].told == MESH_PENDING_OVER)
			cookies[found++] = v[i].cookie;
	if (found)
		qsort(cookies, found, sizeof(*cookies), cookie_cmp);
	return found;
}

size_t mesh_pending_twice(const __u64 *before, size_t n_before,
			  const __u64 *now, size_t n_now, __u64 *out)
{
	size_t kept = 0, b = 0;

	for (size_t i = 0; i < n_now; i++) {
		while (b < n_before && before[b] < now[i])
			b++;
		if (b < n_before && before[b] == now[i])
			out[kept++] = now[i];
	}
	return kept;
}

__s32 mesh_pending_drift(__u32 before, __u32 rows, __u32 after)
{
	return before == after ? (__s32)(rows - after) : 0;
}
