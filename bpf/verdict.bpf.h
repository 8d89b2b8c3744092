/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verdict: may this connection be SMC? One function, asked by every
 * enforcement point. It takes plain values (tests/bpf feeds it a table) and
 * changes nothing.
 *
 * Default deny: every return but the last says bypass, and why.
 */
#pragma once

#include "maps.bpf.h"
#include <bpf/bpf_endian.h>
#include <smcmesh/reasons.h>

/* One TCP connection as this end sees it. */
struct smc_conn {
	struct smc_addr_port remote;
	struct smc_addr_port local;
};

struct smc_answer {
	__u32 verdict;	  /* enum smc_verdict */
	__u32 reason;	  /* enum smc_reason */
	__u32 transports; /* transports of both ends; set if asked for */
};

/*
 * Both ends have the same address, or one is 127/8 (a redirect makes the local
 * one such) or ::1. The first says nothing of a pod that is told by its cgroup:
 * it and others have the machine's addresses. A peer there has to be an
 * endpoint like any other, and the port a row of smc_service.
 */
static __always_inline bool smc_is_loopback(const struct smc_pod *pod,
					    const struct smc_conn *c)
{
	const __u32 *r = (const __u32 *)c->remote.ip;
	const __u32 *l = (const __u32 *)c->local.ip;
	const __u32 mapped = bpf_htonl(0xffff);

	if (!(pod->flags & SMC_POD_CGROUP) && r[0] == l[0] && r[1] == l[1] &&
	    r[2] == l[2] && r[3] == l[3])
		return true;
	if (r[0] || r[1])
		return false;
	if (r[2] == mapped)
		return c->remote.ip[12] == 127 || c->local.ip[12] == 127;
	return !r[2] && r[3] == bpf_htonl(1);
}

static __always_inline bool smc_port_row(__u32 pod_id, __u16 port, __u32 role)
{
	struct smc_port_key key = {.prefixlen = SMC_PORT_PREFIX + 16,
				   .pod_id = pod_id,
				   .role = role,
				   .port = {port >> 8, port & 0xff}};

	return bpf_map_lookup_elem(&smc_port, &key) != NULL;
}

/* A client's excluded ports are those it dials, a server's its own. */
static __always_inline bool
smc_port_excluded(__u32 pod_id, const struct smc_conn *c, __u32 role)
{
	__u16 port = role == SMC_ROLE_CLIENT ? c->remote.port : c->local.port;

	return smc_port_row(0, port, role) || smc_port_row(pod_id, port, role);
}

static __always_inline bool smc_cidr_excluded(const struct smc_conn *c)
{
	struct smc_cidr_key key = {.prefixlen = 128};
	const struct smc_cidr *row;

	__builtin_memcpy(key.ip, c->remote.ip, sizeof(key.ip));
	row = bpf_map_lookup_elem(&smc_cidr, &key);
	return row && row->exclude;
}

static __always_inline bool smc_barred(const struct smc_quarantine_key *key,
				       __u64 now)
{
	const struct smc_quarantine *q =
		bpf_map_lookup_elem(&smc_quarantine, key);

	return q && q->state != SMC_QUARANTINE_MARK && q->until_ns > now;
}

/* A peer is in quarantine for what this pod saw, or for what two pods saw. On
 * most nodes no peer is: then this reads only one word. */
static __always_inline bool smc_quarantined(__u32 pod_id,
					    const struct smc_conn *c)
{
	struct smc_quarantine_key key = {.pod_id = pod_id,
					 .port = c->remote.port};
	const struct smc_usage *node;
	__u32 zero = 0;
	__u64 now;

	node = bpf_map_lookup_elem(&smc_usage, &zero);
	if (!node)
		return true;
	if (!node->quarantined_until)
		return false;
	now = bpf_ktime_get_ns();
	if (node->quarantined_until <= now)
		return false;
	__builtin_memcpy(key.ip, c->remote.ip, sizeof(key.ip));
	if (smc_barred(&key, now))
		return true;
	key.pod_id = 0;
	return smc_barred(&key, now);
}

/*
 * smc_client_reach - By which transports may a client offer SMC to @c's remote
 * address:port?
 *
 * A Service's row comes before the endpoint's: a proxy takes packets to a
 * Service's external address, whoever owns it, so by the endpoint's own row the
 * client would offer SMC to the Service's backends. A server asks no such row:
 * its peer's port is no Service's, and packets that a proxy took do not reach
 * it.
 *
 * Return: NONE with *@transports set, or why not.
 */
static __always_inline __u32 smc_client_reach(const struct smc_conn *c,
					      const struct smc_endpoint *e,
					      __u32 *transports)
{
	const struct smc_service *s =
		bpf_map_lookup_elem(&smc_service, &c->remote);
	bool offers = e && !(e->flags & SMC_ENDPOINT_ANSWER_ONLY);

	if (s)
		*transports = s->transports;
	else if (offers)
		*transports = e->transports;
	else
		return SMC_REASON_NOT_ENDPOINT;
	if (!s || s->transports)
		return SMC_REASON_NONE;
	/* A row without transports only denies: it is a Service's, or a node
	 * address's, which is no endpoint to clients. */
	return e && !offers ? SMC_REASON_NOT_ENDPOINT
			    : SMC_REASON_MIXED_SERVICE;
}

/* smc_agent_silent - Has the agent been silent for so long that another pod may
 * have got an address by now? */
