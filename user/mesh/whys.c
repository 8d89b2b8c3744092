// SPDX-License-Identifier: Apache-2.0
/* The table of why nothing is offered at a Service's port. */
#include <string.h>

#include "base/array.h"
#include "mesh/plan.h"

static const struct {
	const char *label, *sentence, *remedy;
} whys[] = {
#define WHY_ROW(id, label, sentence, remedy) \
	[MESH_SERVICE_##id] = {label, sentence, remedy},
	MESH_SERVICE_WHYS(WHY_ROW)
#undef WHY_ROW
};

const char *mesh_service_why_label(enum mesh_service_why why)
{
	return why < array_size(whys) ? whys[why].label : "";
}

const char *mesh_service_why_sentence(const char *label)
{
	for (size_t i = 0; i < array_size(whys); i++)
		if (!strcmp(whys[i].label, label))
			return whys[i].sentence;
	return "";
}

const char *mesh_service_why_remedy(enum mesh_service_why why)
{
	return why < array_size(whys) ? whys[why].remedy : "";
}
