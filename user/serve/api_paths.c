// SPDX-License-Identifier: Apache-2.0
/* RDMA paths: what the agent knows of them, and how. */
#include "serve/api.h"
#include "pods/known.h"

void api_add_paths_sum(const struct agent *a, yyjson_mut_doc *doc,
		       yyjson_mut_val *to)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc), *probes = yyjson_mut_obj(doc);
	const struct paths *p = &a->paths;
	size_t counts[MESH_PATH_STATES];

	paths_count(a, counts);
	for (int s = 0; s < MESH_PATH_STATES; s++)
		yyjson_mut_obj_add_uint(doc, o, mesh_path_word(s), counts[s]);
	yyjson_mut_obj_add_strcpy(doc, o, "problem", paths_problem(a));
	yyjson_mut_obj_add_uint(doc, probes, "answered", p->answered);
	yyjson_mut_obj_add_uint(doc, probes, "unanswered", p->unanswered);
	yyjson_mut_obj_add_uint(doc, probes, "failed", p->failed);
	yyjson_mut_obj_add_val(doc, o, "probes", probes);
	yyjson_mut_obj_add_val(doc, to, "paths", o);
}

static void add_seconds(yyjson_mut_doc *doc, yyjson_mut_val *o,
			const char *name, __u64 until, __u64 now)
{
	yyjson_mut_obj_add_real(doc, o, name,
				until > now ? (until - now) / 1e9 : 0);
}

yyjson_mut_val *api_path_json(struct agent *a, yyjson_mut_doc *doc,
			      const struct api_path *path)
{
	const struct smc_path *row = &path->row;
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	const struct smc_addr own = mesh_path_addr(path->key.own);
	const struct smc_addr peer = mesh_path_addr(path->key.peer);
	enum mesh_path_state state = mesh_path_state(row, path->now);
	char text[ADDR_STRLEN];

	yyjson_mut_obj_add_strcpy(doc, o, "own", addr_format(&own, text));
	yyjson_mut_obj_add_strcpy(doc, o, "peer", addr_format(&peer, text));
	yyjson_mut_obj_add_bool(doc, o, "service",
				mesh_way_find(&a->paths.pairs, &path->key));
	yyjson_mut_obj_add_str(doc, o, "state", mesh_path_word(state));
	/* of a proven one: how long that holds; of a bad one: how long no
	 * probe ends it */
	if (state == MESH_PATH_PROVEN)
		add_seconds(doc, o, "left_seconds", row->proven_until_ns,
			    path->now);
	else if (state == MESH_PATH_BAD)
		add_seconds(doc, o, "left_seconds", row->bad_until_ns,
			    path->now);
	yyjson_mut_obj_add_uint(doc, o, "strikes", row->strikes);
	return yyjson_mut_obj_add_uint(doc, o, "links",
				       row->links[0] + row->links[1])
		       ? o
		       : NULL;
}
