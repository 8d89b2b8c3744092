/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Kubernetes object to its mesh type; only user/kube includes this.
 *
 * Return: 0; -EINVAL: the object is left out, which was noted, and *@out holds
 * nothing; -ENOMEM, likewise.
 */
#pragma once

#include "kube/json.h"
#include "mesh/model.h"

must_check int decode_pod(struct json_object *o, struct mesh_pod *out);
must_check int decode_node(struct json_object *o, struct mesh_node *out);

/* These two change only what the object says well; @out is valid before and
 * after. */
must_check int decode_mesh(struct json_object *o, struct mesh_config *out);
must_check int decode_asm(struct json_object *o, struct mesh_config *out);

/* set_str - A copy of @text instead of *@out. Return: 0 or -ENOMEM. */
must_check int set_str(char **out, const char *text);

/* set_uid - *@out: @uid, or "NS/NAME" where it is NULL. */
must_check int set_uid(char **out, const char *uid, const char *ns,
		       const char *name);

/* get_name - Like json_str() for a name that is printed, compared and used as a
 * label: at most 253 of A-Z a-z 0-9 . _ - : */
must_check int get_name(const struct json_object *o, const char *path,
			const char **out);
