// SPDX-License-Identifier: Apache-2.0
/*
 * Services and EndpointSlices: which ClusterIP's ports end at which backends.
 *
 * What is not understood leads to TCP. A Service without an address or a port
 * is offered nothing. An EndpointSlice must not be left out, since its Service
 * would then seem to have only the other backends: it is `broken`, and the
 * Service is offered nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "objects/objects.h"

#define LABEL_SERVICE "kubernetes.io/service-name"
#define LABEL_PROXY "service.kubernetes.io/service-proxy-name"

/* Annotations of Cilium's, new and old: backends in other clusters, too. */
#define ANNOTATION_GLOBAL "service.cilium.io/global"
#define ANNOTATION_GLOBAL_OLD "io.cilium/global-service"

static int read_identity(const struct json_object *o, char **ns, char **name)
{
	const char *in = "default", *called = "";
	int err;

	if (get_name(o, "metadata.namespace", &in) < 0 ||
	    get_name(o, "metadata.name", &called) < 0)
		return -EINVAL;
	err = text_set(ns, in);
	return err ?: text_set(name, called);
}

static bool is_tcp(const char *protocol)
{
	return !*protocol || !strcmp(protocol, "TCP");
}

/*
 * Read one element of a `ports`. Return: 1 it is a TCP port, in *@out; 0
 * another protocol's; -EINVAL, noted; -ENOMEM.
 */
static int read_port(const struct json_object *o, struct mesh_service_port *out)
{
	const char *name = "", *protocol = "";
	unsigned long port = 0;
	int err;

	if (!yyjson_is_obj(o->val)) {
		json_note(o, "", o->val, "an object");
		return -EINVAL;
	}
	if (json_str(o, "protocol", &protocol) < 0)
		return -EINVAL;
	if (!is_tcp(protocol))
		return 0;
	if (json_str(o, "name", &name) < 0 ||
	    json_uint(o, "port", 65535, &port) < 0)
		return -EINVAL;
	if (!port) {
		json_note(o, "port", yyjson_obj_get(o->val, "port"),
			  "a port from 1 to 65535");
		return -EINVAL;
	}
	err = text_set(&out->name, name);
	out->port = port;
	return err ?: 1;
}

/* Read the TCP ports of an array. *@bad: one of them was left out. */
static int read_ports(const struct json_object *o, const char *path,
		      struct mesh_service_port **v, size_t *n, bool *bad)
{
	yyjson_val *list = NULL, *val;
	size_t i, max;
	int got = json_arr(o, path, &list);

	*bad |= got < 0;
	if (got <= 0)
		return 0;
	yyjson_arr_foreach (list, i, max, val) {
		struct json_object e =
			json_element(o, path, i, val, o->consequence);
		struct mesh_service_port made = {}, *slot;

		got = read_port(&e, &made);
		*bad |= got == -EINVAL;
		slot = got == 1 ? array_push(*v, *n) : NULL;
		if (slot)
			*slot = made;
		else
			free(made.name);
		if (got == -ENOMEM || (got == 1 && !slot))
			return -ENOMEM;
	}
	return 0;
}

static int add_addr(const struct json_object *o, const char *what,
		    yyjson_val *val, struct mesh_addrs *out)
{
	const char *text = json_value_str(val, JSON_STR_MAX);
	struct smc_addr addr, *slot;

	if (!text || addr_parse(text, &addr)) {
		json_note(o, what, val, "an IPv4 or IPv6 address");
		return -EINVAL;
	}
	slot = array_push(out->v, out->n);
	if (!slot)
		return -ENOMEM;
	*slot = addr;
	return 0;
}

/* ---- Service --------------------------------------------------------------
 */

static bool is_headless(yyjson_val *val)
{
	return yyjson_equals_str(val, "None") || yyjson_equals_str(val, "");
}

