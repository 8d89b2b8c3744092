// SPDX-License-Identifier: Apache-2.0
#include "telemetry/flows.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/addr.h"
#include "telemetry/fallback.h"
#include "telemetry/labels.h"

#define NSEC_PER_SEC 1000000000ULL

static __u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

__u64 flow_wall_offset(void)
{
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
}

int flow_limit_parse(const char *text, size_t *out)
{
	size_t digits = strspn(text, "0123456789");

	if (!strcmp(text, "all")) {
		*out = SIZE_MAX;
		return 0;
	}
	if (!digits || digits > 9 || text[digits])
		return -EINVAL;
	*out = strtoul(text, NULL, 10);
	return 0;
}

/* ---- what is told of it, and how ----------------------------------------- */

const char *flow_id(const struct smc_handshake *key, char text[FLOW_ID_MAX])
{
	__u64 cookie = key->isn | (__u64)key->local_port << 32 |
		       (__u64)key->remote_port << 48;

	if (key->kind == SMC_ROLE_CLIENT)
		snprintf(text, FLOW_ID_MAX, "c:%x:%x:%x", key->netns, key->isn,
			 key->local_port);
	else if (key->kind == SMC_ROLE_SERVER)
		snprintf(text, FLOW_ID_MAX, "s:%x:%x:%x:%x", key->netns,
			 key->isn, key->local_port, key->remote_port);
	else
		snprintf(text, FLOW_ID_MAX, "t:%x:%llx", key->netns, cookie);
	return text;
}

struct smc_handshake flow_socket_key(__u64 netns_cookie, __u64 cookie)
{
	return (struct smc_handshake){
		.isn = cookie,
		.netns = netns_cookie,
		.local_port = cookie >> 32,
		.remote_port = cookie >> 48,
		.kind = SMC_KIND_SOCKET,
	};
}

/* The first flag that is set tells most. */
static const struct {
	__u32 flag;
	const char *label, *remark;
} notes[] = {
	{SMC_FLOW_UPGRADED, "before-upgrade",
	 "; opened before the upgrade, its end is told some seconds late"},
	{SMC_FLOW_ATTEMPT, "attempt",
	 "; noted when connect() was called, no more was seen of it"},
	{SMC_FLOW_DIAGNOSED, "diagnosis",
	 "; its end is told some seconds late"},
	{0, "exact", ""},
};

static size_t note_of(const struct smc_flow *f)
{
	size_t i = 0;

	while (notes[i].flag && !(f->flags & notes[i].flag))
		i++;
	return i;
}

const char *flow_noted(const struct smc_flow *f)
{
	return notes[note_of(f)].label;
}

static void outcome_sentence(const struct smc_flow *f,
			     char text[FLOW_SENTENCE_MAX])
{
	const char *why = fallback_sentence(f->kernel_code);

	switch (f->outcome) {
	case SMC_OUTCOME_PENDING:
		snprintf(text, FLOW_SENTENCE_MAX, "the handshake is under way");
		break;
	case SMC_OUTCOME_SMCR:
		snprintf(text, FLOW_SENTENCE_MAX, "SMC-R, over RDMA");
		break;
	case SMC_OUTCOME_SMCD:
		snprintf(text, FLOW_SENTENCE_MAX, "SMC-D, over shared memory");
		break;
	case SMC_OUTCOME_TCP:
		snprintf(text, FLOW_SENTENCE_MAX, "TCP: %s",
			 reason_sentence(f->reason));
		break;
	case SMC_OUTCOME_FALLBACK:
		snprintf(text, FLOW_SENTENCE_MAX,
			 "fell back to TCP: %s (0x%08x)", why, f->kernel_code);
		break;
	case SMC_OUTCOME_FAILED:
		if (fallback_is_errno(f->kernel_code))
			snprintf(text, FLOW_SENTENCE_MAX, "failed: %s (%s)",
				 why,
				 strerrorname_np(-(int)f->kernel_code)
					 ?: "unnamed errno");
		else
			snprintf(text, FLOW_SENTENCE_MAX, "failed: %s (0x%08x)",
				 why, f->kernel_code);
		break;
	default:
		snprintf(text, FLOW_SENTENCE_MAX,
			 "an outcome that this version does not know (%u)",
			 f->outcome);
	}
}

