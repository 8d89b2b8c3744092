// SPDX-License-Identifier: Apache-2.0
#include "pods/pod_stats.h"

#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "pods/known.h"

bool pod_has_stats(const struct pod *p)
{
	return p->id && !p->host_network && p->where && p->facts.cookie;
}

int pods_read_stats(const struct agent *a, struct smc_stats_of **out, size_t *n)
{
	int none = agent_capable(a) ? 0 : -EOPNOTSUPP;
	struct smc_stats_of *v = calloc(a->pods.n + 1, sizeof(*v));

	*n = 0;
	*out = v;
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod *p = a->pods.v[i];

		if (pod_has_stats(p))
			v[(*n)++] = (struct smc_stats_of){
				.netns = {.path = p->where,
					  .cookie = p->facts.cookie,
					  .proc = a->opt->proc},
				.err = none};
	}
	if (!none && smc_stats_each(v, *n))
		log_debug("SMC's statistics of pods could not be read");
	return 0;
}
