/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Kubernetes object to its mesh type; only user/objects/ includes this.
 *
 * Return: 0; -EINVAL: the object is left out, which was noted, and *@out holds
 * nothing; -ENOMEM, likewise.
 */
#pragma once

#include "base/text.h"
#include "objects/json.h"
#include "objects/kinds.h"

must_check int decode_pod(struct json_object *o, struct mesh_pod *out);
must_check int decode_node(struct json_object *o, struct mesh_node *out);
must_check int decode_namespace(struct json_object *o,
				struct mesh_namespace *out);
must_check int decode_service(struct json_object *o, struct mesh_service *out);
must_check int decode_slice(struct json_object *o, struct mesh_slice *out);

/* These two change only the valid fields of the object; @out is valid before
 * and after. */
must_check int decode_mesh(struct json_object *o, struct mesh_config *out);
must_check int decode_asm(struct json_object *o, struct mesh_config *out);

/* config_named_default - Is it the one that counts? If not, note that. */
bool config_named_default(const struct json_object *o);

/* config_reset_mesh, config_reset_asm - Set its part to the defaults; the
 * other's stays. */
void config_reset_mesh(struct mesh_config *c);
void config_reset_asm(struct mesh_config *c);

/* ---- fields.c ------------------------------------------------------------ */

/* set_uid - *@out: @uid, or "NS/NAME" where it is NULL. */
must_check int set_uid(char **out, const char *uid, const char *ns,
		       const char *name);

/* get_name - Like json_str() for a name that is printed, compared and used as a
 * label: at most 253 of A-Z a-z 0-9 . _ - : */
must_check int get_name(const struct json_object *o, const char *path,
			const char **out);

/* object_label, object_annotation - The value of one, or NULL: there is none.
 * (A path of json.h cannot name a key with dots.) If the labels, or
 * annotations, are no object this notes that, and there is none. */
yyjson_val *object_label(const struct json_object *o, const char *key);
yyjson_val *object_annotation(const struct json_object *o, const char *key);

/*
 * object_begin - Check that an object of @kind has a name, before it is
 * decoded.
 * @o: its `val`, and in `index` its place in its list; gets its name for notes,
 * which @text owns: "Pod default/web-0".
 * Return: 0; -EINVAL: noted; -ENOMEM.
 */
must_check int object_begin(const struct kind_row *kind, struct json_object *o,
			    struct buf *text);

/* ---- decode_once.c ------------------------------------------------------- */

/* world_once - Keep each object of @w once: of two the later, with a note.
 * Return: 0 or -ENOMEM. */
must_check int world_once(struct mesh_world *w, struct buf *notes);

/* ---- decode_annotations.c ------------------------------------------------ */

struct annotations {
	yyjson_val *val; /* metadata.annotations, an object */
	const char *of;	 /* "" or " of its Namespace", for sentences */
};

/* annotation - The text of one, NULL if it is no string, or longer than @max.
 * *@said: is there one at all? */
const char *annotation(const struct annotations *a, const char *key, size_t max,
		       bool *said);

/* annotation_problem - Unless *@problem is set, make it say that @key has its
 * value and not the expected one. Return: 0 or -ENOMEM. */
must_check int annotation_problem(const struct annotations *a, char **problem,
				  const char *key, const char *expected);

/* annotations_read - Read those that Pods and Namespaces have in common.
 * `problem` names what is not understood. Return: 0; or -ENOMEM: the caller
 * must free what was read so far. */
must_check int annotations_read(const struct json_object *o,
				const struct annotations *a,
				struct mesh_default *enabled,
				struct mesh_default *in,
				struct mesh_default *out);

/* ---- decode_ends.c ------------------------------------------------------- */

/* decode_ends - Find where connections to a pod end, by its object:
 * pod->forwards and pod->host_ports. After pod->host_network was read. Return:
 * 0, -EINVAL noted, or -ENOMEM. */
must_check int decode_ends(const struct json_object *o, struct mesh_pod *pod);

/* ---- decode_containers.c ------------------------------------------------- */

/*
 * decode_containers - The containers that last, their owners, and the one that
 * seems to be a proxy. pod->host_network must be known.
 * Return: 0, -ENOMEM, or -EINVAL, noted: something is not understood.
 */
must_check int decode_containers(const struct json_object *o,
				 struct mesh_pod *pod);

/* ---- decode_limits.c ----------------------------------------------------- */

/* decode_mesh_limits - SmcMesh's limits, lease and allowUnencrypted; invalid
 * fields change nothing. */
void decode_mesh_limits(const struct json_object *o, struct mesh_config *out);

/* decode_pod_limits - A pod's annotation that asks for less; if it is not
 * understood it becomes the pod's `problem`. Return: 0 or -ENOMEM. */
must_check int decode_pod_limits(const struct annotations *a,
				 struct mesh_pod *pod);

/* ---- decode_settings.c --------------------------------------------------- */

/* decode_mesh_settings - SmcMesh's sysctls and pnet; what is invalid is noted
 * and left alone. */
void decode_mesh_settings(const struct json_object *o, struct mesh_config *out);

/* decode_other_product - Is it annotated for another product's SMC? */
void decode_other_product(const struct annotations *a, struct mesh_pod *pod);
