// SPDX-License-Identifier: Apache-2.0
#include "agent/traffic.h"

#include <stdlib.h>
#include "base/clock.h"
#include "pods/known.h"
#include "pods/pod_stats.h"

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

static void take(struct agent *a, const struct pod *p,
		 const struct smc_stats_of *of)
{
	struct pod_bytes *at = pod_bytes_take(&a->counts, p->id);
	bool sums = a->opt->labels != METRICS_BY_POD;

	if (at && !of->err)
		traffic_add(at, of->netns.cookie, &of->stats,
			    sums && pod_is(p, POD_BEFORE));
}

void traffic_read(struct agent *a)
{
	_free_ struct smc_stats_of *v = NULL;
	size_t n = 0, next = 0;

	if (!agent_capable(a) || !a->last.synced ||
	    uv_hrtime() - a->counts.traffic_at < PERIOD_NS)
		return;
	if (!pods_read_stats(a, &v, &n))
		for (size_t i = 0; next < n; i++)
			if (pod_has_stats(a->pods.v[i]))
				take(a, a->pods.v[i], &v[next++]);
	a->counts.traffic_at = uv_hrtime();
}
