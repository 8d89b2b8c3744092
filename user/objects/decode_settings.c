// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's settings of SMC: SmcMesh's sysctls and pnet; and the annotation
 * by which another product makes them for a pod.
 */
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "objects/objects.h"

/* The erdma-controller's, which sets tcp2smc and a PNET id in the pod. */
#define ERDMA_SMCR "network.alibabacloud.com/erdma-smcr"

static const char left_alone[] = "it is left as the kernel has it";

/* ---- SmcMesh ------------------------------------------------------------- */

static const char *names_of_all(char text[128])
{
	size_t len = 0;

	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		len += snprintf(text + len, 128 - len, "%s%s", i ? ", " : "",
				mesh_sysctls[i].name);
	return text;
}

static void read_sysctl(const struct json_object *o, const char *name,
			yyjson_val *val, struct mesh_settings *out)
{
	char what[96], expected[192], names[128];

	snprintf(what, sizeof(what), "spec.sysctls.%.64s", name);
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++) {
		const struct mesh_sysctl_row *row = &mesh_sysctls[i];

		if (strcmp(row->name, name) != 0)
			continue;
		if (yyjson_is_null(val))
			return;
		if (yyjson_is_uint(val) && yyjson_get_uint(val) >= row->least &&
		    yyjson_get_uint(val) <= row->most) {
			out->sysctl[i] = yyjson_get_uint(val);
			return;
		}
		snprintf(expected, sizeof(expected), "a number from %u to %u",
			 row->least, row->most);
		json_note(o, what, val, expected);
		return;
	}
	snprintf(expected, sizeof(expected), "none but %s",
		 names_of_all(names));
	json_note(o, what, val, expected);
}

static void read_pnet(const struct json_object *o, struct mesh_settings *out)
{
	struct json_object with = json_with(o, "the default holds");
	const char *text;
	yyjson_val *spec;

	if (json_str(&with, "spec.pnet", &text) <= 0 || !strcmp(text, "auto"))
		return;
	out->no_pnet = !strcmp(text, "off");
	if (!out->no_pnet && json_obj(&with, "spec", &spec) > 0)
		json_note(&with, "spec.pnet", yyjson_obj_get(spec, "pnet"),
			  "auto or off");
}

void decode_mesh_settings(const struct json_object *o, struct mesh_config *out)
{
	struct json_object with = json_with(o, left_alone);
	yyjson_val *sysctls, *key, *val;
	size_t i, n;

	read_pnet(o, &out->settings);
	if (json_obj(&with, "spec.sysctls", &sysctls) <= 0)
		return;
	yyjson_obj_foreach (sysctls, i, n, key, val)
		read_sysctl(&with, yyjson_get_str(key), val, &out->settings);
}

/* ---- Pod ----------------------------------------------------------------- */

/* What its own program takes for true (Go's strconv.ParseBool()). */
void decode_other_product(const struct annotations *a, struct mesh_pod *pod)
{
	static const char *const yes[] = {"true", "TRUE", "True",
					  "t",	  "T",	  "1"};
	bool said;
	const char *text = annotation(a, ERDMA_SMCR, JSON_STR_MAX, &said);

	for (size_t i = 0; text && i < array_size(yes); i++)
		pod->other_product |= !strcmp(text, yes[i]);
}