static int read_addrs(const struct json_object *o, struct mesh_service *service)
{
	static const char path[] = "spec.clusterIPs";
	struct json_object with = json_with(o, "the address is ignored");
	yyjson_val *list = NULL, *val;
	size_t i, n;
	int err = 0, got = json_arr(&with, path, &list);

	if (got < 0)
		return 0;
	if (!got) {
		/* Before dual stack there was only this field. */
		if (json_obj(&with, "spec", &with.val) <= 0)
			return 0;
		val = yyjson_obj_get(with.val, "clusterIP");
		if (!val || yyjson_is_null(val) || is_headless(val))
			return 0;
		err = add_addr(&with, "spec.clusterIP", val, &service->addrs);
		return err == -ENOMEM ? err : 0;
	}
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e =
			json_element(o, path, i, val, "the address is ignored");

		if (is_headless(val))
			continue;
		err = add_addr(&e, "", val, &service->addrs);
		if (err == -ENOMEM)
			return err;
	}
	return 0;
}

/*
 * Notes and ignores an invalid address. Reads that of a balancer outside of the
 * node (ipMode: Proxy) like the others: EndpointSlices do not tell which
 * backends answer there either.
 */
static int read_externals(const struct json_object *o,
			  struct mesh_service *service)
{
	static const char listed[] = "spec.externalIPs";
	static const char given[] = "status.loadBalancer.ingress";
	struct json_object with = json_with(o, "the address is ignored");
	yyjson_val *list = NULL, *val;
	size_t i, n;
	int err = 0;

	if (json_arr(&with, listed, &list) > 0)
		yyjson_arr_foreach (list, i, n, val) {
			struct json_object e = json_element(
				&with, listed, i, val, with.consequence);

			if (err != -ENOMEM)
				err = add_addr(&e, "", val,
					       &service->externals);
		}
	if (err == -ENOMEM || json_arr(&with, given, &list) <= 0)
		return err == -ENOMEM ? err : 0;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e =
			json_element(&with, given, i, val, with.consequence);
		yyjson_val *ip = yyjson_obj_get(val, "ip");

		/* a balancer may have a name instead */
		if (ip && err != -ENOMEM)
			err = add_addr(&e, "ip", ip, &service->externals);
	}
	return err == -ENOMEM ? err : 0;
}

/* Cilium takes "false" in any case for false; of other values we cannot
 * know. */
static bool is_global(const struct json_object *o, const char *key)
{
	yyjson_val *val = object_annotation(o, key);
	const char *text = json_value_str(val, JSON_STR_MAX);

	return val && (!text || strcasecmp(text, "false"));
}

/* Does its address, if any, lead to other backends than those of its slices: by
 * another DNS name, a proxy that is not the node's own, in other clusters? */
static bool is_elsewhere(const struct json_object *o)
{
	const char *type = "";

	return json_str(o, "spec.type", &type) < 0 ||
	       !strcmp(type, "ExternalName") || object_label(o, LABEL_PROXY) ||
	       is_global(o, ANNOTATION_GLOBAL) ||
	       is_global(o, ANNOTATION_GLOBAL_OLD);
}

/* An invalid port number takes no port. */
static int read_node_ports(const struct json_object *o,
			   struct mesh_service *service)
{
	yyjson_val *spec = yyjson_obj_get(o->val, "spec"), *val;
	_free_ __u16 *v = NULL;
	__u16 *slot;
	size_t i, max, n = 0;

	yyjson_arr_foreach (yyjson_obj_get(spec, "ports"), i, max, val) {
		uint64_t port =
			yyjson_get_uint(yyjson_obj_get(val, "nodePort"));

		if (!port || port > 65535)
			continue;
		slot = array_push(v, n);
		if (!slot)
			return -ENOMEM;
		*slot = port;
	}
	return mesh_ports_set(&service->node_ports, v, n);
}

