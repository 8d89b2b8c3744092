// SPDX-License-Identifier: Apache-2.0
#include "objects/encode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/when.h"
#include "objects/json.h"

#define EVENT_MESSAGE_MAX 1024 /* bytes; the API refuses longer ones */
#define NAME_MAX_LEN 253

/* ---- building --------------------------------------------------------------
 */

/*
 * yyjson's builders accept NULL, the result of a failed one, and leave the
 * value out. A text must not lack an endpoint, so the allocator remembers a
 * failure; the encoder asks once at the end.
 */
static void *sticky_malloc(void *failed, size_t size)
{
	void *p = malloc(size);

	if (!p)
		*(bool *)failed = true;
	return p;
}

static void *sticky_realloc(void *failed, void *old, size_t old_size,
			    size_t size)
{
	void *p = realloc(old, size);

	if (!p)
		*(bool *)failed = true;
	return p;
}

static void sticky_free(void *failed, void *p)
{
	free(p);
}

static void add_str(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key,
		    const char *text)
{
	if (text)
		yyjson_mut_obj_add_strcpy(doc, obj, key, text);
}

static void add_time(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key,
		     long long when)
{
	char text[WHEN_STRLEN];

	add_str(doc, obj, key, when_format(when, text));
}

static void add_transports(yyjson_mut_doc *doc, yyjson_mut_val *obj,
			   __u32 transports)
{
	yyjson_mut_val *arr = yyjson_mut_obj_add_arr(doc, obj, "transports");

	if (transports & SMC_TRANSPORT_SMCR)
		yyjson_mut_arr_add_str(doc, arr, "smcr");
	if (transports & SMC_TRANSPORT_SMCD)
		yyjson_mut_arr_add_str(doc, arr, "smcd");
}

/* A document in the making, with its allocator. */
struct made {
	yyjson_mut_doc *doc;
	yyjson_alc alc;
	bool failed;
};

/* Return: the root, NULL without memory. The caller must not move @m
 * afterwards. */
static yyjson_mut_val *made_open(struct made *m, const char *api_version,
				 const char *kind)
{
	yyjson_mut_val *root;

	m->alc = (yyjson_alc){sticky_malloc, sticky_realloc, sticky_free,
			      &m->failed};
	m->doc = yyjson_mut_doc_new(&m->alc);
	if (!m->doc)
		return NULL;
	root = yyjson_mut_obj(m->doc);
	yyjson_mut_doc_set_root(m->doc, root);
	add_str(m->doc, root, "apiVersion", api_version);
	add_str(m->doc, root, "kind", kind);
	return root;
}

static int made_write(struct made *m, struct buf *out)
{
	_free_ char *text = NULL;
	size_t len;

	text = yyjson_mut_write(m->doc, 0, &len);
	return text && !m->failed ? buf_add(out, text, len) : -ENOMEM;
}

static void made_free(struct made *m)
{
	yyjson_mut_doc_free(m->doc);
}
#define _made_ _cleanup_(made_free)

/* ---- SmcNode --------------------------------------------------------------
 */

static const char node_version[] = "smcmesh.io/v1alpha1";

static void add_endpoint(yyjson_mut_doc *doc, yyjson_mut_val *arr,
			 const struct mesh_publish_endpoint *e)
{
	yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, arr), *ports;
	char addr[ADDR_STRLEN];

	add_str(doc, obj, "address", addr_format(&e->addr, addr));
	add_transports(doc, obj, e->transports);
	add_str(doc, obj, "namespace", e->pod->ns);
	add_str(doc, obj, "pod", e->pod->name);
	add_str(doc, obj, "uid", e->pod->uid);
	add_time(doc, obj, "created", e->pod->created);
	if (!e->ports)
		return;
	ports = yyjson_mut_obj_add_arr(doc, obj, "ports");
	for (size_t i = 0; i < e->ports->n; i++)
		yyjson_mut_arr_add_uint(doc, ports, e->ports->v[i]);
}

