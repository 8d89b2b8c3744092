/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the connections of `smcmesh check`. */
#pragma once

#include "base/cleanup.h"
#include "cli/check_way.h"

/* Where the agent is, and its maps. */
struct check_place {
	const char *run, *bpffs, *proc;
};

/*
 * check_pod_find - A pod of this node, and its network namespace.
 * @name: NAMESPACE/POD.
 * @out: free with check_pod_close().
 * Return: 0, or a negative errno, which was said on stderr.
 */
must_check int check_pod_find(const struct check_place *p, const char *name,
			      struct check_pod *out);
void check_pod_close(struct check_pod *pod);

/*
 * check_connect - w->wanted connections from w->from to w->at, and as many for
 * comparison that stay TCP. The caller's process speaks TCP afterwards, and is
 * in the pod's namespace.
 * Return: 0, or a negative errno: nothing could be tried; it was said.
 */
must_check int check_connect(const struct check_place *p, struct check_way *w);

/*
 * check_serve - Listen in w->to for what check_connect() does elsewhere.
 * @ready: called with the address once it listens.
 * Return: as above; w->n is how many came.
 */
must_check int check_serve(const struct check_place *p, struct check_way *w,
			   void (*ready)(const struct smc_addr_port *at));

/* check_both - Both, in two processes of this machine; the caller's stays as it
 * is. Return: as above. */
must_check int check_both(const struct check_place *p, struct check_way *w);
