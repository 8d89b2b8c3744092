// SPDX-License-Identifier: Apache-2.0
#include "objects/kinds.h"

#include <stddef.h>
#include <string.h>

#include "objects/objects.h"

/* A type's functions with the untyped arguments that rows need. */
#define ANY(type)                                                \
	static int read_##type(struct json_object *o, void *out) \
	{                                                        \
		return decode_##type(o, out);                    \
	}
#define ANY_OBJECT(type)                      \
	ANY(type)                             \
	static void free_##type(void *object) \
	{                                     \
		mesh_##type##_free(object);   \
	}
ANY_OBJECT(pod)
ANY_OBJECT(namespace)
ANY_OBJECT(node)
ANY_OBJECT(service)
ANY_OBJECT(slice)
ANY(mesh)
ANY(asm)

#define CORE(plural) .group = "", .path = "/api/v1/" plural, .what = plural
#define API(group_, version, plural)                                     \
	.group = group_, .path = "/apis/" group_ "/" version "/" plural, \
	.what = plural "." group_

#define OBJECT(type, array_)                                                  \
	.size = sizeof(struct mesh_##type),                                   \
	.array = offsetof(struct mesh_world, array_),                         \
	.n = offsetof(struct mesh_world, n_##array_),                         \
	.name_at = offsetof(struct mesh_##type, name), .decode = read_##type, \
	.free = free_##type
#define NAMESPACED(type, array_)                                       \
	.namespaced = true, .ns_at = offsetof(struct mesh_##type, ns), \
	OBJECT(type, array_)
#define CONFIG(type) .decode = read_##type, .reset = config_reset_##type

const struct kind_row kinds[KINDS] = {
	[KIND_POD] =
		{
			.name = "Pod",
			CORE("pods"),
			.eager = true,
			NAMESPACED(pod, pods),
			.uid_at = offsetof(struct mesh_pod, uid),
		},
	[KIND_NAMESPACE] =
		{
			.name = "Namespace",
			CORE("namespaces"),
			.metadata_only = true,
			OBJECT(namespace, namespaces),
		},
	[KIND_SMCMESH] =
		{
			.name = "SmcMesh",
			API("smcmesh.io", "v1alpha1", "smcmeshes"),
			.optional = true,
			.eager = true,
			CONFIG(mesh),
		},
	[KIND_ASM] =
		{
			.name = "ASMMeshConfig",
			API("istio.alibabacloud.com", "v1beta1",
			    "asmmeshconfigs"),
			.optional = true,
			CONFIG(asm),
		},
	[KIND_SMCNODE] =
		{
			.name = "SmcNode",
			API("smcmesh.io", "v1alpha1", "smcnodes"),
			.optional = true,
			.peers = true,
			OBJECT(node, nodes),
		},
	[KIND_SERVICE] =
		{
			.name = "Service",
			CORE("services"),
			.peers = true,
			NAMESPACED(service, services),
		},
	[KIND_SLICE] =
		{
			.name = "EndpointSlice",
			API("discovery.k8s.io", "v1", "endpointslices"),
			/* The selector of kube-proxy. No ClusterIP leads to
			 * headless Services and to those of other proxies. But
			 * we need all Services, since they hold addresses and
			 * ports. */
			.labels =
				"!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name",
			.peers = true,
			NAMESPACED(slice, slices),
		},
};

/* Pointers of any type are copied as bytes: code must read a pointer as its own
 * type. */
void *kind_array(const struct mesh_world *w, enum kind kind, size_t *n)
{
	const char *base = (const char *)w;
	void *v;

	memcpy(&v, base + kinds[kind].array, sizeof(v));
	memcpy(n, base + kinds[kind].n, sizeof(*n));
	return v;
}

void kind_array_set(struct mesh_world *w, enum kind kind, void *v, size_t n)
{
	char *base = (char *)w;

	if (!kinds[kind].size)
		return;
	memcpy(base + kinds[kind].array, &v, sizeof(v));
	memcpy(base + kinds[kind].n, &n, sizeof(n));
}
