// SPDX-License-Identifier: Apache-2.0
/*
 * Our annotations, on a Pod or, as the default of its pods, on a Namespace. One
 * that is not understood becomes a sentence, shown with the pod.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects/objects.h"

#define ENABLED "smc.asm.alibabacloud.com/enabled"
#define ENABLED_ALIAS "smcmesh.io/enabled"
#define EXCLUDE_OUT "smcmesh.io/exclude-outbound-ports"
#define EXCLUDE_IN "smcmesh.io/exclude-inbound-ports"

/* Keep the first problem: one is enough to act on. */
int annotation_problem(const struct annotations *a, char **problem,
		       const char *key, const char *expected)
{
	char value[JSON_RENDER_MAX];

	if (*problem)
		return 0;
	if (asprintf(problem, "annotation %s%s is %s, expected %s", key, a->of,
		     json_render(yyjson_obj_get(a->val, key), value),
		     expected) < 0) {
		*problem = NULL;
		return -ENOMEM;
	}
	return 0;
}

const char *annotation(const struct annotations *a, const char *key, size_t max,
		       bool *said)
{
	yyjson_val *val = yyjson_obj_get(a->val, key);

	*said = val;
	return json_value_str(val, max);
}

static int read_switch(const struct annotations *a, const char *key,
		       struct mesh_default *out, enum mesh_switch *value)
{
	bool said;
	const char *text = annotation(a, key, SIZE_MAX, &said);

	out->said |= said;
	if (!said || (text && !mesh_switch_parse(text, value)))
		return 0;
	return annotation_problem(a, &out->problem, key,
				  "\"true\" or \"false\"");
}

/* The vendor's annotation wins over our alias. */
static int read_enabled(const struct json_object *o,
			const struct annotations *a, struct mesh_default *out)
{
	struct json_object ignored = json_with(o, "the second is ignored");
	enum mesh_switch first = MESH_UNSET, alias = MESH_UNSET;
	int err;

	err = read_switch(a, ENABLED, out, &first);
	err = err ?: read_switch(a, ENABLED_ALIAS, out, &alias);
	if (first != MESH_UNSET && alias != MESH_UNSET && first != alias)
		json_say(&ignored, "the annotations " ENABLED
				   " and " ENABLED_ALIAS " differ");
	out->enabled = first != MESH_UNSET ? first : alias;
	return err;
}

static int read_ports(const struct annotations *a, const char *key,
		      struct mesh_default *out)
{
	const char *text = annotation(a, key, SIZE_MAX, &out->said);
	char bad[32] = "", expected[160];
	int err;

	if (!out->said)
		return 0;
	err = text ? mesh_ranges_parse(text, &out->ports, bad) : -EINVAL;
	if (err == -E2BIG)
		snprintf(expected, sizeof(expected),
			 "at most %d ports and ranges", MESH_RANGES_MAX);
	else if (err == -EINVAL)
		snprintf(
			expected, sizeof(expected),
			"ports from 1 to 65535, or ranges of them (8000-8999), with commas between (not \"%s\")",
			bad);
	else
		return err;
	return annotation_problem(a, &out->problem, key,
				  text ? expected
				       : "a string of ports and commas");
}

int annotations_read(const struct json_object *o, const struct annotations *a,
		     struct mesh_default *enabled, struct mesh_default *in,
		     struct mesh_default *out)
{
	int err = read_enabled(o, a, enabled);

	err = err ?: read_ports(a, EXCLUDE_OUT, out);
	return err ?: read_ports(a, EXCLUDE_IN, in);
}

int decode_namespace(struct json_object *o, struct mesh_namespace *out)
{
	_cleanup_(mesh_namespace_free) struct mesh_namespace made = {};
	struct json_object with = json_with(o, "it is no default of its pods");
	struct annotations a = {.of = " of its Namespace"};
	const char *name = "";
	int err;

	o->consequence = "the Namespace is left out";
	if (get_name(o, "metadata.name", &name) < 0)
		return -EINVAL;
	err = text_set(&made.name, name);
	if (!err && json_obj(&with, "metadata.annotations", &a.val) > 0)
		err = annotations_read(o, &a, &made.enabled, &made.in,
				       &made.out);
	if (err)
		return err;
	*out = made;
	memset(&made, 0, sizeof(made));
	return 0;
}
