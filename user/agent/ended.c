// SPDX-License-Identifier: Apache-2.0
#include "agent/ended.h"

#include <string.h>
#include "pods/known.h"
#include "base/log.h"

/* A flow whose outcome was known when its record was made has no latency: no
 * program of ours saw its handshake. */
static bool was_watched(const struct smc_flow *f)
{
	return f->role == SMC_ROLE_CLIENT && f->decided_ns > f->opened_ns &&
	       f->outcome > SMC_OUTCOME_PENDING &&
	       f->outcome <= SMC_OUTCOME_FAILED;
}

/* Of flows that are SMC the record has no bytes. A pod that has gone may have
 * flows that end after another one has its slot. */
static void add_bytes(struct agent_counts *counts, const struct smc_flow *f)
{
	struct pod_bytes *at = pod_bytes_take(counts, f->pod_id);

	if (!at)
		return;
	at->n[METRICS_TCP_RX] += f->rx_bytes;
	at->n[METRICS_TCP_TX] += f->tx_bytes;
}

void ended_count(struct agent_counts *counts, const struct smc_flow *f)
{
	add_bytes(counts, f);
	if (was_watched(f))
		histogram_add(&counts->connect[f->outcome], HISTOGRAM_CONNECT,
			      (f->decided_ns - f->opened_ns) / 1e9);
}

static void count(const struct smc_flow *f, void *arg)
{
	ended_count(arg, f);
}

static void read_since(struct agent *a, datapath_closed_fn fn)
{
	int err =
		datapath_closed_since(a->dp, &a->counts.ended_serial,
				      &a->counts.ended_missed, fn, &a->counts);

	if (err)
		log_debug("read the records of flows that have ended: %s",
			  strerror(-err));
}

void ended_begin(struct agent *a)
{
	read_since(a, NULL);
}

void ended_read(struct agent *a)
{
	read_since(a, count);
}
