// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "agent/reconcile.h"
#include "base/log.h"

/* All addresses there are: while it is not known which ones are local, any
 * Service's may be. What was known once is what it is. */
static struct cidr everything;

void agent_look_local(struct agent *a)
{
	struct local found = {};
	int err;

	if (a->local_fresh || !agent_capable(a))
		return;
	err = local_find(&found);
	a->local_fresh = !err;
	if (err && err != a->local_err)
		log_warn(
			err,
			"list the addresses that are local on this node, to know which Services' are: %s",
			a->local_known
				? "it goes on with what it knows"
				: "until then no Service is offered SMC");
	a->local_err = err;
	if (err && !a->local_known) {
		a->host.local_nets = &everything;
		a->host.n_local_nets = 1;
	}
	if (err)
		return;
	local_free(&a->local);
	a->local = found;
	a->local_known = true;
	a->host.local = a->local.addrs;
	a->host.local_nets = a->local.nets;
	a->host.n_local_nets = a->local.n_nets;
}

void agent_forget_local(struct agent *a)
{
	local_free(&a->local);
	a->host.local = (struct mesh_addrs){};
	a->host.local_nets = NULL;
	a->host.n_local_nets = 0;
}
