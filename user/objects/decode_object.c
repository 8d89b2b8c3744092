// SPDX-License-Identifier: Apache-2.0
/* Decodes one object from the API, as decode.c does for each of a List. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects/decode.h"
#include "objects/objects.h"

static int decode_config(const struct kind_row *kind, struct json_object *o,
			 struct mesh_config *config)
{
	_buf_ struct buf name = {};
	int err = o->val ? object_begin(kind, o, &name) : 0;

	if (!err && o->val && !config_named_default(o))
		err = -EINVAL;
	if (err == -EINVAL)
		return err;
	kind->reset(config);
	if (!err && o->val)
		err = kind->decode(o, config);
	if (err)
		kind->reset(config);
	return err;
}

int kube_decode(enum kind kind, yyjson_val *val, void *out, struct buf *notes)
{
	const struct kind_row *row = &kinds[kind];
	struct json_object o = {.notes = notes, .val = val, .from_api = true};
	_buf_ struct buf name = {};
	int err;

	if (!row->size)
		return decode_config(row, &o, out);
	memset(out, 0, row->size);
	err = object_begin(row, &o, &name);
	return err ?: row->decode(&o, out);
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

/* ---- what only the agent that wrote it reads ------------------------------
 */

bool kube_decode_doctor(yyjson_val *val, struct mesh_wrong *out)
{
	yyjson_val *status = yyjson_obj_get(val, "status");
	yyjson_val *list = yyjson_obj_get(status, "doctor"), *id;
	const char *text;
	size_t i, n;

	if (!yyjson_is_arr(list))
		return false;
	*out = (struct mesh_wrong){};
	yyjson_arr_foreach (list, i, n, id) {
		text = json_value_str(id, MESH_WRONG_ID - 1);
		if (text)
			mesh_wrong_add(out, text, false);
	}
	return true;
}
