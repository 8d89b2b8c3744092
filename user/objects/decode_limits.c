// SPDX-License-Identifier: Apache-2.0
/*
 * Limits of what may be held of the kernel's SMC, and for how long: SmcMesh's
 * limits, lease and allowUnencrypted, and a pod's annotation that asks for
 * less.
 */
#include <errno.h>
#include <stdio.h>

#include "base/array.h"
#include "objects/objects.h"
#include "mesh/spec_limits.h"

#define LIMITS "smcmesh.io/limits"

static const char default_stays[] = "the default holds";

/* ---- SmcMesh ------------------------------------------------------------- */

/* Return: as json_uint(): *@out set, absent, or noted. */
static int read_limit(const struct json_object *limits, const char *name,
		      __u32 max, __u32 *out)
{
	yyjson_val *val = yyjson_obj_get(limits->val, name);
	char what[64], expected[64];

	if (!val || yyjson_is_null(val))
		return 0;
	if (yyjson_is_uint(val) && yyjson_get_uint(val) &&
	    yyjson_get_uint(val) <= max) {
		*out = yyjson_get_uint(val);
		return 1;
	}
	snprintf(what, sizeof(what), "spec.limits.%s", name);
	snprintf(expected, sizeof(expected), "a number from 1 to %u", max);
	json_note(limits, what, val, expected);
	return -EINVAL;
}

/* A pod never has more than its node: lowering only the node's bound lowers the
 * pods' with it, and the two must make sense together. */
static void read_pending(const struct json_object *limits,
			 struct mesh_limits *out)
{
	__u32 node = out->pending_node, pod = out->pending_pod;
	int got;

	if (read_limit(limits, "pendingPerNode", MESH_PENDING_MAX, &node) < 0)
		return;
	got = read_limit(limits, "pendingPerPod", MESH_PENDING_MAX, &pod);
	if (got > 0 && pod > node) {
		json_say(limits,
			 "spec.limits has pendingPerPod %u and pendingPerNode "
			 "%u, expected a pod's that is not above the node's",
			 pod, node);
		return;
	}
	out->pending_node = node;
	out->pending_pod = pod < node ? pod : node;
}

static void read_limits(const struct json_object *o, struct mesh_limits *out)
{
	struct json_object limits = json_with(o, default_stays);

	if (json_obj(&limits, "spec.limits", &limits.val) <= 0)
		return;
	read_pending(&limits, out);
	(void)!read_limit(&limits, "connectionsPerPod", MESH_CONNECTIONS_MAX,
			  &out->connections_pod);
	(void)!read_limit(&limits, "memoryPercent", MESH_MEMORY_PERCENT_MAX,
			  &out->memory_percent);
}

static void read_lease(const struct json_object *o, struct mesh_config *c)
{
	struct json_object with = json_with(o, default_stays);
	yyjson_val *spec, *val;
	const char *text;

	if (json_obj(&with, "spec", &spec) <= 0)
		return;
	val = yyjson_obj_get(spec, "lease");
	if (!val || yyjson_is_null(val))
		return;
	/* YAML's 0 is a number. */
	if (yyjson_is_uint(val) && !yyjson_get_uint(val)) {
		c->lease_s = 0;
		return;
	}
	text = json_value_str(val, JSON_STR_MAX);
	if (!text || mesh_lease_parse(text, &c->lease_s))
		json_note(&with, "spec.lease", val,
			  "0, which is no end, or from 15s to 24h (300s, 5m)");
}

void decode_mesh_limits(const struct json_object *o, struct mesh_config *out)
{
	struct json_object with = json_with(o, default_stays);

	read_limits(o, &out->limits);
	read_lease(o, out);
	(void)!json_bool(&with, "spec.allowUnencrypted",
			 &out->allow_unencrypted);
}

/* ---- Pod ----------------------------------------------------------------- */

int decode_pod_limits(const struct annotations *a, struct mesh_pod *pod)
{
	struct mesh_pod_limits limits = {};
	char bad[32] = "", expected[128];
	const char *text;
	bool said;

	text = annotation(a, LIMITS, JSON_STR_MAX, &said);
	if (!said)
		return 0;
	if (text && !mesh_pod_limits_parse(text, &limits, bad)) {
		pod->pending_max = limits.pending;
		pod->connections_max = limits.connections;
		return 0;
	}
	snprintf(expected, sizeof(expected),
		 "pending=N and connections=N, each once and N from 1 on, with "
		 "a comma between (not \"%s\")",
		 bad);
	return annotation_problem(a, &pod->problem, LIMITS,
				  text ? expected
				       : "a string like \"pending=64,"
					 "connections=200\"");
}
