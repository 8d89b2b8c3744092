/* SPDX-License-Identifier: Apache-2.0 */
/* One flow record of the datapath as JSON and as a sentence. */
#pragma once

#include <stddef.h>
#include <yyjson.h>
#include <smcmesh/abi.h>
#include "base/cleanup.h"

#define FLOW_SENTENCE_MAX 256
#define FLOW_ID_MAX 40

/* How many flows a list has by default, and the allowed limits. */
#define FLOWS_TOLD 1000
#define FLOW_LIMIT_EXPECTED "a number of at most nine digits, or all"

/* flow_limit_parse - "250", or "all": SIZE_MAX. Return: 0; -EINVAL: @text is
 * not FLOW_LIMIT_EXPECTED. */
must_check int flow_limit_parse(const char *text, size_t *out);

/* The pod of a flow: the names of smc_flow.pod_id. Both NULL: not known (the
 * pod is gone). */
struct flow_pod {
	const char *ns, *name;
};

/* flow_wall_offset - Add this to a CLOCK_MONOTONIC time of the datapath to get
 * nanoseconds since 1970. */
__u64 flow_wall_offset(void);

/*
 * flow_id - The record's key as text, in hexadecimal: "c:NETNS:ISN:PORT" of a
 * client, "s:NETNS:ISN:PORT:REMOTE" of a server, "t:NETNS:COOKIE" of a TCP
 * socket whose handshake no program of ours saw.
 * Return: @text.
 */
const char *flow_id(const struct smc_handshake *key, char text[FLOW_ID_MAX]);

/* flow_socket_key - The key of such a socket. */
struct smc_handshake flow_socket_key(__u64 netns_cookie, __u64 cookie);

/* flow_noted - How exact its end is: "exact", or "before-upgrade", "attempt",
 * "diagnosis" (enum smc_flow_flag). */
const char *flow_noted(const struct smc_flow *f);

/*
 * flow_connect_seconds - From its first packet until it was known what it is:
 * of a client its SYN, of a server its SYN-ACK. Negative: nobody saw that, or
 * it is under way.
 */
double flow_connect_seconds(const struct smc_handshake *key,
			    const struct smc_flow *f);

/* flow_lifetime_seconds - From then until it closed. Negative: it is open, or
 * nobody saw its beginning. */
double flow_lifetime_seconds(const struct smc_flow *f);

/*
 * flow_sentence - What became of the flow and why, for a person: "SMC-D",
 * "TCP: the peer is not an endpoint", "fell back to TCP: ... (0x03030008)"; and
 * what is not exact.
 * Return: @text.
 */
const char *flow_sentence(const struct smc_flow *f,
			  char text[FLOW_SENTENCE_MAX]);

/*
 * flow_json - The record as an object of @doc.
 * @key:         its key in smc_flow
 * @wall_offset: flow_wall_offset()
 *
 * Return: the object, or NULL without memory. Copies what it needs.
 */
yyjson_mut_val *flow_json(yyjson_mut_doc *doc, const struct smc_handshake *key,
			  const struct smc_flow *f, const struct flow_pod *pod,
			  __u64 wall_offset);

/* flow_event_json - The same for a ring buffer event, with its "event" and
 * "time". */
yyjson_mut_val *flow_event_json(yyjson_mut_doc *doc, const struct smc_event *e,
				const struct flow_pod *pod, __u64 wall_offset);

/* json_transports - ["smcr", "smcd"] of a bit set. NULL without memory. */
yyjson_mut_val *json_transports(yyjson_mut_doc *doc, __u32 transports);

/* json_add_time - Add @key: RFC 3339 in UTC with milliseconds; nothing if
 * @wall_ns is 0. Return: false without memory. */
bool json_add_time(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key,
		   __u64 wall_ns);
