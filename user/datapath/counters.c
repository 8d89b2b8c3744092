// SPDX-License-Identifier: Apache-2.0
/*
 * smc_counter: a slot holds one struct for every possible CPU, which is an
 * array of numbers. The agent reads it slot by slot: all at once would be 640
 * KiB for each CPU.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "datapath/state.h"

#define NUMBERS(c) ((const __u64 *)(c))

int counters_read(int fd, __u32 slot, struct smc_counters *out)
{
	int cpus = libbpf_num_possible_cpus(), err;
	_free_ struct smc_counters *each = NULL;

	if (cpus < 0)
		return cpus;
	each = calloc(cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	err = bpf_map_lookup_elem(fd, &slot, each);
	memset(out, 0, sizeof(*out));
	for (int cpu = 0; !err && cpu < cpus; cpu++)
		for (__u32 i = 0; i < SMC_COUNTERS_ROOM; i++)
			((__u64 *)out)[i] += NUMBERS(&each[cpu])[i];
	return err;
}

int counters_clear(int fd, __u32 slot)
{
	int cpus = libbpf_num_possible_cpus();
	_free_ struct smc_counters *zero = NULL;

	if (cpus < 0)
		return cpus;
	zero = calloc(cpus, sizeof(*zero));
	return zero ? bpf_map_update_elem(fd, &slot, zero, BPF_ANY) : -ENOMEM;
}

bool counters_any(const struct smc_counters *c)
{
	for (__u32 i = 0; i < SMC_COUNTERS_ROOM; i++)
		if (NUMBERS(c)[i])
			return true;
	return false;
}

/* A later version may have counted more; the marks of a take over are no
 * counters. */
static bool is_known(__u32 counter)
{
	if (counter < SMC_COUNTER_REASON)
		return counter < SMC_COUNTER_MAX;
	return counter - SMC_COUNTER_REASON < SMC_REASON_FLOW_MAX;
}

static int each_of(__u32 slot, const struct smc_counters *c,
		   datapath_counter_fn fn, void *arg)
{
	struct smc_counter_key key = {.slot = slot};
	int err = 0;

	for (key.counter = 0; !err && key.counter < SMC_COUNTERS_ROOM;
	     key.counter++)
		if (NUMBERS(c)[key.counter] && is_known(key.counter))
			err = fn(&key, NUMBERS(c)[key.counter], arg);
	return err;
}

int datapath_each_counter(struct datapath *dp, datapath_counter_fn fn,
			  void *arg)
{
	int fd = dp->map_fd[MAP_COUNTER], err = 0;
	struct smc_counters c;

	for (__u32 slot = 0; fd >= 0 && !err && slot < SMC_PODS; slot++) {
		err = counters_read(fd, slot, &c);
		err = err ?: each_of(slot, &c, fn, arg);
	}
	return err;
}

int datapath_slot_counters(struct datapath *dp, __u32 slot,
			   datapath_counter_fn fn, void *arg)
{
	int fd = dp->map_fd[MAP_COUNTER];
	struct smc_counters c;

	if (fd < 0)
		return 0;
	return counters_read(fd, slot, &c) ?: each_of(slot, &c, fn, arg);
}

int datapath_forget_pod(struct datapath *dp, __u32 pod_id)
{
	int fd = dp->map_fd[MAP_COUNTER];
	__u32 slot = smc_slot(pod_id);

	if (fd < 0)
		return 0;
	return ration_forget(dp, slot) ?: counters_clear(fd, slot);
}

int datapath_sweep_counters(struct datapath *dp, datapath_known_fn known,
			    void *arg)
{
	int fd = dp->map_fd[MAP_COUNTER], err = 0, did = 0;
	struct smc_counters c;

	for (__u32 slot = 0; fd >= 0 && !err && slot < SMC_PODS; slot++) {
		if (!smc_is_pod_slot(slot) || known(slot, arg))
			continue;
		err = ration_forget(dp, slot) ?: counters_read(fd, slot, &c);
		if (err || !counters_any(&c))
			continue;
		err = counters_clear(fd, slot);
		did++;
	}
	return err ?: did;
}

bool datapath_flows_evicted(struct datapath *dp)
{
	int fd = dp->map_fd[MAP_COUNTER];
	struct smc_counters c;

	for (__u32 slot = 0; fd >= 0 && slot < SMC_PODS; slot++)
		if (counters_read(fd, slot, &c) || c.FLOWS_LOST)
			return true;
	return false;
}

static int add_rationed(const struct smc_counter_key *key, __u64 value,
			void *arg)
{
	__u64 *sum = arg;

	if (key->counter == SMC_COUNTER_RATIONED_CONVERTED ||
	    key->counter == SMC_COUNTER_RATIONED_OWN)
		*sum += value;
	return 0;
}

int datapath_rationed(struct datapath *dp, __u32 slot, __u64 *out)
{
	struct smc_counters c = {};
	int err;

	*out = 0;
	if (dp->map_fd[MAP_COUNTER] < 0)
		return 0;
	if (slot == SMC_SLOT_NODE)
		return datapath_each_counter(dp, add_rationed, out);
	err = counters_read(dp->map_fd[MAP_COUNTER], slot, &c);
	*out = c.RATIONED_CONVERTED + c.RATIONED_OWN;
	return err;
}
