// SPDX-License-Identifier: Apache-2.0
/* smc_config: only the agent writes it, so it reads, changes and writes it back
 * without a lock. */
#include <bpf/bpf.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "datapath/selector.h"

int datapath_config(const struct datapath *dp, struct smc_config *out)
{
	int fd = dp->map_fd[MAP_CONFIG];
	__u32 zero = 0;

	return fd < 0 ? -ENOENT : bpf_map_lookup_elem(fd, &zero, out);
}

int config_write(const struct datapath *dp, const struct smc_config *c)
{
	__u32 zero = 0;

	return bpf_map_update_elem(dp->map_fd[MAP_CONFIG], &zero, c, BPF_ANY);
}

/* Without a selector nothing is converted: then none of these ids is ours. */
int config_selectors_of(struct datapath *dp, struct smc_config *c)
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
	err = config_selectors_of(dp, &c);
	err = err ?: config_write(dp, &c);
	if (!err)
		dp->ids_untold = false;
	return err;
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
	return c.uses == was ? 0 : config_write(dp, &c);
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
	return config_write(dp, &c);
}

double datapath_offers_left(const struct smc_config *c)
{
	__u64 now = clock_now();

	if (c->offers_until_ns == SMC_NO_END)
		return INFINITY;
	return c->offers_until_ns > now
		       ? (double)(c->offers_until_ns - now) / CLOCK_SECOND
		       : 0;
}
