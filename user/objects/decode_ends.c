// SPDX-License-Identifier: Apache-2.0
/*
 * Where connections to a Pod end, as far as its object says.
 *
 * - Some pods forward their TCP: a virtual machine's ends in its guest, whose
 *   kernel knows nothing of ours. The object tells two kinds: KubeVirt's, by
 *   the label by which its controller finds them; and those of a runtime that
 *   needs memory beside the containers (spec.overhead, which the API server
 *   fills in from the RuntimeClass, and refuses from anybody else): for a
 *   guest's kernel (Kata), or a network stack in user space (gVisor). Looks
 *   into the pod's namespace find the others (user/node/forwards.h).
 * - The network plugin takes a hostPort from the node, whatever program listens
 *   there.
 */
#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "objects/objects.h"

#define LABEL_KUBEVIRT "kubevirt.io"
#define KUBEVIRT_POD "virt-launcher"

static int read_forwards(const struct json_object *o, struct mesh_pod *pod)
{
	const char *label =
		json_value_str(object_label(o, LABEL_KUBEVIRT), JSON_STR_MAX);
	const char *runtime = "";
	yyjson_val *overhead = NULL;

	pod->forwards = label && !strcmp(label, KUBEVIRT_POD);
	if (json_str(o, "spec.runtimeClassName", &runtime) < 0 ||
	    json_obj(o, "spec.overhead", &overhead) < 0)
		return -EINVAL;
	pod->forwards |= *runtime && yyjson_obj_size(overhead);
	return 0;
}

/* ---- hostPorts ------------------------------------------------------------
 */

struct port_list {
	__u16 *v;
	size_t n;
};

static void port_list_free(struct port_list *p)
{
	free(p->v);
}

/* An invalid port number takes no port; a port at one address of the node
 * counts for all of them. */
static int add_ports(yyjson_val *container, struct port_list *out)
{
	yyjson_val *port;
	size_t i, n;

	yyjson_arr_foreach (yyjson_obj_get(container, "ports"), i, n, port) {
		uint64_t number =
			yyjson_get_uint(yyjson_obj_get(port, "hostPort"));
		yyjson_val *protocol = yyjson_obj_get(port, "protocol");
		__u16 *slot;

		if (!number || number > 65535 ||
		    (yyjson_is_str(protocol) &&
		     !yyjson_equals_str(protocol, "TCP") &&
		     !yyjson_equals_str(protocol, "")))
			continue;
		slot = array_push(out->v, out->n);
		if (!slot)
			return -ENOMEM;
		*slot = number;
	}
	return 0;
}

/* The search for the proxy reports it if this is no array. */
static int add_containers(const struct json_object *o, const char *key,
			  struct port_list *out)
{
	yyjson_val *spec = yyjson_obj_get(o->val, "spec"), *container;
	size_t i, n;
	int err = 0;

	yyjson_arr_foreach (yyjson_obj_get(spec, key), i, n, container)
		err = err ?: add_ports(container, out);
	return err;
}

static int read_host_ports(const struct json_object *o, struct mesh_pod *pod)
{
	_cleanup_(port_list_free) struct port_list list = {};
	int err;

	if (pod->host_network)
		return 0;
	err = add_containers(o, "containers", &list);
	err = err ?: add_containers(o, "initContainers", &list);
	return err ?: mesh_ports_set(&pod->host_ports, list.v, list.n);
}

int decode_ends(const struct json_object *o, struct mesh_pod *pod)
{
	int err = read_forwards(o, pod);

	return err ?: read_host_ports(o, pod);
}
