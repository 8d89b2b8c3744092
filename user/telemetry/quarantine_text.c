// SPDX-License-Identifier: Apache-2.0
#include "telemetry/quarantine_text.h"

#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "base/cleanup.h"
#include "telemetry/fallback.h"

const char *quarantine_label(__u32 state)
{
	static const char *const labels[] = {
		[SMC_QUARANTINE_MARK] = "mark",
		[SMC_QUARANTINE_SUSPICION] = "suspicion",
		[SMC_QUARANTINE_STRUCK] = "quarantined",
	};

	return state < array_size(labels) && labels[state] ? labels[state]
							   : "unknown";
}

static const char *seen(const struct smc_quarantine *q)
{
	return q->reason
		       ? fallback_sentence(q->reason)
		       : "SYNs with the SMC option were not answered, one without was";
}

const char *quarantine_sentence(const struct smc_quarantine_key *key,
				const struct smc_quarantine *q,
				char text[QUARANTINE_SENTENCE_MAX])
{
	bool all = !key->pod_id;

	switch (q->state) {
	case SMC_QUARANTINE_MARK:
		snprintf(
			text, QUARANTINE_SENTENCE_MAX, "%s; %s", seen(q),
			all ? "one pod saw it, and if a second does it is not offered SMC by any"
			    : "it is offered SMC, unless that happens again");
		break;
	case SMC_QUARANTINE_SUSPICION:
		snprintf(
			text, QUARANTINE_SENTENCE_MAX,
			"SYNs with the SMC option were not answered; the next connection goes without");
		break;
	case SMC_QUARANTINE_STRUCK:
		snprintf(text, QUARANTINE_SENTENCE_MAX, "%s; %s", seen(q),
			 all ? "two pods saw it: no pod offers it SMC"
			     : "it is not offered SMC");
		break;
	default:
		snprintf(text, QUARANTINE_SENTENCE_MAX,
			 "a state that this version does not know (%u)",
			 q->state);
	}
	return text;
}

/* ---- as JSON ------------------------------------------------------------- */

static bool add_peer(yyjson_mut_doc *doc, yyjson_mut_val *o,
		     const struct smc_quarantine_key *key)
{
	char text[ADDR_PORT_STRLEN], ip[ADDR_STRLEN];
	struct smc_addr_port at;
	struct smc_addr a;

	memcpy(a.ip, key->ip, sizeof(a.ip));
	at = addr_port(&a, key->port);
	return yyjson_mut_obj_add_strcpy(doc, o, "address",
					 addr_format(&a, ip)) &&
	       yyjson_mut_obj_add_uint(doc, o, "port", key->port) &&
	       yyjson_mut_obj_add_strcpy(doc, o, "peer",
					 addr_port_format(&at, text));
}

static bool add_pod(yyjson_mut_doc *doc, yyjson_mut_val *o, __u32 id,
		    const struct flow_pod *pod)
{
	return yyjson_mut_obj_add_strcpy(doc, o, "namespace", pod->ns ?: "") &&
	       yyjson_mut_obj_add_strcpy(doc, o, "pod", pod->name ?: "") &&
	       yyjson_mut_obj_add_uint(doc, o, "pod_id", id);
}

static bool add_seen_by(yyjson_mut_doc *doc, yyjson_mut_val *o,
			const struct quarantine_row *row)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc), *pod;

	for (size_t i = 0; i < array_size(row->seen); i++) {
		if (!row->value->pods[i])
			continue;
		pod = yyjson_mut_obj(doc);
		if (!pod ||
		    !add_pod(doc, pod, row->value->pods[i], &row->seen[i]) ||
		    !yyjson_mut_arr_append(arr, pod))
			return false;
	}
	return yyjson_mut_obj_add_val(doc, o, "seen_by", arr);
}

static bool add_state(yyjson_mut_doc *doc, yyjson_mut_val *o,
		      const struct quarantine_row *row, __u64 now,
		      __u64 wall_offset)
{
	const struct smc_quarantine *q = row->value;
	char text[QUARANTINE_SENTENCE_MAX], code[FALLBACK_LABEL_MAX];
	double left = q->until_ns > now ? (q->until_ns - now) / 1e9 : 0;

	return yyjson_mut_obj_add_str(doc, o, "state",
				      quarantine_label(q->state)) &&
	       json_add_time(doc, o, "since",
			     q->since_ns ? q->since_ns + wall_offset : 0) &&
	       json_add_time(doc, o, "until", q->until_ns + wall_offset) &&
	       yyjson_mut_obj_add_real(doc, o, "seconds_left", left) &&
	       yyjson_mut_obj_add_uint(doc, o, "strikes", q->strikes) &&
	       yyjson_mut_obj_add_strcpy(doc, o, "code",
					 fallback_label(q->reason, code)) &&
	       yyjson_mut_obj_add_strcpy(
		       doc, o, "sentence",
		       quarantine_sentence(row->key, q, text));
}

yyjson_mut_val *quarantine_json(yyjson_mut_doc *doc,
				const struct quarantine_row *row, __u64 now,
				__u64 wall_offset)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);

	return o && add_pod(doc, o, row->key->pod_id, &row->pod) &&
			       add_peer(doc, o, row->key) &&
			       add_state(doc, o, row, now, wall_offset) &&
			       add_seen_by(doc, o, row)
		       ? o
		       : NULL;
}