static __always_inline bool smc_agent_silent(const struct smc_config *config)
{
	return config->offers_until_ns != SMC_NO_END &&
	       config->offers_until_ns <= bpf_ktime_get_ns();
}

/* smc_over_budget - Has the pod, or the node, reached its limit of SMC
 * connections or their memory? Handshakes under way may still exceed it; the
 * rations bound their number. True also without a row or with a limit of 0. */
static __always_inline bool smc_over_budget(const struct smc_limits *limits,
					    __u32 pod_id)
{
	__u32 slot = smc_slot(pod_id), zero = SMC_SLOT_NODE;
	const struct smc_usage *pod = bpf_map_lookup_elem(&smc_usage, &slot);
	const struct smc_usage *node = bpf_map_lookup_elem(&smc_usage, &zero);
	__u32 most = limits->connections_pod;

	if (!pod || !node)
		return true;
	if (pod->connections_max && pod->connections_max < most)
		most = pod->connections_max;
	return pod->connections >= most ||
	       pod->bytes >= (__s64)limits->bytes_pod ||
	       node->connections >= limits->buffers_node ||
	       node->bytes >= (__s64)limits->bytes_node;
}

/* Uses only the last four bytes of an address: SMC-R works over IPv4 alone. */
static __always_inline void smc_path_key_of(struct smc_path_key *key,
					    const __u8 *own, const __u8 *peer)
{
	*(__u32 *)key->own = *(const __u32 *)(own + 12);
	*(__u32 *)key->peer = *(const __u32 *)(peer + 12);
}

/* smc_path_reason - Why no connection goes over RDMA to this peer now, or
 * NONE. */
static __always_inline __u32 smc_path_reason(const struct smc_conn *c)
{
	const struct smc_path *path;
	struct smc_path_key key;

	smc_path_key_of(&key, c->local.ip, c->remote.ip);
	path = bpf_map_lookup_elem(&smc_path, &key);
	if (path && path->bad_ns)
		return SMC_REASON_PATH_BAD;
	return path && path->proven_until_ns > bpf_ktime_get_ns()
		       ? SMC_REASON_NONE
		       : SMC_REASON_PATH_UNPROVEN;
}

/* The order: reasons that a person configured come before those that the
 * programs found out about the peer. */
static __always_inline __u32 smc_judge_reason(const struct smc_pod *pod,
					      const struct smc_conn *c,
					      __u32 role, __u32 *transports)
{
	const struct smc_config *config;
	const struct smc_endpoint *e;
	__u32 zero = 0, reason;

	config = bpf_map_lookup_elem(&smc_config, &zero);
	if (!config || !config->enabled)
		return SMC_REASON_MESH_OFF;
	/* Clients only: a peer that offers was told so by its own agent, or is
	 * no endpoint. */
	if (role == SMC_ROLE_CLIENT && smc_agent_silent(config))
		return SMC_REASON_AGENT_SILENT;
	/* REFUSED: sockets made earlier may live, but the pod is disarmed. A
	 * SHARED row is no pod. */
	if (!pod ||
	    pod->flags & (SMC_POD_DENY | SMC_POD_REFUSED | SMC_POD_SHARED))
		return SMC_REASON_NOT_ARMED;
	if (config->uses & SMC_USE_PORTS &&
	    smc_port_excluded(pod->pod_id, c, role))
		return SMC_REASON_EXCLUDED_PORT;
	if (config->uses & SMC_USE_CIDRS && smc_cidr_excluded(c))
		return SMC_REASON_EXCLUDED_CIDR;
	if (smc_is_loopback(pod, c))
		return SMC_REASON_LOOPBACK;
	/* A client's port says nothing about the client. */
	if (role == SMC_ROLE_CLIENT && smc_quarantined(pod->pod_id, c))
		return SMC_REASON_QUARANTINED;
	e = bpf_map_lookup_elem(&smc_endpoint, c->remote.ip);
	if (role == SMC_ROLE_CLIENT) {
		reason = smc_client_reach(c, e, transports);
		if (reason)
			return reason;
	} else {
		if (!e)
			return SMC_REASON_NOT_ENDPOINT;
		*transports = e->transports;
	}
	*transports &= pod->transports;
	if (!*transports)
		return SMC_REASON_NO_COMMON_TRANSPORT;
	if (config->uses & SMC_USE_PENDING &&
	    smc_over_budget(&config->limits, pod->pod_id))
		return SMC_REASON_BUDGET;
	/* Inside a node the kernel prefers shared memory. */
	return config->uses & SMC_USE_PATHS &&
			       !(*transports & SMC_TRANSPORT_SMCD)
		       ? smc_path_reason(c)
		       : SMC_REASON_NONE;
}

/*
 * smc_judge - The verdict on one connection.
 * @pod: the armed pod of this end, or NULL
 * @c: both ends, as the packet has them
 * @role: of this end, enum smc_role
 */
static __always_inline void smc_judge(const struct smc_pod *pod,
				      const struct smc_conn *c, __u32 role,
				      struct smc_answer *answer)
{
	__u32 transports = 0;

	answer->reason = smc_judge_reason(pod, c, role, &transports);
	answer->verdict = answer->reason == SMC_REASON_NONE
				  ? SMC_VERDICT_ACCELERATE
				  : SMC_VERDICT_BYPASS;
	answer->transports = transports;
}
