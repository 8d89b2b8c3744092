// SPDX-License-Identifier: Apache-2.0
#include "node/rules.h"

#include <errno.h>
#include <linux/netfilter/xt_owner.h>
#include <string.h>

static int add_ids(struct redirect_rule *rule, bool gid, bool invert,
		   __u32 first, __u32 last)
{
	struct redirect_test *t = redirect_test_add(rule);

	if (!t)
		return -ENOMEM;
	t->xt = true;
	t->gid = gid;
	t->invert = invert;
	return redirect_range_add(t, first, last);
}

/* owner_mt() in net/netfilter/xt_owner.c, revision 1: all its tests must hold.
 * We do not compare supplementary groups. */
static int match_owner(struct redirect_rule *rule, const void *data, size_t len,
		       enum holds *holds)
{
	struct xt_owner_match_info info;
	int err = 0;

	if (len < sizeof(info)) {
		rule->odd = true;
		return 0;
	}
	memcpy(&info, data, sizeof(info));
	if (info.match & info.invert & XT_OWNER_SOCKET)
		*holds = HOLDS_NO; /* packets sent from here have a socket */
	if (info.match & XT_OWNER_SUPPL_GROUPS)
		rule->odd = true;
	if (info.match & XT_OWNER_UID)
		err = add_ids(rule, false, info.invert & XT_OWNER_UID,
			      info.uid_min, info.uid_max);
	if (!err && info.match & XT_OWNER_GID &&
	    !(info.match & XT_OWNER_SUPPL_GROUPS))
		err = add_ids(rule, true, info.invert & XT_OWNER_GID,
			      info.gid_min, info.gid_max);
	return err;
}

int rules_xt_match(struct redirect_rule *rule, const char *name, __u32 rev,
		   const void *data, size_t len, enum holds *holds)
{
	*holds = HOLDS_YES;
	if (!strcmp(name, "owner")) {
		if (rev == 1)
			return match_owner(rule, data, len, holds);
		rule->odd = true;
		return 0;
	}
	if (strcmp(name, "comment"))
		*holds = HOLDS_MAYBE;
	return 0;
}

bool rules_xt_moves(const char *name)
{
	return !strcmp(name, "REDIRECT") || !strcmp(name, "DNAT") ||
	       !strcmp(name, "NETMAP");
}
