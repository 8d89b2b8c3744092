// SPDX-License-Identifier: Apache-2.0
/* smc_config: written by the agent alone, so it is read, changed and written
 * back without a lock. */
#include <bpf/bpf.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "datapath/other.h"
#include "datapath/selector.h"

int datapath_config(const struct datapath *dp, struct smc_config *out)
{
	int fd = dp->map_fd[MAP_CONFIG];
	__u32 zero = 0;

	return fd < 0 ? -ENOENT : bpf_map_lookup_elem(fd, &zero, out);
}

#define SECOND 1000000000ULL /* ns */

__u64 clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* as bpf_ktime_get_ns() */
	return now.tv_sec * SECOND + now.tv_nsec;
}

static int write_config(const struct datapath *dp, const struct smc_config *c)
{
	__u32 zero = 0;

	return bpf_map_update_elem(dp->map_fd[MAP_CONFIG], &zero, c, BPF_ANY);
}

/* While ours is off it is theirs that counts, with all that belongs to it. What
 * they exclude and we have no room for keeps ours off. */
static int take_theirs(struct datapath *dp, struct smc_config *c)
{
	int err;

	err = others_config(dp, c);
	if (err) /* -ENOENT: it has no maps any more, or none yet */
		return err == -ENOENT ? 0 : err;
	/* Our agent has just begun: for one lease they are as good as ours. */
	c->offers_until_ns = clock_now() + MESH_DEFAULT_LEASE_S * SECOND;
	err = others_rows(dp, &c->uses);
	if (err != -ENOSPC)
		return err;
	log_warn(
		err,
		"take over the exclusions of another ABI: nothing is offered SMC until the agent has written its own");
	c->enabled = 0;
	return 0;
}

/* Whoever counts against no limit counts for nothing: until a plan says what
 * they are here, they are the defaults. */
static struct smc_limits limits_default(void)
{
	struct mesh_config config = {};

	mesh_config_reset(&config);
	return mesh_limits(&config, memory_total());
}

/* Without a selector nothing is converted: then none of them is ours. */
static int selectors_of(struct datapath *dp, struct smc_config *c)
{
	if (dp->selector)
		return dp->selector->ids(dp, c->selectors);
	memset(c->selectors, 0, sizeof(c->selectors));
	return 0;
}

int config_selectors(struct datapath *dp)
{
	struct smc_config c = {};
	int err;

	err = datapath_config(dp, &c);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = selectors_of(dp, &c);
	return err ? err : write_config(dp, &c);
}

int config_begin(struct datapath *dp)
{
	struct smc_config c = {};
	int err;

	err = datapath_config(dp, &c);
	if (!err && !c.enabled && dp->n_others)
		err = take_theirs(dp, &c);
	c.abi_version = SMC_ABI_VERSION;
	c.abi_readable = SMC_ABI_READABLE;
	if (!c.limits.buffers_node) /* nobody's setting: never written */
		c.limits = limits_default();
	c.uses &= ~SMC_USE_FOLLOWED; /* whoever followed did so by an agent */
	if (!err)
		err = selectors_of(dp, &c);
	if (!err)
		err = write_config(dp, &c);
	return err ? log_err(err, "begin with smc_config") : 0;
}

int config_use(struct datapath *dp, __u32 mask, __u32 uses)
{
	struct smc_config c = {};
	__u32 was;
	int err;

	err = datapath_config(dp, &c);
	if (err)
		return err == -ENOENT ? 0 : err;
	was = c.uses;
	c.uses = (was & ~mask) | (uses & mask);
	return c.uses == was ? 0 : write_config(dp, &c);
}

int datapath_follow(struct datapath *dp, bool followed)
{
	return config_use(dp, SMC_USE_FOLLOWED,
			  followed ? SMC_USE_FOLLOWED : 0);
}

int datapath_offer_until(const struct datapath *dp, __u64 ns)
{
	struct smc_config c = {};
	int err;

	err = datapath_config(dp, &c);
	if (err)
		return err == -ENOENT ? 0 : err;
	if (c.offers_until_ns == ns)
		return 0;
	c.offers_until_ns = ns;
	return write_config(dp, &c);
}

double datapath_offers_left(const struct smc_config *c)
{
	__u64 now = clock_now();

	if (c->offers_until_ns == SMC_NO_END)
		return INFINITY;
	return c->offers_until_ns > now
		       ? (double)(c->offers_until_ns - now) / SECOND
		       : 0;
}
