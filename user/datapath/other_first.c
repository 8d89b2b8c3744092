// SPDX-License-Identifier: Apache-2.0
/* ABI 1. This describes only where its layout differs from ours. */
#include <bpf/bpf.h>
#include <string.h>

#include "base/clock.h"
#include "datapath/mapio.h"
#include "datapath/other.h"
#include "datapath/port_row.h"

struct first_config {
	__u32 abi_version, enabled, transports, mark, mark_mask, node_id;
};

/* Key: the cookie of the TCP socket, __u64. */
struct first_flow {
	__u8 local_ip[16], remote_ip[16];
	__u16 local_port, remote_port;
	__u32 pod_id;
	__u8 role, verdict, outcome, closed;
	__u32 reason, kernel_code, transports;
	__u64 opened_ns, decided_ns, closed_ns;
	__u64 rx_bytes, tx_bytes;
	__u64 netns_cookie;
};
_Static_assert(sizeof(struct first_flow) == 104, "ABI 1");

/* A per-CPU hash to a __u64. Its numbers are ours, as far as it has them; from
 * FIRST_REASON on it counted the reasons of flows, which still have their
 * numbers. */
struct first_counter {
	__u32 pod_id, counter;
};

/* Key: struct smc_addr_port. */
struct first_quarantine {
	__u64 until_ns;
	__u32 strikes, reason;
};
_Static_assert(sizeof(struct first_quarantine) == 16, "ABI 1");

#define FIRST_COUNTERS 21
#define FIRST_REASON 1000
#define FIRST_REASONS 15
_Static_assert(FIRST_COUNTERS <= SMC_COUNTER_MAX &&
		       FIRST_REASONS <= SMC_REASON_FLOW_MAX,
	       "rows of a table are only ever added");

/* A hash of single ports, both directions in one row. */
struct first_port_key {
	__u32 pod_id;
	__u16 port, _pad;
};

struct first_port {
	__u8 exclude_in, exclude_out, _pad[2];
};

static int config(const struct other *o, struct smc_config *out)
{
	struct first_config c;
	int err = abi_config(o->at.dir, &c, sizeof(c));

	if (err)
		return err;
	out->enabled = c.enabled;
	out->transports = c.transports;
	out->node_id = c.node_id;
	return 0;
}

static int ports(const struct other *o, struct rows *out)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(struct first_port_key),
		.value_size = sizeof(struct first_port)};
	struct first_port_key key;
	struct first_port value;
	int err = other_rows(o, MAP_PORT, &rows);

	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		memcpy(&value, rows_value(&rows, i), sizeof(value));
		if (value.exclude_out)
			err = port_row_add(out, key.pod_id, SMC_ROLE_CLIENT,
					   key.port, key.port);
		if (!err && value.exclude_in)
			err = port_row_add(out, key.pod_id, SMC_ROLE_SERVER,
					   key.port, key.port);
	}
	return err;
}

/* Each row had its own end. */
struct first_service {
	__u32 transports, _pad;
	__u64 expires_ns;
};

/* A sidecar's had one user; any other pod's SMC_ID_ANY. */
struct first_pod {
	__u32 pod_id, flags, transports, uid;
};
_Static_assert(sizeof(struct first_pod) == 16, "ABI 1");

static int pods(const struct other *o, enum map_id id, struct rows *out)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = out->key_size,
		.value_size = sizeof(struct first_pod)};
	struct first_pod f;
	int err = other_rows(o, id, &rows);

	for (size_t i = 0; !err && i < rows.n; i++) {
		struct smc_pod ours = {};

		memcpy(&f, rows_value(&rows, i), sizeof(f));
		ours.pod_id = f.pod_id;
		ours.flags = f.flags;
		ours.transports = f.transports;
		if (f.flags & SMC_POD_SIDECAR && f.uid != SMC_ID_ANY)
			ours.owners[ours.n_owners++] =
				(struct smc_owner){f.uid, SMC_ID_ANY};
		err = rows_add(out, rows_key(&rows, i), &ours);
	}
	return err;
}

static int services(const struct other *o, struct rows *out)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(struct smc_addr_port),
		.value_size = sizeof(struct first_service)};
	struct first_service value;
	__u64 now = clock_now();
	int err = other_rows(o, MAP_SERVICE, &rows);

	for (size_t i = 0; !err && i < rows.n; i++) {
		struct smc_service ours = {};

		memcpy(&value, rows_value(&rows, i), sizeof(value));
		if (value.expires_ns > now)
			ours.transports = value.transports;
		err = rows_add(out, rows_key(&rows, i), &ours);
	}
	return err;
}

/* A row of ABI 1 holds for all pods, and does not say which one saw the
 * failure. It holds for all here, too (pod 0), until it ends: within an hour.
 * Dropping it would make a connect() of each pod fail again. */
static int quarantine(const struct other *o, struct rows *out)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(struct smc_addr_port),
		.value_size = sizeof(struct first_quarantine)};
	struct first_quarantine f;
	struct smc_addr_port peer;
	int err;

	err = other_rows(o, MAP_QUARANTINE, &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		struct smc_quarantine_key key = {};
		struct smc_quarantine q = {.state = SMC_QUARANTINE_STRUCK};

		memcpy(&peer, rows_key(&rows, i), sizeof(peer));
		memcpy(&f, rows_value(&rows, i), sizeof(f));
		memcpy(key.ip, peer.ip, sizeof(key.ip));
		key.port = peer.port;
		q.until_ns = f.until_ns;
		q.strikes = f.strikes;
		q.reason = f.reason;
		err = rows_add(out, &key, &q);
	}
	return err;
}

