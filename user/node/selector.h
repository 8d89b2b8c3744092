/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespace half of a selector: what is set, read and undone inside one
 * network namespace. Its node half, which loads and registers the programs, is
 * the row of the same name in datapath/selector.h, in the file of the same
 * name: datapath/selector_X.c and node/selector_X.c.
 *
 * A converter that every namespace must be told of, a sysctl, has two halves
 * likewise: datapath/converter_X.c and node/converter_X.c. sockproto is one
 * hook of the whole machine, and has nothing to do here.
 *
 * All of it runs in the helper process, inside the namespace (helper.h).
 */
#pragma once

#include "node/netns.h"

struct netns_selector {
	const char *name; /* its row's in datapath/methods.c */
	/*
	 * Have the namespace use it, unless something foreign is there, and
	 * read it back. Idempotent.
	 * @value: what the node half says a namespace must be told, or NULL.
	 * Return: 0, or a negative errno with its reason in @f.
	 */
	int (*set)(const struct netns_ref *ref, const char *value,
		   struct netns_facts *f);
	/* Is one of ours there, of any generation? Changes nothing. Return: 0;
	 * -EEXIST: a foreign one; or another negative errno; with its reason in
	 * @f. */
	int (*check)(const struct netns_ref *ref, struct netns_facts *f);
	/* Take away what is ours, and read it back. Return: 1 it is gone, 0
	 * nothing of ours was there, or a negative errno. */
	int (*release)(const struct netns_ref *ref);
	/* What release() would take away, by @name. Loads nothing of SMC.
	 * Return: 1, 0 nothing, or a negative errno. */
	int (*left)(const struct netns_ref *ref, char name[SMC_CTRL_NAME_MAX]);
};

extern const struct netns_selector netns_selector_hs_ctrl;

/* ---- selectors.c: over all rows ---- */

/* netns_selector_find - The row of that name; NULL: there is none. */
const struct netns_selector *netns_selector_find(const char *name);

/* netns_selector_check - check() of the rows in turn, until one of them is
 * there, ours or not. Return: as that one's, or the last one's. */
must_check int netns_selector_check(const struct netns_ref *ref,
				    struct netns_facts *f);

/* netns_selector_release - All that is ours. Return: as release(); of several
 * errors the first. */
must_check int netns_selector_release(const struct netns_ref *ref);

/* netns_selector_left - The first that is left. Return: as left(). */
must_check int netns_selector_left(const struct netns_ref *ref,
				   char name[SMC_CTRL_NAME_MAX]);

/* facts_fail - It is not verified, for this reason. Return: @err. */
static inline int facts_fail(struct netns_facts *f, enum smc_reason reason,
			     int err)
{
	f->reason = reason;
	f->err = err;
	return err;
}
