/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespace half of a selector: it is set, read and undone inside one
 * network namespace. Its node half, which loads and registers the programs, is
 * the row of the same name in datapath/selector.h, in the file of the same
 * name: datapath/selector_X.c and node/selector_X.c.
 *
 * A converter that is a sysctl of every namespace has two halves likewise:
 * datapath/converter_X.c and node/converter_X.c. sockproto is one hook of the
 * whole machine, and has no half here.
 *
 * All of it runs in the helper process, inside the namespace (helper.h).
 */
#pragma once

#include "node/netns.h"

struct netns_selector {
	const char *name; /* its row's in datapath/methods.c */
	/*
	 * Set it, unless something foreign is there, and read it back.
	 * Idempotent. One that costs every packet need not be set where
	 * nothing can be armed: @f has the transports of the namespace.
	 * @value: what to set, from the node half, or NULL.
	 * Return: 0, or a negative errno with its reason in @f.
	 */
	int (*set)(const struct netns_ref *ref, const char *value,
		   struct netns_facts *f);
	/* Is one of ours there, of any generation? Changes nothing. Return: 0;
	 * -EEXIST: a foreign one; or another negative errno; with its reason in
	 * @f, unless that is -ENODATA and @f has one. */
	int (*check)(const struct netns_ref *ref, struct netns_facts *f);
	/* Remove what is ours, and read back. Return: 1 it is gone, 0 nothing
	 * of ours was there, or a negative errno. */
	int (*release)(const struct netns_ref *ref);
	/* What would release() remove? Its name goes to @name. Loads nothing of
	 * SMC. Return: 1, 0 nothing, or a negative errno. */
	int (*left)(const struct netns_ref *ref, char name[SMC_CTRL_NAME_MAX]);
};

extern const struct netns_selector netns_selector_hs_ctrl,
	netns_selector_synfilter;

/* ---- selectors.c: over all rows ---- */

/* netns_selector_find - The row of that name; NULL: there is none. */
const struct netns_selector *netns_selector_find(const char *name);

/* netns_selector_check - check() of the rows in turn, until one finds a
 * selector, ours or not. Return: that one's result, or the first one's. */
must_check int netns_selector_check(const struct netns_ref *ref,
				    struct netns_facts *f);

/* netns_selector_release - release() of all rows. Return: as release(); of
 * several errors the first. */
must_check int netns_selector_release(const struct netns_ref *ref);

/* netns_selector_left - left() of the rows in turn, until one finds something.
 * Return: as left(). */
must_check int netns_selector_left(const struct netns_ref *ref,
				   char name[SMC_CTRL_NAME_MAX]);

/* facts_fail - Note that it is not verified, for this reason. Return: @err. */
static inline int facts_fail(struct netns_facts *f, enum smc_reason reason,
			     int err)
{
	f->reason = reason;
	f->err = err;
	return err;
}