static int first_rows(const struct other *o, enum map_id id, struct rows *out)
{
	switch (id) {
	case MAP_NETNS:
	case MAP_CGROUP:
		return pods(o, id, out);
	case MAP_PORT:
		return ports(o, out);
	case MAP_SERVICE:
		return services(o, out);
	case MAP_QUARANTINE:
		return quarantine(o, out);
	default:
		return other_rows(o, id, out);
	}
}

/* ---- counters ---- */

/* Return: a descriptor, or a negative errno. @cpus: slots of a value. */
static int open_counters(const struct other *o, struct rows *rows, int *cpus)
{
	_close_ int fd = other_map(o, MAP_COUNTER);
	int err;

	if (fd < 0)
		return fd;
	*cpus = libbpf_num_possible_cpus();
	if (*cpus < 0)
		return *cpus;
	rows->key_size = sizeof(struct first_counter);
	rows->value_size = *cpus * sizeof(__u64);
	err = map_read(fd, rows);
	return err ?: take_fd(fd);
}

/* Which counter of ours that is. Return: its number, or SMC_COUNTERS_ROOM. */
static __u32 number_of(__u32 counter)
{
	if (counter < FIRST_COUNTERS)
		return counter;
	if (counter >= FIRST_REASON && counter < FIRST_REASON + FIRST_REASONS)
		return SMC_COUNTER_REASON + counter - FIRST_REASON;
	return SMC_COUNTERS_ROOM;
}

static int counters(const struct other *o, struct smc_counters *all)
{
	_cleanup_(rows_free) struct rows rows = {};
	struct first_counter key;
	int cpus;
	_close_ int fd = open_counters(o, &rows, &cpus);
	__u64 one;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (size_t i = 0; i < rows.n; i++) {
		const unsigned char *value = rows_value(&rows, i);
		__u32 number;

		memcpy(&key, rows_key(&rows, i), sizeof(key));
		number = number_of(key.counter);
		for (int cpu = 0; number < SMC_COUNTERS_ROOM && cpu < cpus;
		     cpu++) {
			memcpy(&one, value + cpu * sizeof(one), sizeof(one));
			((__u64 *)&all[smc_slot(key.pod_id)])[number] += one;
		}
	}
	return 0;
}

static int forget(const struct other *o, __u32 slot)
{
	_cleanup_(rows_free) struct rows rows = {};
	_cleanup_(rows_free) struct rows gone = {};
	struct first_counter key;
	int cpus, err = 0;
	_close_ int fd = open_counters(o, &rows, &cpus);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	gone.key_size = rows.key_size;
	gone.value_size = 1; /* deleting reads no values */
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		if (smc_slot(key.pod_id) == slot)
			err = rows_add(&gone, &key, rows_value(&rows, i));
	}
	if (!err)
		map_delete(fd, &gone, &err);
	return err;
}

/* ---- flows ---- */

/* The key of a connection whose handshake no program of ours saw. */
static struct smc_handshake key_of(__u64 cookie, const struct first_flow *f)
{
	return (struct smc_handshake){
		.isn = cookie,
		.netns = f->netns_cookie,
		.local_port = cookie >> 32,
		.remote_port = cookie >> 48,
		.kind = SMC_KIND_SOCKET,
	};
}

static struct smc_flow flow_of(__u64 cookie, const struct first_flow *f)
{
	struct smc_flow flow = {
		.local_port = f->local_port,
		.remote_port = f->remote_port,
		.pod_id = f->pod_id,
		.role = f->role,
		.verdict = f->verdict,
		.outcome = f->outcome,
		.closed = f->closed,
		.reason = f->reason,
		.kernel_code = f->kernel_code,
		.transports = f->transports,
		.opened_ns = f->opened_ns,
		.decided_ns = f->decided_ns,
		.closed_ns = f->closed_ns,
		.rx_bytes = f->rx_bytes,
		.tx_bytes = f->tx_bytes,
		.netns_cookie = f->netns_cookie,
		.cookie = cookie,
	};

	memcpy(flow.local_ip, f->local_ip, sizeof(flow.local_ip));
	memcpy(flow.remote_ip, f->remote_ip, sizeof(flow.remote_ip));
	return flow;
}

static int flows(const struct other *o, datapath_flow_fn fn, void *arg)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(__u64),
		.value_size = sizeof(struct first_flow)};
	_close_ int fd = other_map(o, MAP_FLOW);
	struct smc_handshake key;
	struct first_flow f;
	struct smc_flow flow;
	__u64 cookie;
	int err;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = map_read(fd, &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&cookie, rows_key(&rows, i), sizeof(cookie));
		memcpy(&f, rows_value(&rows, i), sizeof(f));
		key = key_of(cookie, &f);
		flow = flow_of(cookie, &f);
		err = fn(&key, &flow, arg);
	}
	return err;
}

const struct other_kind other_first = {
	.flow_key = sizeof(__u64),
	.flow_value = sizeof(struct first_flow),
	.counter_key = sizeof(struct first_counter),
	.counter_value = sizeof(__u64),
	.quarantine_key = sizeof(struct smc_addr_port),
	.quarantine_value = sizeof(struct first_quarantine),
	.port_key = sizeof(struct first_port_key),
	.pod_value = sizeof(struct first_pod),
	.service_value = sizeof(struct first_service),
	.config = config,
	.rows = first_rows,
	.counters = counters,
	.forget = forget,
	.flows = flows,
};
