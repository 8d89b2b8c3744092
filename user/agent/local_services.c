// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "agent/host_seen.h"
#include "base/log.h"

/* All addresses there are. Until the agent has once listed the local ones it
 * takes any Service's address for local; after that it keeps the last list. */
static struct cidr everything;

void host_look_local(struct agent *a)
{
	struct local found = {};
	int err;

	if (a->host.local_fresh || !agent_capable(a))
		return;
	err = local_find(&found);
	a->host.local_fresh = !err;
	if (err && err != a->host.local_err)
		log_warn(
			err,
			"list the addresses that are local on this node, to know which Services' are: %s",
			a->host.local_known
				? "it goes on with what it knows"
				: "until then no Service is offered SMC");
	a->host.local_err = err;
	if (err && !a->host.local_known) {
		a->host.mesh.local_nets = &everything;
		a->host.mesh.n_local_nets = 1;
	}
	if (err)
		return;
	local_free(&a->host.local);
	a->host.local = found;
	a->host.local_known = true;
	a->host.mesh.local = a->host.local.addrs;
	a->host.mesh.local_nets = a->host.local.nets;
	a->host.mesh.n_local_nets = a->host.local.n_nets;
}

void host_forget(struct agent *a)
{
	local_free(&a->host.local);
	a->host.mesh.local = (struct mesh_addrs){};
	a->host.mesh.local_nets = NULL;
	a->host.mesh.n_local_nets = 0;
}
