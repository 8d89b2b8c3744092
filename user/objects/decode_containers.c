// SPDX-License-Identifier: Apache-2.0
/*
 * The containers of a Pod: their users and groups, as far as the API has them,
 * and which of them looks like a mesh's proxy.
 */
#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "objects/objects.h"

/* The names that injectors give their proxy, and its default user. */
static const struct {
	const char *name;
	__u32 uid;
} proxies[] = {
	{"istio-proxy", MESH_DEFAULT_PROXY_UID},
	{"linkerd-proxy", 2102},
	{"kuma-sidecar", 5678},
	{"consul-dataplane", 5995},
};

/* @id: a user or a group; untouched if the field is missing. */
static int read_id(const struct json_object *o, const char *path, __u32 *id)
{
	unsigned long number;
	int got = json_uint(o, path, SMC_ID_ANY - 1, &number);

	if (got > 0)
		*id = number;
	return got < 0 ? got : 0;
}

/* Does the container last? A native sidecar is an init container that never
 * ends. Return: 1, 0, -EINVAL. */
static int stays(const struct json_object *container, bool init)
{
	const char *restart = "";

	if (!init)
		return 1;
	if (json_str(container, "restartPolicy", &restart) < 0)
		return -EINVAL;
	return !strcmp(restart, "Always");
}

/* The first one is the proxy. */
static void note_proxy(const struct mesh_container *c, struct mesh_pod *pod)
{
	for (size_t i = 0; !pod->sidecar && i < array_size(proxies); i++) {
		if (strcmp(c->name, proxies[i].name))
			continue;
		pod->sidecar = true;
		pod->proxy = (struct smc_owner){
			.uid = c->uid == SMC_ID_ANY ? proxies[i].uid : c->uid,
			.gid = c->gid,
		};
	}
}

/* @pods: the pod's defaults for its containers. */
static int add_container(const struct json_object *o, bool init,
			 struct smc_owner pods, struct mesh_pod *pod)
{
	struct mesh_container *slot;
	const char *name = "";
	int got = stays(o, init);

	if (got <= 0)
		return got;
	if (json_str(o, "name", &name) < 0 ||
	    read_id(o, "securityContext.runAsUser", &pods.uid) ||
	    read_id(o, "securityContext.runAsGroup", &pods.gid))
		return -EINVAL;
	slot = array_push(pod->containers, pod->n_containers);
	if (!slot)
		return -ENOMEM;
	slot->uid = pods.uid;
	slot->gid = pods.gid;
	slot->name = strdup(name);
	return slot->name ? 0 : -ENOMEM;
}

static int read_list(const struct json_object *o, const char *path, bool init,
		     struct smc_owner pods, struct mesh_pod *pod)
{
	yyjson_val *containers, *val;
	size_t i, n;
	int err = json_arr(o, path, &containers);

	if (err <= 0)
		return err;
	yyjson_arr_foreach (containers, i, n, val) {
		struct json_object c =
			json_element(o, path, i, val, o->consequence);

		if (!yyjson_is_obj(val)) {
			json_note(&c, "", val, "an object");
			return -EINVAL;
		}
		err = add_container(&c, init, pods, pod);
		if (err)
			return err;
	}
	return 0;
}

int decode_containers(const struct json_object *o, struct mesh_pod *pod)
{
	struct smc_owner pods = {SMC_ID_ANY, SMC_ID_ANY};
	int err = read_id(o, "spec.securityContext.runAsUser", &pods.uid)
			  ?: read_id(o, "spec.securityContext.runAsGroup",
				     &pods.gid);

	err = err ?: read_list(o, "spec.initContainers", true, pods, pod);
	err = err ?: read_list(o, "spec.containers", false, pods, pod);
	/* A hostNetwork pod has no redirect: a container of that name (a
	 * gateway) is then a program like any other. */
	for (size_t i = 0; !err && !pod->host_network && i < pod->n_containers;
	     i++)
		note_proxy(&pod->containers[i], pod);
	return err;
}