int decode_service(struct json_object *o, struct mesh_service *out)
{
	_cleanup_(mesh_service_free) struct mesh_service made = {};
	int err;

	o->consequence = "the Service is left out";
	err = read_identity(o, &made.ns, &made.name);
	err = err ?: read_addrs(o, &made);
	err = err ?: read_externals(o, &made);
	err = err ?: read_node_ports(o, &made);
	o->consequence = "it is not offered SMC";
	made.elsewhere = is_elsewhere(o);
	err = err
		      ?: read_ports(o, "spec.ports", &made.ports, &made.n_ports,
				    &made.broken);
	if (err)
		return err;
	*out = made;
	memset(&made, 0, sizeof(made));
	return 0;
}

/* ---- EndpointSlice --------------------------------------------------------
 */

/*
 * May a proxy send a connection there? A missing `ready` means yes, and a
 * missing `serving` the same as ready (discovery/v1). A terminating pod goes on
 * serving if no other is ready.
 * Return: 1 yes, 0 no, -EINVAL noted.
 */
static int is_backend(const struct json_object *o)
{
	bool ready = true, serving;

	if (json_bool(o, "conditions.ready", &ready) < 0)
		return -EINVAL;
	serving = ready;
	if (json_bool(o, "conditions.serving", &serving) < 0)
		return -EINVAL;
	return ready || serving;
}

static int read_endpoint(const struct json_object *o, struct mesh_slice *slice)
{
	yyjson_val *list = NULL, *val;
	size_t i, n;
	int err;

	if (!yyjson_is_obj(o->val)) {
		json_note(o, "", o->val, "an object");
		return -EINVAL;
	}
	err = is_backend(o);
	if (err <= 0)
		return err;
	err = json_arr(o, "addresses", &list);
	if (err <= 0)
		return err;
	err = 0;
	yyjson_arr_foreach (list, i, n, val)
		err = err ?: add_addr(o, "addresses", val, &slice->backends);
	return err;
}

static int read_endpoints(const struct json_object *o, struct mesh_slice *slice)
{
	yyjson_val *list = NULL, *val;
	size_t i, n;
	int err = 0, got = json_arr(o, "endpoints", &list);

	slice->broken |= got < 0;
	if (got <= 0)
		return 0;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e =
			json_element(o, "endpoints", i, val, o->consequence);

		err = read_endpoint(&e, slice);
		slice->broken |= err == -EINVAL;
		if (err == -ENOMEM)
			return err;
	}
	return 0;
}

/* Names are no backends of a ClusterIP: proxies leave them out. */
static int read_backends(const struct json_object *o, struct mesh_slice *slice)
{
	const char *type = "";
	int err;

	if (json_str(o, "addressType", &type) < 0)
		slice->broken = true;
	if (!strcmp(type, "FQDN"))
		return 0;
	if (*type && strcmp(type, "IPv4") && strcmp(type, "IPv6")) {
		json_say(o, "addressType is \"%.60s\", expected IPv4 or IPv6",
			 type);
		slice->broken = true;
	}
	err = read_ports(o, "ports", &slice->ports, &slice->n_ports,
			 &slice->broken);
	return err ?: read_endpoints(o, slice);
}

int decode_slice(struct json_object *o, struct mesh_slice *out)
{
	_cleanup_(mesh_slice_free) struct mesh_slice made = {};
	const char *service;
	yyjson_val *owner;
	int err;

	o->consequence = "the EndpointSlice is left out";
	err = read_identity(o, &made.ns, &made.name);
	owner = object_label(o, LABEL_SERVICE);
	service = json_value_str(owner, 253);
	if (owner && !service) {
		json_note(o, "the label " LABEL_SERVICE, owner, "a string");
		return -EINVAL;
	}
	if (!err)
		err = text_set(&made.service, service ? service : "");
	o->consequence = "its Service is not offered SMC";
	err = err ?: read_backends(o, &made);
	if (err)
		return err;
	*out = made;
	memset(&made, 0, sizeof(made));
	return 0;
}
