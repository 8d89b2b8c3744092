/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <yyjson.h>
#include "base/cleanup.h"
#include "node/place.h"

/*
 * pod_space - The network namespace of a pod of this node, armed or not: the
 * agent says which pod that is, its processes say where.
 * @run: the agent's directory. @proc: where the host's processes are seen.
 * @pod: "NAMESPACE/POD" (pod_name_ok()).
 * @out: close with place_close().
 * Return: 0, or a negative errno, which was said on stderr.
 */
must_check int pod_space(const char *run, const char *proc, const char *pod,
			 struct place *out);

/*
 * pod_ask - What the agent of @run knows of a pod of this node.
 * @pod: gets its object of /v1/pods, a part of *@doc, which the caller frees.
 * Return: 0, or a negative errno, which was said on stderr.
 */
must_check int pod_ask(const char *run, const char *name, yyjson_doc **doc,
		       yyjson_val **pod);

/* pod_space_of - As pod_space(), of a pod of pod_ask(). */
must_check int pod_space_of(const char *proc, const char *name, yyjson_val *pod,
			    struct place *out);
