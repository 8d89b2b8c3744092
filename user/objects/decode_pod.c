// SPDX-License-Identifier: Apache-2.0
/*
 * A Pod. Fields that decide about safety (identity, node, phase, hostNetwork,
 * containers) must be understood, or the Pod is left out: then it is neither
 * armed nor an endpoint. An invalid address alone is left out. An annotation of
 * ours that is not understood becomes the pod's `problem`: it is shown with the
 * pod, which is not enabled.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "objects/objects.h"

/* Dual stack needs two; more are noted. */
#define POD_ADDRS_MAX 16

#define ANNOTATION_NETNS "smcmesh.io/netns"
#define ANNOTATION_CGROUP "smcmesh.io/cgroup"
#define ANNOTATION_PROXY_UID "smcmesh.io/proxy-uid"

/* Kubelet sets these on the object of a static pod. */
#define ANNOTATION_HASH "kubernetes.io/config.hash"
#define ANNOTATION_MIRROR "kubernetes.io/config.mirror"
#define HASH_LEN 32

/* ---- annotations ----------------------------------------------------------
 */

static int read_netns(const struct annotations *a, struct mesh_pod *pod)
{
	bool said;
	const char *text = annotation(a, ANNOTATION_NETNS, 4095, &said);

	if (!said)
		return 0;
	if (!text || *text != '/')
		return annotation_problem(a, &pod->problem, ANNOTATION_NETNS,
					  "an absolute path");
	return text_set(&pod->netns_path, text);
}

/* "/a/b": no part is empty, "." or ".."; and not the root, which is above
 * every process of the machine. */
static bool is_cgroup_path(const char *path)
{
	size_t len;

	if (!path || *path != '/')
		return false;
	for (; *path == '/'; path += len) {
		len = strcspn(++path, "/");
		if (!len || !strncmp(path, ".", len) ||
		    (len == 2 && !strncmp(path, "..", 2)))
			return false;
	}
	return true;
}

/* A program without Kubernetes: told apart as a hostNetwork pod is. */
static int read_cgroup(const struct annotations *a, struct mesh_pod *pod)
{
	bool said;
	const char *text = annotation(a, ANNOTATION_CGROUP, 2047, &said);

	if (!said)
		return 0;
	if (!is_cgroup_path(text))
		return annotation_problem(
			a, &pod->problem, ANNOTATION_CGROUP,
			"a cgroup's path below the cgroup v2 mount, as /proc/PID/cgroup has it after 0:: (/system.slice/nginx.service), without . or ..");
	if (pod->netns_path)
		return annotation_problem(
			a, &pod->problem, ANNOTATION_CGROUP,
			"none beside " ANNOTATION_NETNS
			": a cgroup is told apart in the host's namespace alone");
	pod->host_network = true;
	return text_set(&pod->cgroup_path, text);
}

static int read_proxy_uid(const struct annotations *a, struct mesh_pod *pod)
{
	bool said;
	const char *text = annotation(a, ANNOTATION_PROXY_UID, 10, &said);
	unsigned long long uid = SMC_ID_ANY;

	if (!said)
		return 0;
	if (text && *text && !text[strspn(text, "0123456789")])
		uid = strtoull(text, NULL, 10);
	if (uid >= SMC_ID_ANY)
		return annotation_problem(a, &pod->problem,
					  ANNOTATION_PROXY_UID,
					  "a user ID from 0 to 4294967294");
	/* A hostNetwork pod has no redirect of its own. */
	if (pod->host_network)
		return 0;
	pod->sidecar = true;
	pod->proxy = (struct smc_owner){.uid = uid, .gid = SMC_ID_ANY};
	return 0;
}

/*
 * A user who may make pods may set these too, and so name another pod's cgroup:
 * accept only the form of a static pod's, which no other pod's UID has.
 */
static int read_hash(const struct annotations *a, struct mesh_pod *pod)
{
	bool said;
	const char *hash = annotation(a, ANNOTATION_HASH, HASH_LEN, &said);
	const char *mirror = annotation(a, ANNOTATION_MIRROR, HASH_LEN, &said);

	if (!hash || !mirror || strcmp(hash, mirror) ||
	    strlen(hash) != HASH_LEN ||
	    strspn(hash, "0123456789abcdef") != HASH_LEN)
		return 0;
	return text_set(&pod->cgroup_uid, hash);
}

