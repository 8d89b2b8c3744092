// SPDX-License-Identifier: Apache-2.0
/* SmcMesh, ASMMeshConfig and SmcNode: the configuration of the mesh, and what
 * the nodes publish. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "objects/objects.h"

/* The kernel holds four UEIDs (SMC_MAX_UEID in net/smc/smc_clc.c). */
#define NODE_UEIDS_MAX 16

static const char default_stays[] = "the default holds";

/* ---- SmcMesh, ASMMeshConfig -----------------------------------------------
 */

static void read_switch(const struct json_object *o, const char *path,
			enum mesh_switch *out)
{
	struct json_object with = json_with(o, "it says nothing");
	bool on;

	if (json_bool(&with, path, &on) > 0)
		*out = on ? MESH_ON : MESH_OFF;
}

static int read_cidrs(const struct json_object *o, struct mesh_config *c)
{
	static const char path[] = "spec.excludeCIDRs";
	struct json_object with = json_with(o, "nothing of it is excluded");
	yyjson_val *list, *val;
	size_t i, n;

	if (json_arr(&with, path, &list) <= 0)
		return 0;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e =
			json_element(o, path, i, val, "it is not excluded");
		const char *text = json_value_str(val, JSON_STR_MAX);
		struct cidr cidr, *slot;

		if (!text || cidr_parse(text, &cidr)) {
			json_note(&e, "", val,
				  "a CIDR like 10.9.0.0/16, with no bits set "
				  "below the prefix");
			continue;
		}
		slot = array_push(c->exclude_cidrs, c->n_exclude_cidrs);
		if (!slot)
			return -ENOMEM;
		*slot = cidr;
	}
	return 0;
}

/* Read the ports of an array of numbers; bad ones are noted and left out. */
static int read_ports(const struct json_object *o, const char *path,
		      yyjson_val *list, const char *consequence,
		      struct mesh_ports *out)
{
	_free_ __u16 *v = NULL;
	__u16 *slot;
	yyjson_val *val;
	size_t i, max, n = 0;

	yyjson_arr_foreach (list, i, max, val) {
		struct json_object e =
			json_element(o, path, i, val, consequence);
		uint64_t port = yyjson_get_uint(val);

		if (!yyjson_is_uint(val) || !port || port > 65535) {
			json_note(&e, "", val, "a port from 1 to 65535");
			continue;
		}
		slot = array_push(v, n);
		if (!slot)
			return -ENOMEM;
		*slot = port;
	}
	return mesh_ports_set(out, v, n);
}

/* A number is a port, a string a range. Return: 0 or -EINVAL. */
static int read_range(yyjson_val *val, struct mesh_range *out)
{
	const char *text = json_value_str(val, JSON_STR_MAX);
	uint64_t port = yyjson_get_uint(val);

	if (text && strchr(text, '-'))
		return mesh_range_parse(text, strlen(text), out);
	if (!yyjson_is_uint(val) || !port || port > 65535)
		return -EINVAL;
	*out = (struct mesh_range){port, port};
	return 0;
}

static int read_exclude_ports(const struct json_object *o,
			      struct mesh_config *c)
{
	static const char path[] = "spec.excludePorts";
	struct json_object with = json_with(o, "nothing of it is excluded");
	_free_ struct mesh_range *v = NULL;
	struct mesh_range range, *slot;
	yyjson_val *list, *val;
	size_t i, max, n = 0;

	if (json_arr(&with, path, &list) <= 0)
		return 0;
	yyjson_arr_foreach (list, i, max, val) {
		struct json_object e =
			json_element(o, path, i, val, "it is not excluded");

		if (read_range(val, &range)) {
			json_note(&e, "", val,
				  "a port from 1 to 65535, or a range of them "
				  "like \"8000-8999\"");
			continue;
		}
		slot = array_push(v, n);
		if (!slot)
			return -ENOMEM;
		*slot = range;
	}
	return mesh_ranges_set(&c->exclude_ports, v, n);
}

static void read_ueid(const struct json_object *o, struct mesh_config *c)
{
	struct json_object with = json_with(o, default_stays);
	const char *ueid;
	yyjson_val *spec;

	if (json_str(&with, "spec.ueid", &ueid) <= 0)
		return;
	if (mesh_ueid_valid(ueid)) {
		strcpy(c->ueid, ueid);
		return;
	}
	if (json_obj(&with, "spec", &spec) > 0)
		json_note(&with, "spec.ueid", yyjson_obj_get(spec, "ueid"),
			  "1 to 32 of A-Z 0-9 . - with A-Z or 0-9 first");
}

static void read_recorder(const struct json_object *o, struct mesh_config *c)
{
	static const char *const names[] = {
		[MESH_RECORDER_AUTO] = "auto",
		[MESH_RECORDER_SMC] = "smc",
		[MESH_RECORDER_SOCKOPS] = "sockops",
	};
	struct json_object with = json_with(o, default_stays);
	const char *name;
	yyjson_val *spec;

	if (json_str(&with, "spec.recorder", &name) <= 0)
		return;
	for (unsigned int i = 0; i < array_size(names); i++) {
		if (strcmp(name, names[i]))
			continue;
		c->recorder = i;
		return;
	}
	if (json_obj(&with, "spec", &spec) > 0)
		json_note(&with, "spec.recorder",
			  yyjson_obj_get(spec, "recorder"),
			  "auto, smc or sockops");
}

