/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes Kubernetes objects from JSON to mesh types. Ignores unknown kinds and
 * fields; a known field of a wrong type is an error of that object only. */
#pragma once

#include <stddef.h>
#include <yyjson.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "mesh/smcnode_status.h"
#include "objects/kinds.h"

/*
 * kube_decode_list - A List (or one object alone) to a world.
 * @json:  text, need not be NUL-terminated; not kept.
 * @out:   initialised by the callee; the caller frees it.
 * @notes: gets one line for each object or value that was left out, with its
 *         name, the value and what was expected.
 * @error: gets one sentence if the text as a whole is unusable: for broken
 *         JSON with line and column.
 *
 * Return: 0 (also with notes), -EINVAL or -ENOMEM; *@out untouched then.
 */
int kube_decode_list(const char *json, size_t len, struct mesh_world *out,
		     struct buf *notes, struct buf *error);

/*
 * kube_decode - One object of the API, whole, to its mesh type. It ignores the
 * object's `kind`: the caller knows it. A Namespace may come as
 * PartialObjectMetadata.
 * @val:   the object.
 * @out:   a struct of the kind's mesh type, filled, to be freed by the caller;
 *         zeroed after an error.
 * @notes: as above; the lines name the object.
 *
 * Return: 0; -EINVAL: the object is not usable, which was noted, and counts as
 * missing (also if an earlier version was usable); -ENOMEM.
 *
 * It does not read a Pod's smcmesh.io/netns: only a file may name a path. A
 * Service or an EndpointSlice that is not understood is no error if there is a
 * safe result: no addresses, `broken`.
 *
 * SmcMesh and ASMMeshConfig: @out is a struct mesh_config, valid before and
 * after. Each writes its own fields and leaves the other's alone, so they may
 * come in any order. @val NULL: there is no such object (any more). -EINVAL: it
 * is also not the one named "default", which alone counts: @out is as before;
 * -ENOMEM: its fields have the defaults.
 */
must_check int kube_decode(enum kind kind, yyjson_val *val, void *out,
			   struct buf *notes);

/*
 * kube_decode_uid - metadata.uid of an object as text (this node's Node, whose
 * UID the ownerReference of its SmcNode has).
 * Return: 0 with *@uid to be freed; -EINVAL: none there; -ENOMEM.
 */
must_check int kube_decode_uid(const char *json, size_t len, char **uid);

/* kube_decode_doctor - What an SmcNode, @val, says of doctor's checks. Return:
 * does it say anything? If not @out is untouched. */
bool kube_decode_doctor(yyjson_val *val, struct mesh_wrong *out);

/* kube_decode_version - Likewise metadata.resourceVersion. */
must_check int kube_decode_version(const char *json, size_t len,
				   char **version);