/* Enabled, and ports: what a Namespace can say too. */
static int read_common(const struct json_object *o, const struct annotations *a,
		       struct mesh_pod *pod)
{
	struct mesh_default enabled = {}, in = {}, out = {};
	int err = annotations_read(o, a, &enabled, &in, &out);

	pod->enabled = enabled.enabled;
	pod->says_in = in.said;
	pod->says_out = out.said;
	pod->exclude_in = in.ports;
	pod->exclude_out = out.ports;
	pod->problem = enabled.problem ?: out.problem ?: in.problem;
	if (enabled.problem)
		free(out.problem);
	if (enabled.problem || out.problem)
		free(in.problem);
	return err;
}

static int read_annotations(const struct json_object *o, struct mesh_pod *pod)
{
	struct json_object with = json_with(o, "the Pod is not enabled");
	struct annotations a = {.of = ""};
	int err = json_obj(&with, "metadata.annotations", &a.val);

	/* And its Namespace must not enable it. */
	if (err < 0)
		pod->enabled = MESH_OFF;
	if (err <= 0)
		return 0;
	decode_other_product(&a, pod);
	err = read_common(o, &a, pod);
	/* A user who may make pods may not choose a path of the node's. */
	if (!err && !o->from_api)
		err = read_netns(&a, pod) ?: read_cgroup(&a, pod);
	err = err ?: read_hash(&a, pod);
	err = err ?: decode_pod_limits(&a, pod);
	return err ?: read_proxy_uid(&a, pod);
}

/* ---- identity, spec, status -----------------------------------------------
 */

static int read_identity(const struct json_object *o, struct mesh_pod *pod)
{
	const char *ns = "default", *name = "", *uid = NULL;
	int err;

	/* The caller has read the name already: it is there. */
	if (get_name(o, "metadata.name", &name) < 0 ||
	    get_name(o, "metadata.namespace", &ns) < 0 ||
	    get_name(o, "metadata.uid", &uid) < 0 ||
	    json_time(o, "metadata.creationTimestamp", &pod->created) < 0)
		return -EINVAL;
	err = text_set(&pod->ns, ns);
	err = err ?: text_set(&pod->name, name);
	return err ?: set_uid(&pod->uid, uid, ns, name);
}

/* A pod owned by a Node is a static one, which no controller recreates. */
static void read_owners(const struct json_object *o, struct mesh_pod *pod)
{
	struct json_object with = json_with(o, "it will not be evicted");
	yyjson_val *list, *val;
	size_t i, n;

	if (json_arr(&with, "metadata.ownerReferences", &list) <= 0)
		return;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e =
			json_element(o, "metadata.ownerReferences", i, val,
				     "it will not be evicted");
		const char *kind = "";
		bool controller = false;

		if (!yyjson_is_obj(val))
			json_note(&e, "", val, "an object");
		else if (json_str(&e, "kind", &kind) >= 0 &&
			 json_bool(&e, "controller", &controller) >= 0)
			pod->replaced |= controller && strcmp(kind, "Node");
	}
}

static int read_state(const struct json_object *o, struct mesh_pod *pod)
{
	const char *node = "", *phase = "";

	if (get_name(o, "spec.nodeName", &node) < 0 ||
	    json_bool(o, "spec.hostNetwork", &pod->host_network) < 0 ||
	    json_str(o, "status.phase", &phase) < 0)
		return -EINVAL;
	/* A pod that is being deleted has not ended: it serves until it
	 * stops. */
	pod->ended = !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed");
	pod->running = !strcmp(phase, "Running");
	read_owners(o, pod);
	return text_set(&pod->node, node);
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
		/* Before dual stack there was only this field. */
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
	_cleanup_(mesh_pod_free) struct mesh_pod pod = {};
	int err;

	o->consequence = "the Pod is left out";
	err = read_identity(o, &pod);
	err = err ?: read_state(o, &pod);
	err = err ?: decode_ends(o, &pod);
	err = err ?: decode_containers(o, &pod);
	err = err ?: read_annotations(o, &pod);
	err = err ?: read_addrs(o, &pod);
	if (err)
		return err;
	*out = pod;
	memset(&pod, 0, sizeof(pod));
	return 0;
}