/* Value and mask only make sense together: take both or neither. */
static void read_mark(const struct json_object *o, struct mesh_config *c)
{
	struct json_object with = json_with(o, default_stays);
	unsigned long value = c->mark, mask = c->mark_mask;
	yyjson_val *mark;

	if (json_obj(&with, "spec.mark", &mark) <= 0 ||
	    json_uint(&with, "spec.mark.value", 0xffffffff, &value) < 0 ||
	    json_uint(&with, "spec.mark.mask", 0xffffffff, &mask) < 0)
		return;
	if (!value || value & ~mask) {
		json_say(&with,
			 "spec.mark has value 0x%lx and mask 0x%lx, expected a "
			 "value within the mask that is not 0",
			 value, mask);
		return;
	}
	c->mark = value;
	c->mark_mask = mask;
}

bool config_named_default(const struct json_object *o)
{
	const char *name = "";

	if (json_str(o, "metadata.name", &name) > 0 && !strcmp(name, "default"))
		return true;
	json_say(o, "only the one named default is read");
	return false;
}

void config_reset_mesh(struct mesh_config *c)
{
	enum mesh_switch asm_enabled = c->asm_enabled;

	mesh_config_reset(c);
	c->asm_enabled = asm_enabled;
}

void config_reset_asm(struct mesh_config *c)
{
	c->asm_enabled = MESH_UNSET;
}

int decode_mesh(struct json_object *o, struct mesh_config *out)
{
	int err;

	read_switch(o, "spec.enabled", &out->enabled);
	read_ueid(o, out);
	read_mark(o, out);
	read_recorder(o, out);
	decode_mesh_limits(o, out);
	decode_mesh_settings(o, out);
	err = read_cidrs(o, out);
	return err ?: read_exclude_ports(o, out);
}

int decode_asm(struct json_object *o, struct mesh_config *out)
{
	read_switch(o, "spec.smcEnabled", &out->asm_enabled);
	return 0;
}

/* ---- SmcNode --------------------------------------------------------------
 */

/* An unknown transport is a newer smcmesh's: ignore it. */
static int read_transports(const struct json_object *o, const char *path,
			   __u32 *out)
{
	yyjson_val *list, *val;
	size_t i, n;
	int got = json_arr(o, path, &list);

	if (got <= 0)
		return got;
	yyjson_arr_foreach (list, i, n, val) {
		if (yyjson_equals_str(val, "smcr"))
			*out |= SMC_TRANSPORT_SMCR;
		else if (yyjson_equals_str(val, "smcd"))
			*out |= SMC_TRANSPORT_SMCD;
		else if (!yyjson_is_str(val))
			json_note(o, path, val, "strings in the array");
	}
	return 0;
}

static int read_endpoint(const struct json_object *o, struct mesh_endpoint *out)
{
	const char *addr = "", *ns = "", *pod = "", *uid = NULL;
	yyjson_val *ports;
	int got, err;

	if (json_str(o, "address", &addr) < 0 ||
	    get_name(o, "namespace", &ns) < 0 || get_name(o, "pod", &pod) < 0 ||
	    get_name(o, "uid", &uid) < 0 ||
	    json_time(o, "created", &out->created) < 0 ||
	    read_transports(o, "transports", &out->transports) < 0)
		return -EINVAL;
	if (addr_parse(addr, &out->addr) || !*ns || !*pod) {
		json_say(o, "%s[%zu] needs an address, a namespace and a pod",
			 o->array, o->index);
		return -EINVAL;
	}
	got = json_arr(o, "ports", &ports);
	if (got < 0)
		return got;
	out->host_network = got > 0;
	err = got ? read_ports(o, "ports", ports, "the port is ignored",
			       &out->ports)
		  : 0;
	err = err ?: text_set(&out->ns, ns);
	err = err ?: text_set(&out->pod, pod);
	return err ?: set_uid(&out->uid, uid, ns, pod);
}

static int read_endpoints(const struct json_object *o, struct mesh_node *node)
{
	static const char path[] = "status.endpoints";
	struct json_object with = json_with(o, "there are no endpoints");
	yyjson_val *list, *val;
	size_t i, n;

	if (json_arr(&with, path, &list) <= 0)
		return 0;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e = json_element(o, path, i, val,
						    "the endpoint is left out");
		_cleanup_(mesh_endpoint_free) struct mesh_endpoint made = {};
		struct mesh_endpoint *slot;
		int err;

		if (!yyjson_is_obj(val)) {
			json_note(&e, "", val, "an object");
			continue;
		}
		err = read_endpoint(&e, &made);
		if (err == -EINVAL)
			continue;
		slot = err ? NULL
			   : array_push(node->endpoints, node->n_endpoints);
		if (!slot)
			return -ENOMEM;
		*slot = made;
		memset(&made, 0, sizeof(made));
	}
	return 0;
}

