// SPDX-License-Identifier: Apache-2.0
#include "source/kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "objects/decode.h"

const struct kind_text kinds[KINDS] = {
	[KIND_POD] =
		{
			.path = "/api/v1/pods",
			.what = "pods",
			.eager = true,
			.size = sizeof(struct mesh_pod),
		},
	[KIND_NAMESPACE] =
		{
			.path = "/api/v1/namespaces",
			.what = "namespaces",
			.metadata_only = true,
			.size = sizeof(struct mesh_namespace),
		},
	[KIND_SMCMESH] =
		{
			.path = "/apis/smcmesh.io/v1alpha1/smcmeshes",
			.what = "smcmeshes.smcmesh.io",
			.optional = true,
			.eager = true,
		},
	[KIND_ASM] =
		{
			.path = "/apis/istio.alibabacloud.com/v1beta1/asmmeshconfigs",
			.what = "asmmeshconfigs.istio.alibabacloud.com",
			.optional = true,
		},
	[KIND_SMCNODE] =
		{
			.path = "/apis/smcmesh.io/v1alpha1/smcnodes",
			.what = "smcnodes.smcmesh.io",
			.optional = true,
			.size = sizeof(struct mesh_node),
		},
	[KIND_SERVICE] =
		{
			.path = "/api/v1/services",
			.what = "services",
			.size = sizeof(struct mesh_service),
		},
	[KIND_SLICE] =
		{
			.path = "/apis/discovery.k8s.io/v1/endpointslices",
			.what = "endpointslices.discovery.k8s.io",
			/* As kube-proxy asks. No ClusterIP leads to those of
			 * headless Services and of other proxies; Services are
			 * all asked for, since they hold addresses and ports.
			 */
			.labels =
				"!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name",
			.size = sizeof(struct mesh_slice),
		},
};

static int decode(struct held *h, yyjson_val *val, struct mesh_config *config)
{
	switch (h->kind) {
	case KIND_POD:
		return kube_decode_pod(val, &h->pod, &h->notes);
	case KIND_NAMESPACE:
		return kube_decode_namespace(val, &h->space, &h->notes);
	case KIND_SMCMESH:
		return kube_decode_smcmesh(val, config, &h->notes);
	case KIND_ASM:
		return kube_decode_asmmeshconfig(val, config, &h->notes);
	case KIND_SMCNODE:
		return kube_decode_smcnode(val, &h->node, &h->notes);
	case KIND_SERVICE:
		return kube_decode_service(val, &h->service, &h->notes);
	case KIND_SLICE:
		return kube_decode_slice(val, &h->slice, &h->notes);
	default:
		return -EINVAL;
	}
}

struct held *held_make(enum kind kind, yyjson_val *val,
		       struct mesh_config *config)
{
	struct held *h = calloc(1, sizeof(*h));
	int err = -ENOMEM;

	if (h) {
		h->kind = kind;
		err = decode(h, val, config);
	}
	if (err && err != -EINVAL) {
		log_err(err, "read one of the %s", kinds[kind].what);
		free(h);
		return NULL;
	}
	h->valid = !err;
	return h;
}

void held_free(struct held *h)
{
	if (!h)
		return;
	buf_free(&h->notes);
	switch (h->valid ? h->kind : KINDS) {
	case KIND_POD:
		mesh_pod_free(&h->pod);
		break;
	case KIND_NAMESPACE:
		mesh_namespace_free(&h->space);
		break;
	case KIND_SMCNODE:
		mesh_node_free(&h->node);
		break;
	case KIND_SERVICE:
		mesh_service_free(&h->service);
		break;
	case KIND_SLICE:
		mesh_slice_free(&h->slice);
		break;
	default:
		break;
	}
	free(h);
}

void config_gone(enum kind kind, struct mesh_config *config)
{
	_buf_ struct buf notes = {};
	int err = kind == KIND_SMCMESH
			  ? kube_decode_smcmesh(NULL, config, &notes)
			  : kube_decode_asmmeshconfig(NULL, config, &notes);

	if (err)
		log_err(err, "forget the %s", kinds[kind].what);
}

int config_copy(const struct mesh_config *c, struct mesh_config *out)
{
	size_t size = c->n_exclude_cidrs * sizeof(*c->exclude_cidrs);

	*out = *c;
	out->exclude_cidrs = NULL;
	out->exclude_ports = (struct mesh_ranges){};
	if (mesh_ranges_set(&out->exclude_ports, c->exclude_ports.v,
			    c->exclude_ports.n))
		return -ENOMEM;
	if (!size)
		return 0;
	out->exclude_cidrs = malloc(size);
	if (!out->exclude_cidrs) {
		free(take_ptr(out->exclude_ports.v));
		return -ENOMEM;
	}
	memcpy(out->exclude_cidrs, c->exclude_cidrs, size);
	return 0;
}

void world_set(struct mesh_world *w, enum kind kind, void *v, size_t n)
{
	switch (kind) {
	case KIND_POD:
		w->pods = v;
		w->n_pods = n;
		break;
	case KIND_NAMESPACE:
		w->namespaces = v;
		w->n_namespaces = n;
		break;
	case KIND_SMCNODE:
		w->nodes = v;
		w->n_nodes = n;
		break;
	case KIND_SERVICE:
		w->services = v;
		w->n_services = n;
		break;
	case KIND_SLICE:
		w->slices = v;
		w->n_slices = n;
		break;
	default:
		break;
	}
}
