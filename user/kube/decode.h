/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes objects, as JSON, to mesh types. Unknown kinds and fields are
 * ignored; a known field of a wrong type is an error of that object only. */
#pragma once

#include <stddef.h>
#include "base/buf.h"
#include "mesh/model.h"

/*
 * kube_decode_list - A List (or one object alone) to a world.
 * @json:  text, need not be NUL-terminated; not kept.
 * @out:   initialised by the callee; the caller frees it.
 * @notes: gets one line for each object or value that was left out, naming
 *         it, the value and what was expected.
 * @error: gets one sentence if the text as a whole is unusable: for broken
 *         JSON with line and column.
 *
 * Return: 0 (also with notes), -EINVAL or -ENOMEM; *@out untouched then.
 */
int kube_decode_list(const char *json, size_t len, struct mesh_world *out,
		     struct buf *notes, struct buf *error);
