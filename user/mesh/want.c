// SPDX-License-Identifier: Apache-2.0
/*
 * Which pods of this node should be armed, as far as the world and the node
 * alone tell, before a look into the pod's namespace.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "mesh/draft.h"

/* Reasons of the pod come before reasons of the node: a user can change the
 * first. */
static enum smc_reason why_not(const struct mesh_world *w,
			       const struct mesh_host *host,
			       const struct mesh_pod *pod,
			       const struct mesh_says *says)
{
	if (pod->ended)
		return SMC_REASON_POD_ENDED;
	if (says->problem)
		return SMC_REASON_BAD_ANNOTATION;
	if (says->enabled != MESH_ON)
		return SMC_REASON_NOT_ANNOTATED;
	/* Its sockets are another's, who offers to anyone. */
	if (pod->other_product)
		return SMC_REASON_OTHER_PRODUCT;
	/* Clients would offer SMC to a guest's kernel. */
	if (pod->forwards)
		return SMC_REASON_FORWARDS;
	/* An exclusion without a row would not hold. */
	if (exclusion_rows(says) > SMC_PORT_SHARE)
		return SMC_REASON_POD_MAP_FULL;
	if (!mesh_enabled(&w->config))
		return SMC_REASON_MESH_OFF;
	if (!host->converter)
		return SMC_REASON_NO_CONVERTER;
	if (!host->selector)
		return SMC_REASON_NO_SELECTOR;
	if (pod->host_network && !host->cgroup2)
		return SMC_REASON_NO_CGROUP2;
	return SMC_REASON_NONE;
}

int want_in(const struct mesh_world *w, const struct mesh_host *host,
	    const struct spaces *spaces, struct mesh_wants *out)
{
	struct mesh_wants wants = {};
	struct mesh_want *want;

	for (size_t i = 0; i < w->n_pods; i++) {
		const struct mesh_pod *pod = &w->pods[i];

		if (strcmp(pod->node, host->node))
			continue;
		want = array_push(wants.v, wants.n);
		if (!want) {
			mesh_wants_free(&wants);
			return -ENOMEM;
		}
		want->pod = pod;
		want->says = spaces_says(spaces, pod);
		want->reason = why_not(w, host, pod, &want->says);
		want->arm = want->reason == SMC_REASON_NONE;
	}
	*out = wants;
	return 0;
}

int mesh_want(const struct mesh_world *w, const struct mesh_host *host,
	      struct mesh_wants *out)
{
	_cleanup_(spaces_free) struct spaces spaces = {};
	int err = spaces_make(w, &spaces);

	return err ?: want_in(w, host, &spaces, out);
}

void mesh_wants_free(struct mesh_wants *wants)
{
	free(wants->v);
	memset(wants, 0, sizeof(*wants));
}
