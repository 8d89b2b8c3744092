// SPDX-License-Identifier: Apache-2.0
/*
 * A Pod. What decides about safety (identity, node, phase, hostNetwork,
 * containers) must be understood, or the Pod is left out: then it is neither
 * armed nor an endpoint. An address that is none is left out alone. An
 * annotation of ours that is not understood becomes the pod's `problem`: it is
 * shown with the pod, which is not enabled.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "kube/objects.h"

/* Dual stack needs two; what is more is noted. */
#define POD_ADDRS_MAX 16

#define ANNOTATION_ENABLED "smc.asm.alibabacloud.com/enabled"
#define ANNOTATION_ENABLED_ALIAS "smcmesh.io/enabled"
#define ANNOTATION_OUT "smcmesh.io/exclude-outbound-ports"
#define ANNOTATION_IN "smcmesh.io/exclude-inbound-ports"
#define ANNOTATION_NETNS "smcmesh.io/netns"
#define ANNOTATION_PROXY_UID "smcmesh.io/proxy-uid"

#define PROXY_CONTAINER "istio-proxy"

/* ---- annotations ----------------------------------------------------------
 */

/* The first problem is kept: one is enough to act on. */
static int problem(struct mesh_pod *pod, const char *key, yyjson_val *val,
		   const char *expected)
{
	char value[JSON_RENDER_MAX];

	if (pod->problem)
		return 0;
	if (asprintf(&pod->problem, "annotation %s is %s, expected %s", key,
		     json_render(val, value), expected) < 0) {
		pod->problem = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int read_switch(yyjson_val *annotations, const char *key,
		       struct mesh_pod *pod, enum mesh_switch *out)
{
	yyjson_val *val = yyjson_obj_get(annotations, key);
	const char *text = json_value_str(val, SIZE_MAX);

	if (!val || (text && !mesh_switch_parse(text, out)))
		return 0;
	return problem(pod, key, val, "\"true\" or \"false\"");
}

/* The vendor's annotation wins over our alias where both are there. */
static int read_enabled(const struct json_object *o, yyjson_val *annotations,
			struct mesh_pod *pod)
{
	struct json_object ignored = json_with(o, "the second is ignored");
	enum mesh_switch first = MESH_UNSET, alias = MESH_UNSET;
	int err;

	err = read_switch(annotations, ANNOTATION_ENABLED, pod, &first);
	if (!err)
		err = read_switch(annotations, ANNOTATION_ENABLED_ALIAS, pod,
				  &alias);
	if (first != MESH_UNSET && alias != MESH_UNSET && first != alias)
		json_say(&ignored, "the annotations " ANNOTATION_ENABLED
				   " and " ANNOTATION_ENABLED_ALIAS " differ");
	pod->enabled = first != MESH_UNSET ? first : alias;
	return err;
}

static int read_ports(yyjson_val *annotations, const char *key,
		      struct mesh_pod *pod, struct mesh_ports *out)
{
	yyjson_val *val = yyjson_obj_get(annotations, key);
	const char *text = json_value_str(val, SIZE_MAX);
	char bad[32] = "", expected[128];
	int err;

	if (!val)
		return 0;
	err = text ? mesh_ports_parse(text, out, bad) : -EINVAL;
	if (err != -EINVAL)
		return err;
	snprintf(expected, sizeof(expected),
		 "ports from 1 to 65535 with commas between (not \"%s\")", bad);
	return problem(pod, key, val,
		       text ? expected : "a string of ports and commas");
}

static int read_netns(yyjson_val *annotations, struct mesh_pod *pod)
{
	yyjson_val *val = yyjson_obj_get(annotations, ANNOTATION_NETNS);
	const char *text = json_value_str(val, 4095);

	if (!val)
		return 0;
	if (!text || *text != '/')
		return problem(pod, ANNOTATION_NETNS, val, "an absolute path");
	return set_str(&pod->netns_path, text);
}

static int read_proxy_uid(yyjson_val *annotations, struct mesh_pod *pod)
{
	yyjson_val *val = yyjson_obj_get(annotations, ANNOTATION_PROXY_UID);
	const char *text = json_value_str(val, 10);
	unsigned long long uid = SMC_UID_ANY;

	if (!val)
		return 0;
	if (text && *text && !text[strspn(text, "0123456789")])
		uid = strtoull(text, NULL, 10);
	if (uid >= SMC_UID_ANY)
		return problem(pod, ANNOTATION_PROXY_UID, val,
			       "a user ID from 0 to 4294967294");
	pod->proxy_uid = uid;
	return 0;
}

static int read_annotations(const struct json_object *o, struct mesh_pod *pod)
{
	struct json_object with = json_with(o, "the Pod is not enabled");
	yyjson_val *annotations;
	int err = json_obj(&with, "metadata.annotations", &annotations);

	if (err <= 0)
		return 0;
	err = read_enabled(o, annotations, pod);
	if (!err)
		err = read_ports(annotations, ANNOTATION_OUT, pod,
				 &pod->exclude_out);
	if (!err)
		err = read_ports(annotations, ANNOTATION_IN, pod,
				 &pod->exclude_in);
	if (!err)
		err = read_netns(annotations, pod);
	if (!err)
		err = read_proxy_uid(annotations, pod);
	return err;
}

/* ---- containers -----------------------------------------------------------
 */

/* Return: 1 it is the proxy (*@uid set if it says one), 0 not, -EINVAL. */
static int is_proxy(const struct json_object *container, bool init, __u32 *uid)
{
	const char *name = "", *restart = "";
	unsigned long as_user;
	int got = json_str(container, "name", &name);

	if (got < 0 || strcmp(name, PROXY_CONTAINER))
		return got < 0 ? got : 0;
	/* A native sidecar is an init container that never ends. */
	if (init && json_str(container, "restartPolicy", &restart) < 0)
		return -EINVAL;
	if (init && strcmp(restart, "Always"))
		return 0;
	got = json_uint(container, "securityContext.runAsUser", SMC_UID_ANY - 1,
			&as_user);
	if (got > 0)
		*uid = as_user;
	return got < 0 ? got : 1;
}

static int find_proxy(const struct json_object *o, const char *path, bool init,
		      struct mesh_pod *pod)
{
	yyjson_val *containers, *val;
	size_t i, n;
	int got = json_arr(o, path, &containers);

	if (got <= 0)
		return got;
	yyjson_arr_foreach (containers, i, n, val) {
		struct json_object c =
			json_element(o, path, i, val, o->consequence);

		if (!yyjson_is_obj(val)) {
			json_note(&c, "", val, "an object");
			return -EINVAL;
		}
		got = is_proxy(&c, init, &pod->proxy_uid);
		if (got > 0)
			pod->sidecar = true;
		if (got)
			return got < 0 ? got : 0;
	}
	return 0;
}

/*
 * The proxy's UID: the annotation if there is one (read later, so it wins), the
 * container's own runAsUser, istio's 1337. A hostNetwork pod has no redirect:
 * there a container of that name (a gateway) is a program as any other.
 */
static int read_containers(const struct json_object *o, struct mesh_pod *pod)
{
	int err;

	pod->proxy_uid = MESH_DEFAULT_PROXY_UID;
	if (pod->host_network)
		return 0;
	err = find_proxy(o, "spec.initContainers", true, pod);
	if (!err && !pod->sidecar)
		err = find_proxy(o, "spec.containers", false, pod);
	return err;
}

/* ---- identity, spec, status -----------------------------------------------
 */

static int read_identity(const struct json_object *o, struct mesh_pod *pod)
{
	const char *ns = "default", *name = "", *uid = NULL;
	int err;

	/* The name was read by the caller already: it is there. */
	if (get_name(o, "metadata.name", &name) < 0 ||
	    get_name(o, "metadata.namespace", &ns) < 0 ||
	    get_name(o, "metadata.uid", &uid) < 0 ||
	    json_time(o, "metadata.creationTimestamp", &pod->created) < 0)
		return -EINVAL;
	err = set_str(&pod->ns, ns);
	if (!err)
		err = set_str(&pod->name, name);
	return err ? err : set_uid(&pod->uid, uid, ns, name);
}

static int read_state(const struct json_object *o, struct mesh_pod *pod)
{
	const char *node = "", *phase = "";

	if (get_name(o, "spec.nodeName", &node) < 0 ||
	    json_bool(o, "spec.hostNetwork", &pod->host_network) < 0 ||
	    json_str(o, "status.phase", &phase) < 0)
		return -EINVAL;
	/* Being deleted is not having ended: it serves until it stops. */
	pod->ended = !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed");
	return set_str(&pod->node, node);
}

static int add_addr(const struct json_object *o, const char *what,
		    struct mesh_pod *pod)
{
	const char *text;
	struct smc_addr addr, *slot;
	int got = json_str(o, what, &text);

	if (got <= 0)
		return 0;
	if (addr_parse(text, &addr)) {
		json_note(o, what, yyjson_obj_get(o->val, what),
			  "an IPv4 or IPv6 address");
		return 0;
	}
	for (size_t i = 0; i < pod->addrs.n; i++) {
		if (addr_cmp(&pod->addrs.v[i], &addr))
			continue;
		json_say(o, "the address %s is listed twice", text);
		return 0;
	}
	slot = array_push(pod->addrs.v, pod->addrs.n);
	if (!slot)
		return -ENOMEM;
	*slot = addr;
	return 0;
}

static int read_addrs(const struct json_object *o, struct mesh_pod *pod)
{
	static const char ignored[] = "the address is ignored";
	struct json_object with = json_with(o, ignored);
	yyjson_val *list, *val, *status;
	size_t i, n;
	int err = json_arr(&with, "status.podIPs", &list);

	if (err < 0)
		return 0;
	if (!err) {
		/* Before dual stack there was only this one. */
		if (json_obj(&with, "status", &status) <= 0)
			return 0;
		with.val = status;
		return add_addr(&with, "podIP", pod);
	}
	err = 0;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e =
			json_element(o, "status.podIPs", i, val, ignored);

		if (i == POD_ADDRS_MAX) {
			json_say(&with,
				 "status.podIPs has %zu addresses, %d "
				 "are read",
				 n, POD_ADDRS_MAX);
			break;
		}
		if (!yyjson_is_obj(val))
			json_note(&e, "", val, "an object");
		else if (!err)
			err = add_addr(&e, "ip", pod);
	}
	return err;
}

int decode_pod(struct json_object *o, struct mesh_pod *out)
{
	_cleanup_(mesh_pod_free) struct mesh_pod pod = {0};
	int err;

	o->consequence = "the Pod is left out";
	err = read_identity(o, &pod);
	if (!err)
		err = read_state(o, &pod);
	if (!err)
		err = read_containers(o, &pod);
	if (!err)
		err = read_annotations(o, &pod);
	if (!err)
		err = read_addrs(o, &pod);
	if (err)
		return err;
	*out = pod;
	memset(&pod, 0, sizeof(pod));
	return 0;
}
