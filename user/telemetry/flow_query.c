// SPDX-License-Identifier: Apache-2.0
#include "telemetry/flow_query.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/duration.h"
#include "telemetry/fallback.h"
#include "telemetry/flows.h"
#include "telemetry/labels.h"

_Static_assert(SMC_REASON_FLOW_MAX <= 32, "reasons of flows are a bit set");

/* ---- each value ---------------------------------------------------------- */

static int set_name(char *to, size_t room, const char *from, size_t len)
{
	if (!len || len >= room || memchr(from, '/', len))
		return -EINVAL;
	memcpy(to, from, len);
	to[len] = '\0';
	return 0;
}

/* A namespace may be told twice, here and with the pod, and must be one. */
static int set_ns(struct flow_query *q, const char *ns, size_t len)
{
	char *to = q->filter.ns;

	if (*to && (strlen(to) != len || strncmp(to, ns, len) != 0))
		return -EINVAL;
	return set_name(to, sizeof(q->filter.ns), ns, len);
}

static int take_namespace(struct flow_query *q, const char *value)
{
	return set_ns(q, value, strlen(value));
}

static int take_pod(struct flow_query *q, const char *value)
{
	const char *slash = strchr(value, '/');
	const char *name = slash ? slash + 1 : value;
	int err = slash ? set_ns(q, value, slash - value) : 0;

	return err
		       ?: set_name(q->filter.pod, sizeof(q->filter.pod), name,
				   strlen(name));
}

static int take_to(struct flow_query *q, const char *value)
{
	int err = mesh_flow_to_parse(value, &q->filter.to, &q->filter.to_port);

	q->filter.to_set = !err;
	return err;
}

static int take_port(struct flow_query *q, const char *value)
{
	return mesh_range_parse(value, strlen(value), &q->filter.port);
}

/* Call @take for each word between commas. */
static int each_word(struct flow_query *q, const char *value,
		     int (*take)(struct flow_query *q, const char *word))
{
	int err = 0;

	while (!err && value) {
		const char *comma = strchr(value, ',');
		_free_ char *word =
			comma ? strndup(value, comma - value) : strdup(value);

		err = word ? take(q, word) : -ENOMEM;
		value = comma ? comma + 1 : NULL;
	}
	return err;
}

static int add_outcome(struct flow_query *q, const char *word)
{
	for (__u32 i = 0; i <= SMC_OUTCOME_FAILED; i++) {
		if (strcmp(outcome_label(i), word) != 0)
			continue;
		q->filter.outcomes |= 1U << i;
		return 0;
	}
	return -EINVAL;
}

static int take_outcome(struct flow_query *q, const char *value)
{
	return each_word(q, value, add_outcome);
}

static int add_code(struct flow_query *q, __u32 code)
{
	struct mesh_flow_filter *f = &q->filter;

	if (!code || f->n_codes == FLOW_FILTER_CODES)
		return -EINVAL;
	f->codes[f->n_codes++] = code;
	return 0;
}

static int add_number(struct flow_query *q, const char *digits)
{
	size_t n = strspn(digits, "0123456789abcdefABCDEF");

	if (!n || n > 8 || digits[n])
		return -EINVAL;
	return add_code(q, strtoul(digits, NULL, 16));
}

static int add_reason(struct flow_query *q, const char *word)
{
	__u32 n;

	if (!strncmp(word, "0x", 2))
		return add_number(q, word + 2);
	if (reason_find(word, &n)) {
		if (n >= SMC_REASON_FLOW_MAX)
			return -EINVAL;
		q->filter.reasons |= 1U << n;
		return 0;
	}
	return fallback_find(word, &n) ? add_code(q, n) : -EINVAL;
}

static int take_reason(struct flow_query *q, const char *value)
{
	return each_word(q, value, add_reason);
}

static int take_since(struct flow_query *q, const char *value)
{
	unsigned long long seconds = 0;
	int err = duration_parse(value, &seconds);

	if (err || !seconds)
		return -EINVAL;
	q->since = seconds;
	return 0;
}

static int take_last(struct flow_query *q, const char *value)
{
	int err = flow_limit_parse(value, &q->last);

	q->last_set = !err;
	return err;
}

/* "?follow" alone asks for it, too. */
static int take_follow(struct flow_query *q, const char *value)
{
	if (strlen(value) > 1 || !strchr("01", *value))
		return -EINVAL;
	q->follow = *value != '0';
	return 0;
}

/* clang-format off */
const struct flow_parameter flow_parameters[] = {
	{"namespace", "one namespace, the pod's if that has one",
	 take_namespace},
	{"pod", "POD or NAMESPACE/POD, of the one namespace that is asked for",
	 take_pod},
	{"to", "CIDR[:PORT] or ADDRESS[:PORT], IPv6 with a port in brackets",
	 take_to},
	{"port", "a port or a range of ports, as in 8000-8999", take_port},
	{"outcome", "of pending, tcp, smcr, smcd, fallback and failed one or "
	 "several, with commas", take_outcome},
	{"reason", "reasons of flows, or the kernel's codes by name or 0xCODE, "
	 "with commas", take_reason},
	{"since", DURATION_EXPECTED, take_since},
	{"last", FLOW_LIMIT_EXPECTED, take_last},
	{"limit", FLOW_LIMIT_EXPECTED, take_last}, /* the older name of it */
	{"follow", "0 or 1", take_follow},
	{},
};
/* clang-format on */

/* ---- all of them --------------------------------------------------------- */

void flow_query_init(struct flow_query *q)
{
	*q = (struct flow_query){.last = FLOWS_TOLD};
}

int flow_query_take(struct flow_query *q, const char *name, const char *value,
		    const char **expected)
{
	const struct flow_parameter *p = flow_parameters;

	while (p->name && strcmp(p->name, name) != 0)
		p++;
	if (!p->name)
		return -ENOENT;
	*expected = p->expected;
	return p->take(q, value);
}

const char *flow_query_check(const struct flow_query *q)
{
	if (q->follow && (q->since || q->last_set))
		return "a stream begins now: it has neither since nor last";
	return NULL;
}

void flow_query_begin(struct flow_query *q, __u64 now_ns)
{
	__u64 up = now_ns / CLOCK_SECOND;

	if (q->since)
		q->filter.since_ns =
			up > q->since ? now_ns - q->since * CLOCK_SECOND : 1;
}
