// SPDX-License-Identifier: Apache-2.0
#include "mesh/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void mesh_config_reset(struct mesh_config *c)
{
	free(c->exclude_cidrs);
	free(c->exclude_ports.v);
	memset(c, 0, sizeof(*c));
	strcpy(c->ueid, MESH_DEFAULT_UEID);
	c->mark = MESH_DEFAULT_MARK;
	c->mark_mask = MESH_DEFAULT_MARK_MASK;
	c->limits = (struct mesh_limits){
		.pending_pod = MESH_DEFAULT_PENDING_POD,
		.pending_node = MESH_DEFAULT_PENDING_NODE,
		.connections_pod = MESH_DEFAULT_CONNECTIONS_POD,
		.memory_percent = MESH_DEFAULT_MEMORY_PERCENT,
	};
	c->lease_s = MESH_DEFAULT_LEASE_S;
	mesh_settings_reset(&c->settings);
}

void mesh_world_init(struct mesh_world *w)
{
	memset(w, 0, sizeof(*w));
	mesh_config_reset(&w->config);
}

int mesh_config_copy(const struct mesh_config *c, struct mesh_config *out)
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

void mesh_pod_free(struct mesh_pod *p)
{
	free(p->ns);
	free(p->name);
	free(p->uid);
	free(p->node);
	free(p->netns_path);
	free(p->cgroup_path);
	free(p->cgroup_uid);
	free(p->problem);
	free(p->addrs.v);
	free(p->exclude_in.v);
	free(p->exclude_out.v);
	free(p->host_ports.v);
	for (size_t i = 0; i < p->n_containers; i++)
		free(p->containers[i].name);
	free(p->containers);
	memset(p, 0, sizeof(*p));
}

void mesh_endpoint_free(struct mesh_endpoint *e)
{
	free(e->ns);
	free(e->pod);
	free(e->uid);
	free(e->ports.v);
	memset(e, 0, sizeof(*e));
}

void mesh_node_free(struct mesh_node *n)
{
	for (size_t i = 0; i < n->n_endpoints; i++)
		mesh_endpoint_free(&n->endpoints[i]);
	for (size_t i = 0; i < n->n_ueids; i++)
		free(n->ueids[i]);
	free(n->endpoints);
	free(n->ueids);
	free(n->name);
	free(n->boot_id);
	free(n->version);
	memset(n, 0, sizeof(*n));
}

static void default_free(struct mesh_default *d)
{
	free(d->problem);
	free(d->ports.v);
}

void mesh_namespace_free(struct mesh_namespace *n)
{
	free(n->name);
	default_free(&n->enabled);
	default_free(&n->in);
	default_free(&n->out);
	memset(n, 0, sizeof(*n));
}

static void service_ports_free(struct mesh_service_port *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].name);
	free(v);
}

void mesh_service_free(struct mesh_service *s)
{
	free(s->ns);
	free(s->name);
	free(s->addrs.v);
	free(s->externals.v);
	service_ports_free(s->ports, s->n_ports);
	free(s->node_ports.v);
	memset(s, 0, sizeof(*s));
}

void mesh_slice_free(struct mesh_slice *s)
{
	free(s->ns);
	free(s->name);
	free(s->service);
	free(s->backends.v);
	service_ports_free(s->ports, s->n_ports);
	memset(s, 0, sizeof(*s));
}

void mesh_world_free(struct mesh_world *w)
{
#define FREE_ALL(type, array)                     \
	for (size_t i = 0; i < w->n_##array; i++) \
		mesh_##type##_free(&w->array[i]); \
	free(w->array);
	FREE_ALL(pod, pods)
	FREE_ALL(node, nodes)
	FREE_ALL(namespace, namespaces)
	FREE_ALL(service, services)
	FREE_ALL(slice, slices)
#undef FREE_ALL
	free(w->config.exclude_cidrs);
	free(w->config.exclude_ports.v);
	memset(w, 0, sizeof(*w));
}

bool mesh_enabled(const struct mesh_config *c)
{
	if (c->enabled != MESH_UNSET)
		return c->enabled == MESH_ON;
	return c->asm_enabled == MESH_ON;
}

int mesh_switch_parse(const char *text, enum mesh_switch *out)
{
	if (!strcmp(text, "true"))
		*out = MESH_ON;
	else if (!strcmp(text, "false"))
		*out = MESH_OFF;
	else
		return -EINVAL;
	return 0;
}

bool mesh_ueid_valid(const char *ueid)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	size_t len = strlen(ueid);

	return len >= 1 && len <= MESH_UEID_MAX && *ueid != '.' &&
	       *ueid != '-' && strspn(ueid, allowed) == len;
}

/* ---- ports ----------------------------------------------------------------
 */

static int port_cmp(const void *a, const void *b)
{
	return (int)*(const __u16 *)a - (int)*(const __u16 *)b;
}

int mesh_ports_set(struct mesh_ports *out, const __u16 *v, size_t n)
{
	__u16 *copy = NULL;

	if (n) {
		copy = reallocarray(NULL, n, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, v, n * sizeof(*copy));
	}
	free(out->v);
	out->v = copy;
	out->n = array_sort_once(copy, n, sizeof(*copy), port_cmp, port_cmp);
	return 0;
}

bool mesh_ports_has(const struct mesh_ports *p, __u16 port)
{
	return p->n && bsearch(&port, p->v, p->n, sizeof(port), port_cmp);
}
