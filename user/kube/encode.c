// SPDX-License-Identifier: Apache-2.0
#include "kube/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/array.h"
#include "base/when.h"

struct published {
	const struct smc_addr *addr;
	const struct plan_pod *pod;
};

struct list {
	struct published *v;
	size_t n;
};

static void list_free(struct list *l)
{
	free(l->v);
}

static int published_cmp(const void *a, const void *b)
{
	const struct published *x = a, *y = b;
	int order = addr_cmp(x->addr, y->addr);

	return order ? order : strcmp(x->pod->pod->uid, y->pod->pod->uid);
}

static int collect(const struct mesh_plan *plan, struct list *l)
{
	for (size_t i = 0; i < plan->n_pods; i++) {
		const struct plan_pod *p = &plan->pods[i];

		for (size_t k = 0; k < p->published.n; k++) {
			struct published *slot = array_push(l->v, l->n);

			if (!slot)
				return -ENOMEM;
			slot->addr = &p->published.v[k];
			slot->pod = p;
		}
	}
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), published_cmp);
	return 0;
}

/*
 * yyjson's builders take the NULL of one that had no memory, and leave the
 * value out. A text with an endpoint missing must not get out, so the allocator
 * remembers, and is asked once at the end.
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

static void add_endpoint(yyjson_mut_doc *doc, yyjson_mut_val *arr,
			 const struct published *p)
{
	yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, arr);
	const struct mesh_pod *pod = p->pod->pod;
	char addr[ADDR_STRLEN];

	add_str(doc, obj, "address", addr_format(p->addr, addr));
	add_transports(doc, obj,
		       mesh_transports_at(p->addr, p->pod->value.transports));
	add_str(doc, obj, "namespace", pod->ns);
	add_str(doc, obj, "pod", pod->name);
	add_str(doc, obj, "uid", pod->uid);
	add_time(doc, obj, "created", pod->created);
	if (pod->host_network)
		yyjson_mut_obj_add_arr(doc, obj, "ports");
}

static void add_rdma(yyjson_mut_doc *doc, yyjson_mut_val *arr,
		     const struct kube_rdma *r)
{
	yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, arr);

	add_str(doc, obj, "device", r->device);
	yyjson_mut_obj_add_uint(doc, obj, "port", r->port);
	add_str(doc, obj, "netdev", r->netdev);
	add_str(doc, obj, "subnet", r->subnet);
}

static void add_ready(yyjson_mut_doc *doc, yyjson_mut_val *status,
		      const struct kube_node *n)
{
	yyjson_mut_val *arr = yyjson_mut_obj_add_arr(doc, status, "conditions");
	yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, arr);

	add_str(doc, obj, "type", "Ready");
	add_str(doc, obj, "status", n->ready ? "True" : "False");
	add_str(doc, obj, "reason", n->reason);
	add_str(doc, obj, "message", n->message);
	add_time(doc, obj, "lastTransitionTime", n->transition);
}

static void add_status(yyjson_mut_doc *doc, yyjson_mut_val *status,
		       const struct kube_node *n, const struct list *published)
{
	yyjson_mut_val *arr;

	add_str(doc, status, "kernel", n->kernel);
	add_str(doc, status, "bootID", n->boot_id);
	yyjson_mut_obj_add_uint(doc, status, "endpointCount", published->n);
	add_str(doc, status, "converter", n->converter);
	add_str(doc, status, "selector", n->selector);
	add_transports(doc, status, n->transports);
	arr = yyjson_mut_obj_add_arr(doc, status, "ueids");
	for (size_t i = 0; i < n->n_ueids; i++)
		yyjson_mut_arr_add_strcpy(doc, arr, n->ueids[i]);
	arr = yyjson_mut_obj_add_arr(doc, status, "rdma");
	for (size_t i = 0; i < n->n_rdma; i++)
		add_rdma(doc, arr, &n->rdma[i]);
	arr = yyjson_mut_obj_add_arr(doc, status, "endpoints");
	for (size_t i = 0; i < published->n; i++)
		add_endpoint(doc, arr, &published->v[i]);
	add_ready(doc, status, n);
}

static void doc_free(yyjson_mut_doc **doc)
{
	yyjson_mut_doc_free(*doc);
}

int kube_encode_node(const struct kube_node *n, struct buf *out)
{
	bool failed = false;
	const yyjson_alc alc = {sticky_malloc, sticky_realloc, sticky_free,
				&failed};
	_cleanup_(doc_free) yyjson_mut_doc *doc = yyjson_mut_doc_new(&alc);
	_cleanup_(list_free) struct list published = {0};
	yyjson_mut_val *root, *meta;
	_free_ char *text = NULL;
	size_t len;

	if (!doc || (n->plan && collect(n->plan, &published)))
		return -ENOMEM;
	root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	add_str(doc, root, "apiVersion", "smcmesh.io/v1alpha1");
	add_str(doc, root, "kind", "SmcNode");
	meta = yyjson_mut_obj_add_obj(doc, root, "metadata");
	add_str(doc, meta, "name", n->name);
	add_status(doc, yyjson_mut_obj_add_obj(doc, root, "status"), n,
		   &published);
	text = yyjson_mut_write(doc, 0, &len);
	return text && !failed ? buf_add(out, text, len) : -ENOMEM;
}
