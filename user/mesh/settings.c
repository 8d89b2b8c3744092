// SPDX-License-Identifier: Apache-2.0
#include "mesh/settings.h"

#include <string.h>

const struct mesh_sysctl_row mesh_sysctls[MESH_SYSCTLS] = {
#define MESH_SYSCTL_ROW(id, name, least, most) \
	[MESH_SYSCTL_##id] = {name, least, most},
	MESH_SYSCTL_TABLE(MESH_SYSCTL_ROW)
#undef MESH_SYSCTL_ROW
};

void mesh_settings_reset(struct mesh_settings *s)
{
	*s = (struct mesh_settings){};
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		s->sysctl[i] = MESH_SYSCTL_NONE;
}

bool mesh_settings_same(const struct mesh_settings *a,
			const struct mesh_settings *b)
{
	return a->no_pnet == b->no_pnet &&
	       !memcmp(a->sysctl, b->sysctl, sizeof(a->sysctl));
}

/* Without a wish for it any more. A value that is not the one that we wrote
 * came from somebody who knows why. */
static enum mesh_sysctl_did
give_back(long long is, struct mesh_sysctl_record *r, long long *to)
{
	const struct mesh_sysctl_record was = *r;

	r->ours = MESH_SYSCTL_NONE;
	if (was.ours == MESH_SYSCTL_NONE || is == was.before)
		return MESH_SYSCTL_AS_IT_IS;
	if (is != was.ours)
		return MESH_SYSCTL_LEFT;
	*to = was.before;
	return MESH_SYSCTL_RESTORED;
}

enum mesh_sysctl_did mesh_sysctl_step(long long is, long long want,
				      struct mesh_sysctl_record *r,
				      long long *to)
{
	bool first = r->ours == MESH_SYSCTL_NONE, same = r->ours == want;

	if (is == MESH_SYSCTL_NONE)
		return MESH_SYSCTL_AS_IT_IS;
	if (want == MESH_SYSCTL_NONE)
		return give_back(is, r, to);
	/* It was so before us: there is nothing to give back. */
	if (first && is == want)
		return MESH_SYSCTL_AS_IT_IS;
	if (first)
		r->before = is;
	r->ours = want;
	*to = want;
	if (is == want)
		return MESH_SYSCTL_AS_IT_IS;
	return same ? MESH_SYSCTL_PUT_BACK : MESH_SYSCTL_SET;
}
