// SPDX-License-Identifier: Apache-2.0
/* smc_config at the start: says which ABI these maps are of, and what holds
 * until the agent has a plan. */
#include <string.h>

#include "base/clock.h"
#include "base/ipproto.h"
#include "base/log.h"
#include "base/memory.h"
#include "datapath/other.h"
#include "datapath/uses.h"

/* While our switch is off the other ABI's configuration counts, with all that
 * belongs to it. If we have no room for what denies there ours stays off, and
 * its programs guard what they have guarded. */
static int take_theirs(struct datapath *dp, struct smc_config *c)
{
	int err;

	err = others_config(dp, c);
	if (err) /* -ENOENT: it has no maps (any more) */
		return err == -ENOENT ? 0 : err;
	/* Our agent has just begun, and knows nothing newer: for one lease the
	 * other's rows count as its own. */
	c->offers_until_ns = clock_now() + MESH_DEFAULT_LEASE_S * CLOCK_SECOND;
	err = others_rows(dp);
	if (err != -ENOSPC)
		return err;
	log_warn(
		err,
		"copy the rows of another ABI that deny: nothing is offered SMC until the agent has written its own; the other ABI's programs stay attached meanwhile");
	c->enabled = 0;
	dp->others_stay = true;
	return 0;
}

/* A limit of 0 allows nothing: so the defaults hold until the agent has applied
 * the configured ones. */
static struct smc_limits limits_default(void)
{
	struct mesh_config config = {};

	mesh_config_reset(&config);
	return mesh_limits(&config, memory_total());
}

int config_begin(struct datapath *dp)
{
	struct smc_config c = {};
	int err, number = ipproto_smc();
	__u32 uses = 0;

	err = datapath_config(dp, &c);
	if (!err && !c.enabled && dp->n_others)
		err = take_theirs(dp, &c);
	/* Whoever wrote the rows: an agent before us may not have known a bit.
	 * The bits come with the switch, and before others_hush(): until then
	 * the other ABI's programs guard. */
	err = err ?: uses_of_maps(dp, &uses);
	c.uses = (c.uses & ~USES_OF_ROWS) | uses;
	c.abi_version = SMC_ABI_VERSION;
	c.abi_readable = SMC_ABI_READABLE;
	c.ipproto = number < 0 ? 0 : number;
	if (!c.limits.buffers_node) /* no setting: so it was never written */
		c.limits = limits_default();
	c.uses &= ~SMC_USE_FOLLOWED; /* they followed the agent before us */
	err = err ?: config_selectors_of(dp, &c);
	err = err ?: config_write(dp, &c);
	return err ? log_err(err, "begin with smc_config") : 0;
}
