// SPDX-License-Identifier: Apache-2.0
#include "pods/sentence.h"

#include "telemetry/labels.h"

void pod_sentence(const struct pod *p, enum smc_reason reason, struct buf *out)
{
	const char *detail = p->facts.detail;

	if (reason == SMC_REASON_NONE)
		buf_printf(out, "new sockets become SMC sockets");
	else if (p->problem && reason == SMC_REASON_BAD_ANNOTATION)
		buf_printf(out, "%s", p->problem);
	else
		buf_printf(out, "%s%s%s%s", reason_sentence(reason),
			   *detail ? " (" : "", detail, *detail ? ")" : "");
}