static void add_rdma(yyjson_mut_doc *doc, yyjson_mut_val *arr,
		     const struct kube_rdma *r)
{
	yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, arr);

	add_str(doc, obj, "device", r->device);
	yyjson_mut_obj_add_uint(doc, obj, "port", r->port);
	add_str(doc, obj, "netdev", r->netdev);
	add_str(doc, obj, "subnet", r->subnet);
	add_str(doc, obj, "address", r->address);
}

struct condition {
	const char *type, *status, *reason, *message;
	long long since;
};

static void add_condition(yyjson_mut_doc *doc, yyjson_mut_val *arr,
			  const struct condition *c)
{
	yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, arr);

	add_str(doc, obj, "type", c->type);
	add_str(doc, obj, "status", c->status);
	add_str(doc, obj, "reason", c->reason);
	add_str(doc, obj, "message", c->message);
	add_time(doc, obj, "lastTransitionTime", c->since);
}

static void add_conditions(yyjson_mut_doc *doc, yyjson_mut_val *status,
			   const struct kube_smcnode *n)
{
	static const char *const says[][2] = {
		[MESH_TRUE] = {"True", "Possible"},
		[MESH_FALSE] = {"False", "Impossible"},
		[MESH_UNKNOWN] = {"Unknown", "NotTried"},
	};
	yyjson_mut_val *arr = yyjson_mut_obj_add_arr(doc, status, "conditions");
	const struct kube_capable *c = &n->capable;
	const struct mesh_publish *p = n->publish;

	if (c->is != MESH_NOT_SAID)
		add_condition(doc, arr,
			      &(struct condition){"Capable", says[c->is][0],
						  says[c->is][1], c->message,
						  c->since});
	add_condition(doc, arr,
		      &(struct condition){"Ready", p->ready ? "True" : "False",
					  p->reason, p->message, p->since});
}

/* "3/4": how many are armed of those that are to be. */
static void add_armed(yyjson_mut_doc *doc, yyjson_mut_val *status,
		      const struct mesh_publish *p)
{
	char text[48];

	snprintf(text, sizeof(text), "%zu/%zu", p->n_armed, p->n_enabled);
	add_str(doc, status, "armed", text);
}

static void add_doctor(yyjson_mut_doc *doc, yyjson_mut_val *status,
		       const struct mesh_wrong *wrong)
{
	yyjson_mut_val *arr;

	if (!wrong)
		return;
	arr = yyjson_mut_obj_add_arr(doc, status, "doctor");
	for (size_t i = 0; i < wrong->n; i++)
		yyjson_mut_arr_add_strcpy(doc, arr, wrong->id[i]);
}

static void add_status(yyjson_mut_doc *doc, yyjson_mut_val *status,
		       const struct kube_smcnode *n)
{
	const struct mesh_publish *p = n->publish;
	yyjson_mut_val *arr;

	add_str(doc, status, "kernel", n->kernel);
	add_str(doc, status, "bootID", n->boot_id);
	yyjson_mut_obj_add_uint(doc, status, "endpointCount",
				p->n - p->n_claims);
	add_armed(doc, status, p);
	add_str(doc, status, "converter", n->converter);
	add_str(doc, status, "selector", n->selector);
	add_transports(doc, status, n->transports);
	arr = yyjson_mut_obj_add_arr(doc, status, "ueids");
	for (size_t i = 0; i < n->n_ueids; i++)
		yyjson_mut_arr_add_strcpy(doc, arr, n->ueids[i]);
	arr = yyjson_mut_obj_add_arr(doc, status, "rdma");
	for (size_t i = 0; i < n->n_rdma; i++)
		add_rdma(doc, arr, &n->rdma[i]);
	add_doctor(doc, status, n->doctor);
	arr = yyjson_mut_obj_add_arr(doc, status, "endpoints");
	for (size_t i = 0; i < p->n; i++)
		add_endpoint(doc, arr, &p->endpoints[i]);
	add_conditions(doc, status, n);
}