const char *flow_sentence(const struct smc_flow *f,
			  char text[FLOW_SENTENCE_MAX])
{
	size_t len;

	outcome_sentence(f, text);
	len = strlen(text);
	snprintf(text + len, FLOW_SENTENCE_MAX - len, "%s",
		 notes[note_of(f)].remark);
	return text;
}

/* ---- as JSON ------------------------------------------------------------- */

yyjson_mut_val *json_transports(yyjson_mut_doc *doc, __u32 transports)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc);

	if (transports & SMC_TRANSPORT_SMCR)
		yyjson_mut_arr_add_str(doc, arr, "smcr");
	if (transports & SMC_TRANSPORT_SMCD)
		yyjson_mut_arr_add_str(doc, arr, "smcd");
	return arr;
}

bool json_add_time(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key,
		   __u64 wall_ns)
{
	time_t sec = wall_ns / NSEC_PER_SEC;
	char day[32], text[48];
	struct tm tm;

	if (!wall_ns || !gmtime_r(&sec, &tm))
		return true;
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03uZ", day,
		 (unsigned int)(wall_ns % NSEC_PER_SEC / 1000000));
	return yyjson_mut_obj_add_strcpy(doc, obj, key, text);
}

static bool add_addr(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key,
		     const __u8 ip[16])
{
	struct smc_addr addr;
	char text[ADDR_STRLEN];

	memcpy(addr.ip, ip, sizeof(addr.ip));
	return yyjson_mut_obj_add_strcpy(doc, obj, key,
					 addr_format(&addr, text));
}

/* Static strings only for texts that live as long as the program. */
static bool add_outcome(yyjson_mut_doc *doc, yyjson_mut_val *o,
			const struct smc_flow *f)
{
	char label[FALLBACK_LABEL_MAX], code[16], text[FLOW_SENTENCE_MAX];

	snprintf(code, sizeof(code), "0x%08x", f->kernel_code);
	return yyjson_mut_obj_add_str(doc, o, "role", role_label(f->role)) &&
	       yyjson_mut_obj_add_str(doc, o, "verdict",
				      verdict_label(f->verdict)) &&
	       yyjson_mut_obj_add_str(doc, o, "reason",
				      reason_label(f->reason)) &&
	       yyjson_mut_obj_add_str(doc, o, "outcome",
				      outcome_label(f->outcome)) &&
	       yyjson_mut_obj_add_strcpy(doc, o, "kernel_code", code) &&
	       yyjson_mut_obj_add_strcpy(
		       doc, o, "kernel_label",
		       fallback_label(f->kernel_code, label)) &&
	       yyjson_mut_obj_add_strcpy(doc, o, "sentence",
					 flow_sentence(f, text)) &&
	       yyjson_mut_obj_add_val(doc, o, "transports",
				      json_transports(doc, f->transports)) &&
	       yyjson_mut_obj_add_bool(doc, o, "closed", f->closed);
}

static bool add_ends(yyjson_mut_doc *doc, yyjson_mut_val *o,
		     const struct smc_flow *f)
{
	return add_addr(doc, o, "local_address", f->local_ip) &&
	       yyjson_mut_obj_add_uint(doc, o, "local_port", f->local_port) &&
	       add_addr(doc, o, "remote_address", f->remote_ip) &&
	       yyjson_mut_obj_add_uint(doc, o, "remote_port", f->remote_port) &&
	       yyjson_mut_obj_add_uint(doc, o, "rx_bytes", f->rx_bytes) &&
	       yyjson_mut_obj_add_uint(doc, o, "tx_bytes", f->tx_bytes);
}

