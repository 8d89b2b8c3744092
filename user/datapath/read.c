// SPDX-License-Identifier: Apache-2.0
/* What the kernel holds, handed out row by row, and the ring of events. */
#include <bpf/bpf.h>
#include <errno.h>
#include <smcmesh/counters.h>
#include <string.h>

#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/state.h"

static int read_map(struct datapath *dp, enum map_id id, size_t value_size,
		    struct rows *out)
{
	out->key_size = map_rows[id].key_size;
	out->value_size = value_size;
	if (dp->map_fd[id] < 0)
		return 0;
	return map_read(dp->map_fd[id], out);
}

int datapath_config(const struct datapath *dp, struct smc_config *out)
{
	int fd = dp->map_fd[MAP_CONFIG];
	__u32 zero = 0;

	return fd < 0 ? -ENOENT : bpf_map_lookup_elem(fd, &zero, out);
}

static int each_pod(struct datapath *dp, enum map_id id, datapath_pod_fn fn,
		    void *arg)
{
	_cleanup_(rows_free) struct rows rows = {};
	struct smc_pod pod;
	__u64 key;
	int err;

	err = read_map(dp, id, map_rows[id].value_size, &rows);
	/* Rows lie packed: copied out, because they may not be aligned. */
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		memcpy(&pod, rows_value(&rows, i), sizeof(pod));
		if (!(pod.flags & SMC_POD_SHARED))
			err = fn(key, &pod, arg);
	}
	return err;
}

int datapath_each_netns(struct datapath *dp, datapath_pod_fn fn, void *arg)
{
	return each_pod(dp, MAP_NETNS, fn, arg);
}

int datapath_each_cgroup(struct datapath *dp, datapath_pod_fn fn, void *arg)
{
	return each_pod(dp, MAP_CGROUP, fn, arg);
}

int datapath_each_endpoint(struct datapath *dp, datapath_endpoint_fn fn,
			   void *arg)
{
	_cleanup_(rows_free) struct rows rows = {};
	struct smc_endpoint value;
	struct smc_addr key;
	int err;

	err = read_map(dp, MAP_ENDPOINT, sizeof(value), &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		memcpy(&value, rows_value(&rows, i), sizeof(value));
		err = fn(&key, &value, arg);
	}
	return err;
}

int datapath_each_service(struct datapath *dp, datapath_service_fn fn,
			  void *arg)
{
	_cleanup_(rows_free) struct rows rows = {};
	struct smc_addr_port key;
	struct smc_service value;
	int err;

	err = read_map(dp, MAP_SERVICE, sizeof(value), &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		memcpy(&value, rows_value(&rows, i), sizeof(value));
		err = fn(&key, &value, arg);
	}
	return err;
}

int datapath_flow(struct datapath *dp, __u64 cookie, struct smc_flow *out)
{
	if (dp->map_fd[MAP_FLOW] < 0 ||
	    bpf_map_lookup_elem(dp->map_fd[MAP_FLOW], &cookie, out))
		return -ENOENT;
	return 0;
}

int datapath_each_flow(struct datapath *dp, datapath_flow_fn fn, void *arg)
{
	_cleanup_(rows_free) struct rows rows = {};
	struct smc_flow flow;
	__u64 cookie;
	int err;

	err = read_map(dp, MAP_FLOW, sizeof(flow), &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&cookie, rows_key(&rows, i), sizeof(cookie));
		memcpy(&flow, rows_value(&rows, i), sizeof(flow));
		err = fn(cookie, &flow, arg);
	}
	return err;
}

/* The kernel hands out one slot per possible CPU, also of those not there. */
static int read_counters(struct datapath *dp, struct rows *out, int *cpus)
{
	*cpus = libbpf_num_possible_cpus();
	if (*cpus < 0)
		return *cpus;
	return read_map(dp, MAP_COUNTER, *cpus * sizeof(__u64), out);
}

int datapath_each_counter(struct datapath *dp, datapath_counter_fn fn,
			  void *arg)
{
	_cleanup_(rows_free) struct rows rows = {};
	struct smc_counter_key key;
	__u64 sum, one;
	int err, cpus;

	err = read_counters(dp, &rows, &cpus);
	for (size_t i = 0; !err && i < rows.n; i++) {
		const unsigned char *slots = rows_value(&rows, i);

		sum = 0;
		for (int cpu = 0; cpu < cpus; cpu++) {
			memcpy(&one, slots + cpu * sizeof(one), sizeof(one));
			sum += one;
		}
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		err = fn(&key, sum, arg);
	}
	return err;
}

/* ---- counters that go ---- */

/* Deleting reads no values, and a row of per-CPU ones is long. */
#define NO_VALUE 1

static int gone_add(struct rows *gone, __u32 pod_id, __u32 counter)
{
	const struct smc_counter_key key = {pod_id, counter};
	static const unsigned char none[NO_VALUE];

	return rows_add(gone, &key, none);
}

/* Their keys are known: the map is not read for one pod. */
int datapath_forget_pod(struct datapath *dp, __u32 pod_id)
{
	_cleanup_(rows_free) struct rows gone = {
		.key_size = sizeof(struct smc_counter_key),
		.value_size = NO_VALUE};
	int err = 0;

	if (dp->map_fd[MAP_COUNTER] < 0)
		return 0;
	for (__u32 c = 0; !err && c < SMC_COUNTER_MAX; c++)
		err = gone_add(&gone, pod_id, c);
	for (__u32 r = 0; !err && r < SMC_REASON_MAX; r++)
		err = gone_add(&gone, pod_id, SMC_COUNTER_REASON + r);
	if (!err)
		map_delete(dp->map_fd[MAP_COUNTER], &gone, &err);
	return err;
}

int datapath_sweep_counters(struct datapath *dp, datapath_known_fn known,
			    void *arg)
{
	_cleanup_(rows_free) struct rows rows = {};
	_cleanup_(rows_free) struct rows gone = {
		.key_size = sizeof(struct smc_counter_key),
		.value_size = NO_VALUE};
	struct smc_counter_key key;
	int err, cpus, did = 0;

	err = read_counters(dp, &rows, &cpus);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		if (key.pod_id && !known(key.pod_id, arg))
			err = gone_add(&gone, key.pod_id, key.counter);
	}
	if (!err && gone.n)
		did = map_delete(dp->map_fd[MAP_COUNTER], &gone, &err);
	return err ? err : did;
}

/* ---- events ---- */

static int on_event(void *arg, void *data, size_t size)
{
	struct datapath *dp = arg;

	if (size >= sizeof(struct smc_event))
		dp->event_fn(data, dp->event_arg);
	/* The record is consumed also when we stop here. */
	return ++dp->events_seen < DATAPATH_EVENTS_AT_ONCE ? 0 : -EAGAIN;
}

int events_open(struct datapath *dp)
{
	dp->events =
		ring_buffer__new(dp->map_fd[MAP_EVENT], on_event, dp, NULL);
	return dp->events ? 0 : log_err(-errno, "map the ring of events");
}

int datapath_events_fd(const struct datapath *dp)
{
	return dp->events ? ring_buffer__epoll_fd(dp->events) : -1;
}

int datapath_events_read(struct datapath *dp, datapath_event_fn fn, void *arg)
{
	int n;

	if (!dp->events)
		return 0;
	dp->event_fn = fn;
	dp->event_arg = arg;
	dp->events_seen = 0;
	n = ring_buffer__consume(dp->events);
	return n < 0 && n != -EAGAIN ? n : dp->events_seen;
}
