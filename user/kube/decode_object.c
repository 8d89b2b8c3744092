// SPDX-License-Identifier: Apache-2.0
/* One object as the API gives it: what decode.c does for each of a List. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/decode.h"
#include "kube/objects.h"

/* An object with a name. @text: owns what o->name is. */
static int open_object(const char *kind, bool namespaced, yyjson_val *val,
		       struct buf *notes, struct buf *text,
		       struct json_object *o)
{
	const char *name;
	int got;

	if (object_name(kind, namespaced, val, 0, text))
		return -ENOMEM;
	*o = (struct json_object){.notes = notes,
				  .val = val,
				  .name = text->data,
				  .consequence = "it is left out",
				  .from_api = true};
	if (!yyjson_is_obj(val)) {
		json_note(o, "", val, "an object");
		return -EINVAL;
	}
	got = get_name(o, "metadata.name", &name);
	if (!got)
		json_note(o, "metadata.name", NULL, "a name");
	return got > 0 ? 0 : -EINVAL;
}

/* kube_decode_NAME(), see decode.h. */
#define DECODER(name, kind, type, namespaced)                               \
	int kube_decode_##name(yyjson_val *val, struct mesh_##type *out,    \
			       struct buf *notes)                           \
	{                                                                   \
		_buf_ struct buf text = {0};                                \
		struct json_object o;                                       \
		int err;                                                    \
                                                                            \
		memset(out, 0, sizeof(*out));                               \
		err = open_object(kind, namespaced, val, notes, &text, &o); \
		return err ? err : decode_##type(&o, out);                  \
	}
DECODER(pod, "Pod", pod, true)
DECODER(smcnode, "SmcNode", node, false)
DECODER(namespace, "Namespace", namespace, false)
DECODER(service, "Service", service, true)
DECODER(slice, "EndpointSlice", slice, true)
#undef DECODER

/* ---- the configuration ----------------------------------------------------
 */

static int is_default(struct json_object *o)
{
	const char *name = "";

	if (json_str(o, "metadata.name", &name) > 0 && !strcmp(name, "default"))
		return 0;
	json_say(o, "only the one named default is read");
	return -EINVAL;
}

static void reset_mesh(struct mesh_config *config)
{
	enum mesh_switch asm_enabled = config->asm_enabled;

	mesh_config_reset(config);
	config->asm_enabled = asm_enabled;
}

int kube_decode_smcmesh(yyjson_val *val, struct mesh_config *config,
			struct buf *notes)
{
	_buf_ struct buf text = {0};
	struct json_object o;
	int err = 0;

	if (val) {
		err = open_object("SmcMesh", false, val, notes, &text, &o);
		if (!err)
			err = is_default(&o);
	}
	if (err == -EINVAL)
		return err;
	reset_mesh(config);
	if (val && !err)
		err = decode_mesh(&o, config);
	if (err)
		reset_mesh(config);
	return err;
}

int kube_decode_asmmeshconfig(yyjson_val *val, struct mesh_config *config,
			      struct buf *notes)
{
	_buf_ struct buf text = {0};
	struct json_object o;
	int err = 0;

	if (val) {
		err = open_object("ASMMeshConfig", false, val, notes, &text,
				  &o);
		if (!err)
			err = is_default(&o);
	}
	if (err == -EINVAL)
		return err;
	config->asm_enabled = MESH_UNSET;
	return val && !err ? decode_asm(&o, config) : err;
}

/* ---- metadata alone -------------------------------------------------------
 */

static void doc_free(yyjson_doc **doc)
{
	yyjson_doc_free(*doc);
}

static int read_meta(const char *json, size_t len, const char *key, char **out)
{
	_cleanup_(doc_free) yyjson_doc *doc = yyjson_read(json, len, 0);
	yyjson_val *meta = yyjson_obj_get(yyjson_doc_get_root(doc), "metadata");
	const char *text = json_value_str(yyjson_obj_get(meta, key), 253);

	if (!text || !*text)
		return -EINVAL;
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

int kube_decode_uid(const char *json, size_t len, char **uid)
{
	return read_meta(json, len, "uid", uid);
}

int kube_decode_version(const char *json, size_t len, char **version)
{
	return read_meta(json, len, "resourceVersion", version);
}
