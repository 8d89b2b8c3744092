/* SPDX-License-Identifier: Apache-2.0 */
/* What `smcmesh sysdump` gathers: files, and why others could not be had. */
#pragma once

#include <stddef.h>
#include "base/buf.h"
#include "cli/hide.h"
#include "datapath/datapath.h"

enum dump_kind {
	DUMP_TEXT,
	DUMP_JSON,
	DUMP_METRICS, /* names stand in quotes alone */
};

struct dump_part {
	char *name; /* "maps/v2/smc_netns.json" */
	enum dump_kind kind;
	struct buf text;
};

struct dump {
	struct datapath_options opt;
	const char *run;  /* the agent's directory */
	const char *root; /* where the host's files are; NULL: found */
	struct dump_part *v;
	size_t n;
	unsigned int missing;
	struct buf errors; /* lines: "NAME: why" */
	char *node;	   /* as the agent calls it, or the host's name */
};

/* dump_gather - Fill @d, of which the caller has set the first three. Nothing
 * that is missing is an error but memory. Asks the agent, if one runs, and
 * looks at the node; changes nothing. Return: 0 or -ENOMEM. */
must_check int dump_gather(struct dump *d);

/* dump_hide - Take the names and addresses out of all that was gathered, as @h
 * says, which has its key. Return: 0 or -ENOMEM. */
must_check int dump_hide(struct dump *d, struct hide *h);

/* dump_free - Safe on a zeroed struct; for cleanup. */
void dump_free(struct dump *d);
