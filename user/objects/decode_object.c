// SPDX-License-Identifier: Apache-2.0
/* One object as the API gives it: what decode.c does for each of a List. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects/decode.h"
#include "objects/objects.h"

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
		_buf_ struct buf text = {};                                 \
		struct json_object o;                                       \
		int err;                                                    \
                                                                            \
		memset(out, 0, sizeof(*out));                               \
		err = open_object(kind, namespaced, val, notes, &text, &o); \
		return err ?: decode_##type(&o, out);                       \
	}
DECODER(pod, "Pod", pod, true)
DECODER(smcnode, "SmcNode", node, false)
DECODER(namespace, "Namespace", namespace, false)
DECODER(service, "Service", service, true)
DECODER(slice, "EndpointSlice", slice, true)
#undef DECODER

/* ---- the configuration ----------------------------------------------------
 */

static int open_config(const char *kind, yyjson_val *val, struct buf *notes,
		       struct buf *text, struct json_object *o)
{
	int err = open_object(kind, false, val, notes, text, o);

	return err ?: config_named_default(o) ? 0 : -EINVAL;
}

int kube_decode_smcmesh(yyjson_val *val, struct mesh_config *config,
			struct buf *notes)
{
	_buf_ struct buf text = {};
	struct json_object o;
	int err = 0;

	if (val)
		err = open_config("SmcMesh", val, notes, &text, &o);
	if (err == -EINVAL)
		return err;
	config_reset_mesh(config);
	if (val && !err)
		err = decode_mesh(&o, config);
	if (err)
		config_reset_mesh(config);
	return err;
}

int kube_decode_asmmeshconfig(yyjson_val *val, struct mesh_config *config,
			      struct buf *notes)
{
	_buf_ struct buf text = {};
	struct json_object o;
	int err = 0;

	if (val)
		err = open_config("ASMMeshConfig", val, notes, &text, &o);
	if (err == -EINVAL)
		return err;
	config->asm_enabled = MESH_UNSET;
	return val && !err ? decode_asm(&o, config) : err;
}

/* ---- metadata alone -------------------------------------------------------
 */

static int read_meta(const char *json, size_t len, const char *key, char **out)
{
	_doc_ yyjson_doc *doc = yyjson_read(json, len, 0);
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
