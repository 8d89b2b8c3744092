// SPDX-License-Identifier: Apache-2.0
/* Every ABI after the first that says we can read it: the maps that this needs
 * (SMC_ABI_READABLE) are like ours. */
#include <bpf/bpf.h>
#include <string.h>

#include "datapath/mapio.h"
#include "datapath/other.h"

static int config(const struct other *o, struct smc_config *out)
{
	struct smc_config c;
	int err = abi_config(o->at.dir, &c,
			     offsetof(struct smc_config, node_id) +
				     sizeof(c.node_id));

	if (err)
		return err;
	out->enabled = c.enabled;
	out->transports = c.transports;
	out->node_id = c.node_id;
	return 0;
}

static int counters(const struct other *o, struct smc_counters *all)
{
	_close_ int fd = other_map(o, MAP_COUNTER);
	int err = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (__u32 slot = 0; !err && slot < SMC_PODS; slot++)
		err = counters_read(fd, slot, &all[slot]);
	/* it may have fewer slots */
	return err == -ENOENT ? 0 : err;
}

static int forget(const struct other *o, __u32 slot)
{
	_close_ int fd = other_map(o, MAP_COUNTER);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return counters_clear(fd, slot);
}

static int flows(const struct other *o, datapath_flow_fn fn, void *arg)
{
	_close_ int fd = other_map(o, MAP_FLOW);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return flows_each(fd, fn, arg);
}

const struct other_kind other_later = {
	.flow_key = sizeof(struct smc_handshake),
	.flow_value = sizeof(struct smc_flow),
	.counter_key = sizeof(__u32),
	.counter_value = sizeof(struct smc_counters),
	.quarantine_key = sizeof(struct smc_quarantine_key),
	.quarantine_value = sizeof(struct smc_quarantine),
	.port_key = sizeof(struct smc_port_key),
	.service_value = sizeof(struct smc_service),
	.pod_value = sizeof(struct smc_pod),
	.config = config,
	.rows = other_rows,
	.counters = counters,
	.forget = forget,
	.flows = flows,
};
