/* SPDX-License-Identifier: Apache-2.0 */
/* A look that keeps SMC's settings, too: in the pod's namespace, and of its
 * RDMA devices in the host's. */
#pragma once

#include "pods/pod.h"

/* pod_prepare - As netns_prepare() for @p. What is not as the SmcMesh wants it,
 * and what somebody else had changed, is logged. */
must_check int pod_prepare(const struct pod *p, const struct pod_how *how,
			   const struct netns_ref *ref,
			   const struct netns_sidecar *sidecar,
			   struct netns_facts *facts);
