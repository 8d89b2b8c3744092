// SPDX-License-Identifier: Apache-2.0
#include "telemetry/labels.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"

static const struct {
	const char *label, *sentence, *remedy;
} reasons[SMC_REASON_MAX] = {
#define ROW(id, label, sentence, remedy) \
	[SMC_REASON_##id] = {label, sentence, remedy},
	SMC_REASONS(ROW)
#undef ROW
};

static const char *const roles[] = {
	[SMC_ROLE_CLIENT] = "client",
	[SMC_ROLE_SERVER] = "server",
};

static const char *const outcomes[] = {
	[SMC_OUTCOME_PENDING] = "pending",   [SMC_OUTCOME_TCP] = "tcp",
	[SMC_OUTCOME_SMCR] = "smcr",	     [SMC_OUTCOME_SMCD] = "smcd",
	[SMC_OUTCOME_FALLBACK] = "fallback", [SMC_OUTCOME_FAILED] = "failed",
};

static const char *const verdicts[] = {
	[SMC_VERDICT_BYPASS] = "bypass",
	[SMC_VERDICT_ACCELERATE] = "accelerate",
};

static const char *const events[] = {
	[SMC_EVENT_OPENED] = "opened",	    [SMC_EVENT_UPGRADED] = "upgraded",
	[SMC_EVENT_FELL_BACK] = "fallback", [SMC_EVENT_CLOSED] = "closed",
	[SMC_EVENT_REFUSED] = "refused",
};

static const char *name_of(const char *const *names, size_t n, __u32 i)
{
	return i < n && names[i] ? names[i] : "unknown";
}

bool reason_known(__u32 reason)
{
	return reason < SMC_REASON_MAX && reasons[reason].label;
}

const char *reason_label(__u32 reason)
{
	return reason_known(reason) ? reasons[reason].label : "unknown";
}

const char *reason_sentence(__u32 reason)
{
	return reason_known(reason) ? reasons[reason].sentence
				    : "a reason that this version does not "
				      "know";
}

const char *reason_remedy(__u32 reason)
{
	return reason_known(reason) ? reasons[reason].remedy : "";
}

bool reason_find(const char *label, __u32 *out)
{
	for (__u32 r = 0; r < SMC_REASON_MAX; r++) {
		if (!reason_known(r) || strcmp(reasons[r].label, label) != 0)
			continue;
		*out = r;
		return true;
	}
	return false;
}

bool remedy_helps(const char *remedy)
{
	static const char none[] = "nothing ";

	return *remedy && strncmp(remedy, none, sizeof(none) - 1) != 0;
}

const char *reason_remedy_of(const char *label)
{
	__u32 reason;

	return reason_find(label, &reason) ? reason_remedy(reason) : "";
}

const char *role_label(__u32 role)
{
	return name_of(roles, array_size(roles), role);
}

const char *outcome_label(__u32 outcome)
{
	return name_of(outcomes, array_size(outcomes), outcome);
}

const char *verdict_label(__u32 verdict)
{
	return name_of(verdicts, array_size(verdicts), verdict);
}

const char *event_label(__u32 type)
{
	return name_of(events, array_size(events), type);
}

const char *transports_format(__u32 transports, char text[TRANSPORTS_STRLEN])
{
	bool r = transports & SMC_TRANSPORT_SMCR;
	bool d = transports & SMC_TRANSPORT_SMCD;

	snprintf(text, TRANSPORTS_STRLEN, "%s%s%s", r ? "smcr" : "",
		 r && d ? "," : "", d ? "smcd" : "");
	if (!r && !d)
		snprintf(text, TRANSPORTS_STRLEN, "none");
	return text;
}
