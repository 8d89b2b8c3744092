// SPDX-License-Identifier: Apache-2.0
/* Which nodes this one can speak SMC with, by their UEIDs: mesh/endpoints.c
 * leaves out the endpoints of the others. */
#include "serve/api.h"

#include <string.h>

/* As many strangers as are named; all are counted. */
#define NAMED_MAX 8

static bool has_ueid(const struct mesh_node *node, const char *ueid)
{
	for (size_t i = 0; i < node->n_ueids; i++)
		if (!strcmp(node->ueids[i], ueid))
			return true;
	return false;
}

static void name_stranger(yyjson_mut_doc *doc, yyjson_mut_val *arr,
			  const struct mesh_node *node)
{
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr), *ids;

	yyjson_mut_obj_add_strcpy(doc, o, "node", node->name);
	ids = yyjson_mut_obj_add_arr(doc, o, "ueids");
	for (size_t i = 0; i < node->n_ueids; i++)
		yyjson_mut_arr_add_strcpy(doc, ids, node->ueids[i]);
}

void api_add_fabric(const struct agent *a, yyjson_mut_doc *doc,
		    yyjson_mut_val *to)
{
	const struct mesh_world *w = source_world(a->source);
	yyjson_mut_val *o, *arr = yyjson_mut_arr(doc);
	size_t nodes = 0, strangers = 0;

	if (!w) /* the source has not told anything yet */
		return;
	for (size_t i = 0; i < w->n_nodes; i++) {
		const struct mesh_node *node = &w->nodes[i];

		if (!node->n_ueids || !strcmp(node->name, a->opt->node))
			continue;
		nodes++;
		if (has_ueid(node, w->config.ueid))
			continue;
		if (strangers++ < NAMED_MAX)
			name_stranger(doc, arr, node);
	}
	o = yyjson_mut_obj_add_obj(doc, to, "fabric");
	yyjson_mut_obj_add_strcpy(doc, o, "ueid", w->config.ueid);
	yyjson_mut_obj_add_uint(doc, o, "nodes", nodes);
	yyjson_mut_obj_add_uint(doc, o, "strangers", strangers);
	yyjson_mut_obj_add_val(doc, o, "named", arr);
}