double flow_connect_seconds(const struct smc_handshake *key,
			    const struct smc_flow *f)
{
	bool seen = key->kind != SMC_KIND_SOCKET &&
		    !(f->flags & (SMC_FLOW_ATTEMPT | SMC_FLOW_DIAGNOSED));

	if (!seen || !f->opened_ns || f->decided_ns <= f->opened_ns)
		return -1;
	return (double)(f->decided_ns - f->opened_ns) / NSEC_PER_SEC;
}

double flow_lifetime_seconds(const struct smc_flow *f)
{
	if (!f->closed || !f->opened_ns || f->closed_ns < f->opened_ns)
		return -1;
	return (double)(f->closed_ns - f->opened_ns) / NSEC_PER_SEC;
}

/* A length of time that is not known is not there. */
static bool add_seconds(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key,
			double seconds)
{
	return seconds < 0 || yyjson_mut_obj_add_real(doc, o, key, seconds);
}

static bool add_lengths(yyjson_mut_doc *doc, yyjson_mut_val *o,
			const struct smc_handshake *key,
			const struct smc_flow *f)
{
	return add_seconds(doc, o, "connect_seconds",
			   flow_connect_seconds(key, f)) &&
	       add_seconds(doc, o, "lifetime_seconds",
			   flow_lifetime_seconds(f));
}

static bool add_times(yyjson_mut_doc *doc, yyjson_mut_val *o,
		      const struct smc_flow *f, __u64 offset)
{
	return json_add_time(doc, o, "opened",
			     f->opened_ns ? f->opened_ns + offset : 0) &&
	       json_add_time(doc, o, "decided",
			     f->decided_ns ? f->decided_ns + offset : 0) &&
	       json_add_time(doc, o, "ended",
			     f->closed_ns ? f->closed_ns + offset : 0);
}

static bool add_pod(yyjson_mut_doc *doc, yyjson_mut_val *o, __u32 id,
		    const struct flow_pod *pod)
{
	return yyjson_mut_obj_add_strcpy(doc, o, "namespace",
					 pod->ns ? pod->ns : "") &&
	       yyjson_mut_obj_add_strcpy(doc, o, "pod",
					 pod->name ? pod->name : "") &&
	       yyjson_mut_obj_add_uint(doc, o, "pod_id", id);
}

static bool add_names(yyjson_mut_doc *doc, yyjson_mut_val *o,
		      const struct smc_handshake *key, const struct smc_flow *f)
{
	char id[FLOW_ID_MAX];

	return yyjson_mut_obj_add_strcpy(doc, o, "id", flow_id(key, id)) &&
	       yyjson_mut_obj_add_uint(doc, o, "cookie", f->cookie) &&
	       yyjson_mut_obj_add_str(doc, o, "noted", flow_noted(f));
}

static bool add_flow(yyjson_mut_doc *doc, yyjson_mut_val *o,
		     const struct smc_handshake *key, const struct smc_flow *f,
		     const struct flow_pod *pod, __u64 offset)
{
	return add_names(doc, o, key, f) && add_pod(doc, o, f->pod_id, pod) &&
	       add_ends(doc, o, f) && add_outcome(doc, o, f) &&
	       add_times(doc, o, f, offset) && add_lengths(doc, o, key, f) &&
	       yyjson_mut_obj_add_uint(doc, o, "netns_cookie", f->netns_cookie);
}

yyjson_mut_val *flow_json(yyjson_mut_doc *doc, const struct smc_handshake *key,
			  const struct smc_flow *f, const struct flow_pod *pod,
			  __u64 wall_offset)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);

	return add_flow(doc, o, key, f, pod, wall_offset) ? o : NULL;
}

yyjson_mut_val *flow_event_json(yyjson_mut_doc *doc, const struct smc_event *e,
				const struct flow_pod *pod, __u64 wall_offset)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);

	if (!json_add_time(doc, o, "time", e->time_ns + wall_offset) ||
	    !yyjson_mut_obj_add_str(doc, o, "event", event_label(e->type)))
		return NULL;
	return add_flow(doc, o, &e->key, &e->flow, pod, wall_offset) ? o : NULL;
}
