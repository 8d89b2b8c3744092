/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

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