int kube_encode_smcnode(const struct kube_smcnode *n, struct buf *out)
{
	_made_ struct made m = {};
	yyjson_mut_val *root = made_open(&m, node_version, "SmcNode"), *meta;

	if (!root)
		return -ENOMEM;
	meta = yyjson_mut_obj_add_obj(m.doc, root, "metadata");
	add_str(m.doc, meta, "name", n->name);
	add_status(m.doc, yyjson_mut_obj_add_obj(m.doc, root, "status"), n);
	return made_write(&m, out);
}

int kube_encode_smcnode_new(const char *name, const char *node_uid,
			    struct buf *out)
{
	_made_ struct made m = {};
	yyjson_mut_val *root = made_open(&m, node_version, "SmcNode");
	yyjson_mut_val *meta, *owner;

	if (!root)
		return -ENOMEM;
	meta = yyjson_mut_obj_add_obj(m.doc, root, "metadata");
	add_str(m.doc, meta, "name", name);
	owner = yyjson_mut_arr_add_obj(
		m.doc, yyjson_mut_obj_add_arr(m.doc, meta, "ownerReferences"));
	add_str(m.doc, owner, "apiVersion", "v1");
	add_str(m.doc, owner, "kind", "Node");
	add_str(m.doc, owner, "name", name);
	add_str(m.doc, owner, "uid", node_uid);
	return made_write(&m, out);
}

/* ---- Event ----------------------------------------------------------------
 */

/* The first bytes of @text, at most @max, not ending inside a UTF-8
 * sequence. */
