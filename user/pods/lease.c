// SPDX-License-Identifier: Apache-2.0
#include "pods/lease.h"

#include "pods/known.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/once.h"

__u64 lease_until(__u64 have, __u64 now, __u32 lease_s, __u64 age_ms)
{
	__u64 want = lease_s ? now + lease_s * CLOCK_SECOND : SMC_NO_END;

	/* A shorter lease holds at once, however old the knowledge is. */
	if (have > want)
		return want;
	if (age_ms > LEASE_KNOWLEDGE_MS || want - have < CLOCK_SECOND)
		return have;
	return want;
}

static void say_age(struct agent *a, __u32 lease_s, __u64 age_ms)
{
	bool old = lease_s && age_ms > LEASE_KNOWLEDGE_MS;

	if (!once_bool(&a->lease.old, old))
		return;
	if (old)
		log_warn(
			0,
			"for %llu s nothing was heard of who is an endpoint: when the lease ends, left=%.0f s, clients here offer no SMC until there is news",
			age_ms / 1000, lease_left(a));
	else
		log_info("there is news of who is an endpoint again");
}

void lease_move(struct agent *a, const struct mesh_config *config)
{
	__u64 age_ms = source_age_ms(a->source);
	struct smc_config now;
	int err;

	err = datapath_config(a->dp, &now);
	if (err == -ENOENT) /* nothing is possible here */
		return;
	err = err
		      ?: datapath_offer_until(
				 a->dp,
				 lease_until(now.offers_until_ns, uv_hrtime(),
					     config->lease_s, age_ms));
	if (err)
		log_warn(err, "move the lease of this node's offers");
	say_age(a, config->lease_s, age_ms);
}

double lease_left(const struct agent *a)
{
	struct smc_config now;

	return datapath_config(a->dp, &now) ? -1 : datapath_offers_left(&now);
}
