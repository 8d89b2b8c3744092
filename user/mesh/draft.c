// SPDX-License-Identifier: Apache-2.0
/* What the files that make a plan share. */
#include "mesh/draft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

__u32 mesh_node_id(const char *name)
{
	__u32 hash = 2166136261U; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return hash ? hash : 1;
}

int draft_warn(struct draft *d, const char *fmt, ...)
{
	struct mesh_plan *plan = &d->plan;
	char *text = NULL, **slot;
	va_list ap;
	int len;

	if (plan->n_warnings > MESH_WARNINGS_MAX)
		return 0;
	slot = array_push(plan->warnings, plan->n_warnings);
	if (!slot)
		return -ENOMEM;
	if (plan->n_warnings > MESH_WARNINGS_MAX) {
		*slot = strdup("there are more warnings than these");
		return *slot ? 0 : -ENOMEM;
	}
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	*slot = len < 0 ? NULL : text;
	return *slot ? 0 : -ENOMEM;
}

bool draft_is_service(const struct draft *d, const struct smc_addr *addr)
{
	return d->n_service_addrs &&
	       bsearch(addr, d->service_addrs, d->n_service_addrs,
		       sizeof(*addr), addr_order);
}