static size_t cut(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	for (len = max; len && (text[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

static __u64 hash(__u64 h, const char *text)
{
	do /* with the NUL, so that "a","bc" is not "ab","c" */
		h = (h ^ (unsigned char)*text) * 1099511628211ULL;
	while (*text++);
	return h;
}

/* "web-0.smcmesh.0123456789abcdef": the same for the same event, unless that is
 * to be told anew. */
static int event_name(const struct kube_event *e, struct buf *name)
{
	__u64 h = 14695981039346656037ULL; /* FNV-1a */
	int room = NAME_MAX_LEN - sizeof(".smcmesh.0123456789abcdef") + 1;
	char when[WHEN_STRLEN];

	if ((size_t)room > strlen(e->pod))
		room = strlen(e->pod);
	/* The part before a dot must end in a letter or a digit. */
	while (room && (e->pod[room - 1] == '-' || e->pod[room - 1] == '.'))
		room--;
	h = hash(hash(hash(h, e->uid), e->reason), e->message);
	if (e->anew)
		h = hash(h, when_format(e->when, when));
	return buf_printf(name, "%.*s.smcmesh.%016llx", room, e->pod,
			  (unsigned long long)h);
}

static void add_pod(yyjson_mut_doc *doc, yyjson_mut_val *root,
		    const struct kube_event *e)
{
	yyjson_mut_val *obj =
		yyjson_mut_obj_add_obj(doc, root, "involvedObject");

	add_str(doc, obj, "apiVersion", "v1");
	add_str(doc, obj, "kind", "Pod");
	add_str(doc, obj, "namespace", e->ns);
	add_str(doc, obj, "name", e->pod);
	add_str(doc, obj, "uid", e->uid);
}

int kube_encode_event(const struct kube_event *e, struct buf *out)
{
	_made_ struct made m = {};
	_buf_ struct buf name = {};
	yyjson_mut_val *root = made_open(&m, "v1", "Event"), *obj;

	if (!root || event_name(e, &name))
		return -ENOMEM;
	obj = yyjson_mut_obj_add_obj(m.doc, root, "metadata");
	add_str(m.doc, obj, "namespace", e->ns);
	add_str(m.doc, obj, "name", name.data);
	add_pod(m.doc, root, e);
	add_str(m.doc, root, "type", e->warning ? "Warning" : "Normal");
	add_str(m.doc, root, "reason", e->reason);
	yyjson_mut_obj_add_strncpy(m.doc, root, "message", e->message,
				   cut(e->message, EVENT_MESSAGE_MAX));
	add_time(m.doc, root, "firstTimestamp", e->when);
	add_time(m.doc, root, "lastTimestamp", e->when);
	yyjson_mut_obj_add_uint(m.doc, root, "count", 1);
	obj = yyjson_mut_obj_add_obj(m.doc, root, "source");
	add_str(m.doc, obj, "component", KUBE_FIELD_MANAGER);
	add_str(m.doc, obj, "host", e->node);
	add_str(m.doc, root, "reportingComponent", KUBE_FIELD_MANAGER);
	add_str(m.doc, root, "reportingInstance", e->node);
	return made_write(&m, out);
}

/* ---- Eviction, taints -----------------------------------------------------
 */

int kube_encode_eviction(const char *ns, const char *pod, const char *uid,
			 struct buf *out)
{
	_made_ struct made m = {};
	yyjson_mut_val *root = made_open(&m, "policy/v1", "Eviction"), *obj;

	if (!root)
		return -ENOMEM;
	obj = yyjson_mut_obj_add_obj(m.doc, root, "metadata");
	add_str(m.doc, obj, "namespace", ns);
	add_str(m.doc, obj, "name", pod);
	obj = yyjson_mut_obj_add_obj(m.doc, root, "deleteOptions");
	obj = yyjson_mut_obj_add_obj(m.doc, obj, "preconditions");
	add_str(m.doc, obj, "uid", uid);
	return made_write(&m, out);
}

static yyjson_mut_val *add_op(yyjson_mut_doc *doc, yyjson_mut_val *ops,
			      const char *op, const char *path)
{
	yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, ops);

	add_str(doc, obj, "op", op);
	add_str(doc, obj, "path", path);
	return obj;
}

/* From the last to the first, so that a removal does not move those still to be
 * removed. The test operation makes the whole patch fail if the list has
 * changed. */
static int untaint(yyjson_val *taints, const char *key, yyjson_mut_doc *doc,
		   yyjson_mut_val *ops)
{
	char path[64];
	int found = 0;

	for (size_t i = yyjson_arr_size(taints); i--;) {
		yyjson_val *taint = yyjson_arr_get(taints, i);
		yyjson_mut_val *obj;

		if (!yyjson_equals_str(yyjson_obj_get(taint, "key"), key))
			continue;
		snprintf(path, sizeof(path), "/spec/taints/%zu", i);
		obj = add_op(doc, ops, "test", path);
		yyjson_mut_obj_add_val(doc, obj, "value",
				       yyjson_val_mut_copy(doc, taint));
		add_op(doc, ops, "remove", path);
		found = 1;
	}
	return found;
}

int kube_encode_untaint(const char *node, size_t len, const char *key,
			struct buf *out)
{
	_doc_ yyjson_doc *in = yyjson_read(node, len, 0);
	yyjson_val *root = yyjson_doc_get_root(in);
	_made_ struct made m = {};
	yyjson_mut_val *ops;
	int found, err;

	if (!yyjson_equals_str(yyjson_obj_get(root, "kind"), "Node"))
		return -EINVAL;
	if (!made_open(&m, NULL, NULL))
		return -ENOMEM;
	ops = yyjson_mut_arr(m.doc);
	yyjson_mut_doc_set_root(m.doc, ops);
	found = untaint(yyjson_obj_get(yyjson_obj_get(root, "spec"), "taints"),
			key, m.doc, ops);
	err = found ? made_write(&m, out) : m.failed ? -ENOMEM : 0;
	return err ?: found;
}
