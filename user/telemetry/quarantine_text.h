/* SPDX-License-Identifier: Apache-2.0 */
/* A row against a peer, as JSON and as a sentence. */
#pragma once

#include "telemetry/flows.h"

#define QUARANTINE_SENTENCE_MAX 256

/* quarantine_label - "mark", "suspicion" or "quarantined"; "unknown" for a
 * number that has no name. Never NULL. */
const char *quarantine_label(__u32 state);

/* quarantine_sentence - What the pod saw, and what that means for the next
 * connection. Return: @text. */
const char *quarantine_sentence(const struct smc_quarantine_key *key,
				const struct smc_quarantine *q,
				char text[QUARANTINE_SENTENCE_MAX]);

/* One row, and its pod. */
struct quarantine_row {
	const struct smc_quarantine_key *key;
	const struct smc_quarantine *value;
	struct flow_pod pod;	 /* of key->pod_id */
	struct flow_pod seen[2]; /* of value->pods */
};

/*
 * quarantine_json - The row as an object of @doc.
 * @now:         CLOCK_MONOTONIC, ns
 * @wall_offset: flow_wall_offset()
 *
 * Return: the object, or NULL without memory. Copies what it needs.
 */
yyjson_mut_val *quarantine_json(yyjson_mut_doc *doc,
				const struct quarantine_row *row, __u64 now,
				__u64 wall_offset);
