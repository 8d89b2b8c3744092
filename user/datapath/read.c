// SPDX-License-Identifier: Apache-2.0
/* Hands out what the kernel holds row by row, and reads the ring of events. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/state.h"

static int read_map(const struct datapath *dp, enum map_id id, struct rows *out)
{
	out->key_size = map_rows[id].key_size;
	out->value_size = map_rows[id].value_size;
	if (dp->map_fd[id] < 0)
		return 0;
	return map_read(dp->map_fd[id], out);
}

int pods_read(const struct datapath *dp, enum map_id id, struct rows *out)
{
	return read_map(dp, id, out);
}

static int each_pod(struct datapath *dp, enum map_id id, datapath_pod_fn fn,
		    void *arg)
{
	_cleanup_(rows_free) struct rows rows = {};
	struct smc_pod pod;
	__u64 key;
	int err;

	err = pods_read(dp, id, &rows);
	/* Rows are packed: copy them, because they may not be aligned. */
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

	err = read_map(dp, MAP_ENDPOINT, &rows);
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

	err = read_map(dp, MAP_SERVICE, &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		memcpy(&value, rows_value(&rows, i), sizeof(value));
		err = fn(&key, &value, arg);
	}
	return err;
}

/* ---- flows ---- */

struct flow_walk {
	datapath_flow_fn fn;
	void *arg;
};

static int hand_flow(const void *key, const void *value, void *arg)
{
	const struct flow_walk *w = arg;
	struct smc_handshake handshake;
	struct smc_flow flow;

	memcpy(&handshake, key, sizeof(handshake));
	memcpy(&flow, value, sizeof(flow));
	return w->fn(&handshake, &flow, w->arg);
}

int flows_each(int fd, datapath_flow_fn fn, void *arg)
{
	const struct rows shape = {.key_size = sizeof(struct smc_handshake),
				   .value_size = sizeof(struct smc_flow)};
	struct flow_walk walk = {fn, arg};

	return map_walk(fd, &shape, hand_flow, &walk);
}

/* Rows that were never written, and one that is being written, have no
 * serial. */
static int hand_closed(const void *key, const void *value, void *arg)
{
	const struct flow_walk *w = arg;
	struct smc_closed row;

	memcpy(&row, value, sizeof(row));
	return row.serial ? w->fn(&row.key, &row.flow, w->arg) : 0;
}

static int closed_each(struct datapath *dp, datapath_flow_fn fn, void *arg)
{
	const struct rows shape = {
		.key_size = map_rows[MAP_FLOW_CLOSED].key_size,
		.value_size = map_rows[MAP_FLOW_CLOSED].value_size};
	int fd = dp->map_fd[MAP_FLOW_CLOSED];
	struct flow_walk walk = {fn, arg};

	return fd < 0 ? 0 : map_walk(fd, &shape, hand_closed, &walk);
}

int datapath_each_flow(struct datapath *dp, bool open_only, datapath_flow_fn fn,
		       void *arg)
{
	int fd = dp->map_fd[MAP_FLOW], err;

	err = fd < 0 ? 0 : flows_each(fd, fn, arg);
	return err || open_only ? err : closed_each(dp, fn, arg);
}

int datapath_closed_since(const struct datapath *dp, __u64 *serial,
			  __u64 *missed, datapath_closed_fn fn, void *arg)
{
	int fd = dp->map_fd[MAP_FLOW_CLOSED], err;
	struct smc_usage node;
	struct smc_closed row;
	__u64 next = *serial;

	err = fd < 0 ? 0 : datapath_usage(dp, SMC_SLOT_NODE, &node);
	if (fd < 0 || err)
		return err;
	*serial = node.closed;
	if (!fn)
		return 0;
	if (node.closed > next + SMC_FLOW_CLOSED_ENTRIES) {
		*missed += node.closed - next - SMC_FLOW_CLOSED_ENTRIES;
		next = node.closed - SMC_FLOW_CLOSED_ENTRIES;
	}
	for (; next < node.closed && !err; next++) {
		__u32 at = next & (SMC_FLOW_CLOSED_ENTRIES - 1);

		err = bpf_map_lookup_elem(fd, &at, &row);
		if (!err && row.serial == next + 1)
			fn(&row.flow, arg);
		else
			++*missed;
	}
	return err;
}

int datapath_flow_seen(struct datapath *dp, const struct smc_handshake *key,
		       const struct smc_flow *v)
{
	int fd = dp->map_fd[MAP_FLOW];

	return fd < 0 ? -ENOENT : bpf_map_update_elem(fd, key, v, BPF_EXIST);
}

int datapath_flow_close(struct datapath *dp, const struct smc_handshake *key,
			const struct smc_flow *v)
{
	struct smc_flow_job job = {.key = *key, .flow = *v};
	int err;

	if (dp->map_fd[MAP_FLOW] < 0)
		return -ENOENT;
	job.flow.closed = 1;
	err = job_run(dp, JOB_FLOW_DROP, &job, sizeof(job));
	return err ?: job.result;
}

/* ---- events ---- */

static int on_event(void *arg, void *data, size_t size)
{
	struct datapath *dp = arg;

	if (size >= sizeof(struct smc_event))
		dp->event_fn(data, dp->event_arg);
	/* The record is consumed even if we stop here. */
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
