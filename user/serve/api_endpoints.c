// SPDX-License-Identifier: Apache-2.0
/* /v1/endpoints: the kernel's rows of one moment, and what the agent knows of
 * each. */
#include "serve/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "pods/lease.h"

struct endpoint_row {
	struct smc_addr key;
	struct smc_endpoint value;
};

struct service_row {
	struct smc_addr_port key;
	struct smc_service value;
};

struct listing {
	struct agent *agent;
	struct endpoint_row *endpoints;
	struct service_row *services;
	struct api_path *paths;
	size_t n_endpoints, n_services, n_paths;
	__u64 now;   /* CLOCK_MONOTONIC */
	double left; /* of the lease, seconds */
};

static void listing_free(void *arg)
{
	struct listing *l = arg;

	free(l->endpoints);
	free(l->services);
	free(l->paths);
	free(l);
}

/* ---- the copy ------------------------------------------------------------ */

static int keep_endpoint(const struct smc_addr *key,
			 const struct smc_endpoint *v, void *arg)
{
	struct listing *l = arg;
	struct endpoint_row *row = array_push(l->endpoints, l->n_endpoints);

	if (!row)
		return -ENOMEM;
	*row = (struct endpoint_row){*key, *v};
	return 0;
}

static int keep_service(const struct smc_addr_port *key,
			const struct smc_service *v, void *arg)
{
	struct listing *l = arg;
	struct service_row *row = array_push(l->services, l->n_services);

	if (!row)
		return -ENOMEM;
	*row = (struct service_row){*key, *v};
	return 0;
}

static int keep_path(const struct smc_path_key *key, const struct smc_path *v,
		     void *arg)
{
	struct listing *l = arg;
	struct api_path *row = array_push(l->paths, l->n_paths);

	if (!row)
		return -ENOMEM;
	*row = (struct api_path){*key, *v, l->now};
	return 0;
}

/* ---- its rows ------------------------------------------------------------ */

static yyjson_mut_val *endpoint_json(yyjson_mut_doc *doc, size_t i, void *arg)
{
	static const struct endpoint_name nobody = {
		.node = "", .ns = "", .pod = "", .uid = ""};
	const struct listing *l = arg;
	const struct endpoint_row *row = &l->endpoints[i];
	const struct endpoint_name *name =
		agent_endpoint(l->agent, &row->key) ?: &nobody;
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	char text[ADDR_STRLEN];

	yyjson_mut_obj_add_strcpy(doc, o, "address",
				  addr_format(&row->key, text));
	yyjson_mut_obj_add_val(doc, o, "transports",
			       json_transports(doc, row->value.transports));
	yyjson_mut_obj_add_strcpy(doc, o, "node", name->node);
	yyjson_mut_obj_add_strcpy(doc, o, "namespace", name->ns);
	yyjson_mut_obj_add_strcpy(doc, o, "pod", name->pod);
	yyjson_mut_obj_add_strcpy(doc, o, "uid", name->uid);
	yyjson_mut_obj_add_uint(doc, o, "node_id", row->value.node_id);
	return yyjson_mut_obj_add_bool(doc, o, "answer_only",
				       row->value.flags &
					       SMC_ENDPOINT_ANSWER_ONLY)
		       ? o
		       : NULL;
}

static const char *stranger_text(const struct smc_addr *addr, char *text)
{
	static const struct smc_addr none;

	return addr_cmp(addr, &none) ? addr_format(addr, text) : "";
}

static yyjson_mut_val *service_json(yyjson_mut_doc *doc, size_t i, void *arg)
{
	static const struct service_name nobody = {
		.ns = "", .service = "", .pod = ""};
	const struct listing *l = arg;
	const struct service_row *row = &l->services[i];
	const struct service_name *name =
		agent_service(l->agent, &row->key) ?: &nobody;
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	struct smc_addr addr;
	char text[ADDR_STRLEN];

	memcpy(addr.ip, row->key.ip, sizeof(addr.ip));
	yyjson_mut_obj_add_strcpy(doc, o, "address", addr_format(&addr, text));
	yyjson_mut_obj_add_uint(doc, o, "port", row->key.port);
	yyjson_mut_obj_add_val(doc, o, "transports",
			       json_transports(doc, row->value.transports));
	yyjson_mut_obj_add_strcpy(doc, o, "namespace", name->ns);
	yyjson_mut_obj_add_strcpy(doc, o, "service", name->service);
	yyjson_mut_obj_add_strcpy(doc, o, "pod", name->pod);
	yyjson_mut_obj_add_str(doc, o, "why",
			       mesh_service_why_label(name->why));
	yyjson_mut_obj_add_strcpy(doc, o, "stranger",
				  stranger_text(&name->stranger, text));
	/* one lease for all; a row that offers nothing has none */
	api_add_left(doc, o, "expires_in_seconds",
		     row->value.transports ? l->left : 0);
	return o;
}

static yyjson_mut_val *path_json(yyjson_mut_doc *doc, size_t i, void *arg)
{
	const struct listing *l = arg;

	return api_path_json(l->agent, doc, &l->paths[i]);
}

void api_get_endpoints(struct MHD_Connection *request, struct http_reply *reply,
		       void *arg)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct api_list list = {.free = listing_free, .arg = l};
	struct agent *a = arg;
	int err;

	if (!l) {
		api_reply_failed(reply, -ENOMEM);
		return;
	}
	*l = (struct listing){
		.agent = a, .now = uv_hrtime(), .left = lease_left(a)};
	err = datapath_each_endpoint(a->dp, keep_endpoint, l)
		      ?: datapath_each_service(a->dp, keep_service, l)
		      ?: datapath_each_path(a->dp, keep_path, l);
	buf_printf(&list.begin, "{");
	list.array[0] =
		(struct api_array){"endpoints", l->n_endpoints, endpoint_json};
	list.array[1] =
		(struct api_array){"services", l->n_services, service_json};
	list.array[2] = (struct api_array){"paths", l->n_paths, path_json};
	api_reply_list(reply, &list, err);
}
