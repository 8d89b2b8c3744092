// SPDX-License-Identifier: Apache-2.0
#include "mesh/owners.h"

#include <stdio.h>

const char *owner_format(const struct smc_owner *o, char text[OWNER_STRLEN])
{
	if (o->uid == SMC_ID_ANY && o->gid == SMC_ID_ANY)
		snprintf(text, OWNER_STRLEN, "anybody");
	else if (o->gid == SMC_ID_ANY)
		snprintf(text, OWNER_STRLEN, "UID %u", o->uid);
	else if (o->uid == SMC_ID_ANY)
		snprintf(text, OWNER_STRLEN, "GID %u", o->gid);
	else
		snprintf(text, OWNER_STRLEN, "UID %u with GID %u", o->uid,
			 o->gid);
	return text;
}

bool owners_have(const struct smc_owner *v, size_t n, __u32 uid, __u32 gid)
{
	for (size_t i = 0; i < n; i++)
		if ((v[i].uid == SMC_ID_ANY || v[i].uid == uid) &&
		    (v[i].gid == SMC_ID_ANY || v[i].gid == gid))
			return true;
	return false;
}

bool owners_same(const struct smc_owner *a, size_t n_a,
		 const struct smc_owner *b, size_t n_b)
{
	bool same = n_a == n_b;

	for (size_t i = 0; same && i < n_a; i++)
		same = a[i].uid == b[i].uid && a[i].gid == b[i].gid;
	return same;
}

bool owners_shared(const struct smc_owner *v, size_t n,
		   const struct mesh_pod *pod, const char **first,
		   const char **second)
{
	const struct mesh_container *one = NULL;

	for (size_t i = 0; i < pod->n_containers; i++) {
		const struct mesh_container *c = &pod->containers[i];

		if (!owners_have(v, n, c->uid, c->gid))
			continue;
		if (one) {
			*first = one->name;
			*second = c->name;
			return true;
		}
		one = c;
	}
	return false;
}
