// SPDX-License-Identifier: Apache-2.0
/* The namespace halves of all selectors that there are. */
#include <errno.h>
#include <string.h>
#include "node/selector.h"

/* In the order of datapath/methods.c. */
static const struct netns_selector *const rows[] = {
	&netns_selector_hs_ctrl, &netns_selector_synfilter, NULL};

const struct netns_selector *netns_selector_find(const char *name)
{
	for (size_t i = 0; rows[i]; i++)
		if (!strcmp(rows[i]->name, name))
			return rows[i];
	return NULL;
}

int netns_selector_check(const struct netns_ref *ref, struct netns_facts *f)
{
	int first = 0, err = -ENODATA;

	for (size_t i = 0; rows[i]; i++) {
		err = rows[i]->check(ref, f);
		if (!err || err == -EEXIST)
			return err;
		first = first ?: err;
	}
	return first;
}

int netns_selector_release(const struct netns_ref *ref)
{
	int did, any = 0, first = 0;

	for (size_t i = 0; rows[i]; i++) {
		did = rows[i]->release(ref);
		if (did < 0)
			first = first ?: did;
		else
			any |= did;
	}
	return first ?: any;
}

int netns_selector_left(const struct netns_ref *ref,
			char name[SMC_CTRL_NAME_MAX])
{
	int got = 0;

	for (size_t i = 0; rows[i] && !got; i++)
		got = rows[i]->left(ref, name);
	return got;
}
