// SPDX-License-Identifier: Apache-2.0
/* What an answer of /v1/explain comes to. */
#include "serve/api_explain.h"

#include "pods/sentence.h"
#include "telemetry/labels.h"

void explain_end_reason(struct explain_end *end, __u32 reason)
{
	end->accelerated = reason == SMC_REASON_NONE;
	end->reason = reason_label(reason);
	end->sentence = reason_sentence(reason);
	end->remedy = reason_remedy(reason);
}

void explain_end_pod(struct explain_end *end, const struct pod *p,
		     const struct pod_state *is)
{
	explain_end_reason(end, is->reason);
	buf_free(&end->said);
	pod_sentence(p, is->reason, &end->said);
	end->sentence = end->said.data ?: end->sentence;
}

void explain_add_end(yyjson_mut_doc *doc, yyjson_mut_val *root,
		     const struct explain_end *end)
{
	yyjson_mut_obj_add_val(
		doc, root, "accelerated",
		end->accelerated < 0 ? yyjson_mut_null(doc)
				     : yyjson_mut_bool(doc, end->accelerated));
	yyjson_mut_obj_add_strcpy(doc, root, "reason", end->reason);
	yyjson_mut_obj_add_strcpy(doc, root, "sentence", end->sentence);
	yyjson_mut_obj_add_strcpy(doc, root, "remedy", end->remedy);
}

void explain_end_free(struct explain_end *end)
{
	buf_free(&end->said);
	buf_free(&end->todo);
}