static int read_ueids(const struct json_object *o, struct mesh_node *node)
{
	static const char path[] = "status.ueids";
	struct json_object with = json_with(o, "it is in no fabric");
	yyjson_val *list, *val;
	size_t i, n;

	if (json_arr(&with, path, &list) <= 0)
		return 0;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e =
			json_element(o, path, i, val, "it is ignored");
		const char *ueid = json_value_str(val, MESH_UEID_MAX);
		char **slot;

		if (!ueid || node->n_ueids == NODE_UEIDS_MAX) {
			json_note(&e, "", val,
				  "at most 16 strings of at most 32 bytes");
			continue;
		}
		slot = array_push(node->ueids, node->n_ueids);
		if (!slot || text_set(slot, ueid))
			return -ENOMEM;
	}
	return 0;
}

/* Read the first one; an older agent publishes none. */
static void read_rdma(const struct json_object *o, struct mesh_node *node)
{
	static const char path[] = "status.rdma";
	static const char ignored[] = "its address is ignored";
	static const struct smc_addr none;
	struct json_object with = json_with(o, ignored);
	yyjson_val *list, *val;
	size_t i, n;

	if (json_arr(&with, path, &list) <= 0)
		return;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e = json_element(o, path, i, val, ignored);
		const char *text;
		struct smc_addr addr;

		if (!yyjson_is_obj(val))
			json_note(&e, "", val, "an object");
		if (json_str(&e, "address", &text) <= 0)
			continue;
		if (addr_parse(text, &addr) || !addr_is_v4(&addr) ||
		    !addr_usable(&addr))
			json_note(&e, "address", yyjson_obj_get(val, "address"),
				  "an IPv4 address");
		else if (!addr_cmp(&node->rdma, &none))
			node->rdma = addr;
	}
}

/* Read since when a condition is what it is. */
static void read_since(const struct json_object *o, long long *since)
{
	struct json_object with = json_with(o, "the time is ignored");

	(void)!json_time(&with, "lastTransitionTime", since);
}

/* Only a plain "False" removes a node: its datapath lives on without its agent,
 * so "Unknown" or a missing condition changes nothing. */
static void read_ready(const struct json_object *o, const char *status,
		       struct mesh_node *node)
{
	if (!strcmp(status, "False"))
		node->ready = false;
	read_since(o, &node->ready_since);
}

/* The agent reads this only for the time, to write it back. */
static void read_capable(const struct json_object *o, const char *status,
			 struct mesh_node *node)
{
	node->capable = !strcmp(status, "True")	   ? MESH_TRUE
			: !strcmp(status, "False") ? MESH_FALSE
						   : MESH_UNKNOWN;
	read_since(o, &node->capable_since);
}

static void read_conditions(const struct json_object *o, struct mesh_node *node)
{
	static const char path[] = "status.conditions";
	static const char ignored[] = "the condition is ignored";
	struct json_object with = json_with(o, ignored);
	yyjson_val *list, *val;
	size_t i, n;

	node->ready = true;
	if (json_arr(&with, path, &list) <= 0)
		return;
	yyjson_arr_foreach (list, i, n, val) {
		struct json_object e = json_element(o, path, i, val, ignored);
		const char *type = "", *status = "";

		if (!yyjson_is_obj(val))
			json_note(&e, "", val, "an object");
		if (json_str(&e, "type", &type) <= 0 ||
		    (strcmp(type, "Ready") && strcmp(type, "Capable")) ||
		    json_str(&e, "status", &status) <= 0)
			continue;
		if (!strcmp(type, "Ready"))
			read_ready(&e, status, node);
		else
			read_capable(&e, status, node);
	}
}

static int read_version(const struct json_object *o, struct mesh_node *node)
{
	struct json_object with = json_with(o, "it is ignored");
	const char *version;

	if (json_str(&with, "metadata.resourceVersion", &version) <= 0)
		return 0;
	return text_set(&node->version, version);
}

int decode_node(struct json_object *o, struct mesh_node *out)
{
	_cleanup_(mesh_node_free) struct mesh_node node = {};
	const char *name = "", *boot_id = NULL;
	int err;

	o->consequence = "the SmcNode is left out";
	if (get_name(o, "metadata.name", &name) < 0 ||
	    json_str(o, "status.bootID", &boot_id) < 0 ||
	    read_transports(o, "status.transports", &node.transports) < 0)
		return -EINVAL;
	err = text_set(&node.name, name);
	if (!err && boot_id)
		err = text_set(&node.boot_id, boot_id);
	err = err ?: read_version(o, &node);
	err = err ?: read_ueids(o, &node);
	err = err ?: read_endpoints(o, &node);
	if (err)
		return err;
	read_conditions(o, &node);
	read_rdma(o, &node);
	*out = node;
	memset(&node, 0, sizeof(node));
	return 0;
}
