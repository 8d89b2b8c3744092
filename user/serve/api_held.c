// SPDX-License-Identifier: Apache-2.0
/* What pods hold of what all share in the kernel's SMC, and the limits. */
#include "serve/api.h"
#include "pods/known.h"

int api_limits(const struct agent *a, struct smc_limits *out)
{
	struct smc_config config = {};
	int err = datapath_config(a->dp, &config);

	*out = config.limits;
	return err == -ENOENT ? 0 : err; /* nothing is possible here */
}

/* How many sockets became plain TCP, or were refused, by the pending limit. */
static int add_rationed(const struct agent *a, __u32 slot, yyjson_mut_doc *doc,
			yyjson_mut_val *o)
{
	__u64 n;
	int err = datapath_rationed(a->dp, slot, &n);

	if (!err)
		yyjson_mut_obj_add_uint(doc, o, "rationed", n);
	return err;
}

int api_add_held_node(const struct agent *a, yyjson_mut_doc *doc,
		      yyjson_mut_val *to)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	struct smc_usage usage, strangers;
	struct smc_limits limits;
	int err = api_limits(a, &limits)
			  ?: datapath_usage(a->dp, SMC_SLOT_NODE, &usage)
			  ?: datapath_usage(a->dp, SMC_SLOT_STRANGERS,
					    &strangers)
			  ?: add_rationed(a, SMC_SLOT_NODE, doc, o);

	if (err)
		return err;
	yyjson_mut_obj_add_bool(doc, o, "rations", datapath_rations(a->dp));
	yyjson_mut_obj_add_uint(doc, o, "pending", usage.pending);
	yyjson_mut_obj_add_uint(doc, o, "pending_max", limits.pending_node);
	yyjson_mut_obj_add_uint(doc, o, "strangers_pending", strangers.pending);
	yyjson_mut_obj_add_uint(doc, o, "strangers_pending_max",
				SMC_PENDING_STRANGERS);
	yyjson_mut_obj_add_uint(doc, o, "connections", usage.connections);
	yyjson_mut_obj_add_uint(doc, o, "connections_max", limits.buffers_node);
	yyjson_mut_obj_add_uint(doc, o, "buffer_bytes", usage.bytes);
	yyjson_mut_obj_add_uint(doc, o, "buffer_bytes_max", limits.bytes_node);
	yyjson_mut_obj_add_uint(doc, o, "buffer_bytes_beside",
				a->host.buffers_beside);
	yyjson_mut_obj_add_val(doc, to, "held", o);
	return 0;
}

static __u32 lower_of(__u32 mesh, __u32 own)
{
	return own && own < mesh ? own : mesh;
}

int api_add_held_pod(const struct agent *a, const struct smc_limits *limits,
		     const struct pod *p, yyjson_mut_doc *doc,
		     yyjson_mut_val *to)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	struct smc_usage usage;
	int err;

	if (!p->id)
		return 0;
	err = datapath_usage(a->dp, smc_slot(p->id), &usage)
		      ?: add_rationed(a, smc_slot(p->id), doc, o);
	if (err)
		return err;
	yyjson_mut_obj_add_uint(doc, o, "pending", usage.pending);
	yyjson_mut_obj_add_uint(
		doc, o, "pending_max",
		lower_of(limits->pending_pod, usage.pending_max));
	yyjson_mut_obj_add_uint(doc, o, "connections", usage.connections);
	yyjson_mut_obj_add_uint(
		doc, o, "connections_max",
		lower_of(limits->connections_pod, usage.connections_max));
	yyjson_mut_obj_add_uint(doc, o, "buffer_bytes", usage.bytes);
	yyjson_mut_obj_add_val(doc, to, "held", o);
	return 0;
}
