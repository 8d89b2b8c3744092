// SPDX-License-Identifier: Apache-2.0
#include "agent/traffic.h"

#include <stdlib.h>
#include "node/smc_stats.h"
#include "pods/known.h"
#include "base/clock.h"
#include "base/log.h"

/* It takes a helper process, and some netlink messages for each pod. */
#define PERIOD_NS (15 * CLOCK_SECOND)

void traffic_add(struct pod_bytes *at, __u64 cookie,
		 const struct smc_stats *stats, bool skip)
{
	const __u64 now[METRICS_BYTES_MAX] = {
		[METRICS_SMCR_RX] = stats->smcr.rx_bytes,
		[METRICS_SMCR_TX] = stats->smcr.tx_bytes,
		[METRICS_SMCD_RX] = stats->smcd.rx_bytes,
		[METRICS_SMCD_TX] = stats->smcd.tx_bytes,
	};

	skip &= !at->cookie;
	for (int b = 0; b < METRICS_BYTES_MAX; b++) {
		if (at->cookie != cookie)
			at->seen[b] = skip ? now[b] : 0;
		at->n[b] += now[b] - at->seen[b];
		at->seen[b] = now[b];
	}
	at->cookie = cookie;
}

/* Has it a namespace of its own, which can be found? */
static bool can_be_asked(const struct pod *p)
{
	return p->id && !p->host_network && p->where && p->facts.cookie;
}

static void take(struct agent *a, const struct pod *p,
		 const struct smc_stats_of *of)
{
	struct pod_bytes *at = pod_bytes_take(&a->counts, p->id);
	bool sums = a->opt->labels != METRICS_BY_POD;

	if (at && !of->err)
		traffic_add(at, of->netns.cookie, &of->stats,
			    sums && pod_is(p, POD_BEFORE));
}

static void read_all(struct agent *a, struct smc_stats_of *v)
{
	size_t n = 0;

	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod *p = a->pods.v[i];

		if (can_be_asked(p))
			v[n++].netns =
				(struct netns_ref){.path = p->where,
						   .cookie = p->facts.cookie,
						   .proc = a->opt->proc};
	}
	if (smc_stats_each(v, n))
		log_debug("SMC's statistics of pods could not be read");
	n = 0;
	for (size_t i = 0; i < a->pods.n; i++)
		if (can_be_asked(a->pods.v[i]))
			take(a, a->pods.v[i], &v[n++]);
}

/* A kernel without SMC is not asked: that would have it look for the module. */
void traffic_read(struct agent *a)
{
	_free_ struct smc_stats_of *v = NULL;

	if (!agent_capable(a) || !a->last.synced ||
	    uv_hrtime() - a->counts.traffic_at < PERIOD_NS)
		return;
	v = calloc(a->pods.n + 1, sizeof(*v));
	if (v)
		read_all(a, v);
	a->counts.traffic_at = uv_hrtime();
}
