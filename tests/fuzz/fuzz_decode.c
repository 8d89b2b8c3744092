// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer's entry: any bytes as a List. What comes out must be a world that
 * keeps the promises of mesh/model.h, and mesh_plan() must be able to live with
 * it. `make fuzz` builds and runs it with clang; tests/unit/test_fuzz_corpus.c
 * feeds it what is in corpus/, with every build.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects/decode.h"
#include "mesh/spec_limits.h"
#include "mesh/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define promise(holds)                                                   \
	do {                                                             \
		if (!(holds)) {                                          \
			fprintf(stderr, "broken promise: %s\n", #holds); \
			abort();                                         \
		}                                                        \
	} while (0)

static void check_ports(const struct mesh_ports *p)
{
	for (size_t i = 0; i < p->n; i++)
		promise(p->v[i] && (!i || p->v[i - 1] < p->v[i]));
}

static void check_ranges(const struct mesh_ranges *r)
{
	for (size_t i = 0; i < r->n; i++)
		promise(r->v[i].first && r->v[i].first <= r->v[i].last &&
			(!i || r->v[i - 1].last + 1 < r->v[i].first));
}

static void check_pods(const struct mesh_world *w)
{
	for (size_t i = 0; i < w->n_pods; i++) {
		const struct mesh_pod *p = &w->pods[i];

		promise(p->ns && *p->name && *p->uid && p->node);
		promise(!p->netns_path || *p->netns_path == '/');
		promise(!p->cgroup_path ||
			(p->cgroup_path[0] == '/' && p->cgroup_path[1] &&
			 p->host_network));
		check_ranges(&p->exclude_in);
		check_ranges(&p->exclude_out);
		for (size_t k = 0; k < i && i < 100; k++)
			promise(strcmp(p->uid, w->pods[k].uid));
	}
}

static void check_service_ports(const struct mesh_service_port *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		promise(v[i].name && v[i].port);
}

static void check_services(const struct mesh_world *w)
{
	for (size_t i = 0; i < w->n_namespaces; i++) {
		const struct mesh_namespace *n = &w->namespaces[i];

		promise(*n->name && (n->in.said || !n->in.ports.n));
		check_ranges(&n->in.ports);
		check_ranges(&n->out.ports);
	}
	for (size_t i = 0; i < w->n_services; i++) {
		const struct mesh_service *s = &w->services[i];

		promise(*s->ns && *s->name);
		check_service_ports(s->ports, s->n_ports);
		check_ports(&s->node_ports);
	}
	for (size_t i = 0; i < w->n_slices; i++) {
		promise(*w->slices[i].ns && w->slices[i].service);
		check_service_ports(w->slices[i].ports, w->slices[i].n_ports);
	}
}

static void check_limits(const struct mesh_config *c)
{
	const struct mesh_limits *l = &c->limits;

	promise(l->pending_pod && l->pending_pod <= l->pending_node);
	promise(l->pending_node <= MESH_PENDING_MAX);
	promise(l->connections_pod &&
		l->connections_pod <= MESH_CONNECTIONS_MAX);
	promise(l->memory_percent &&
		l->memory_percent <= MESH_MEMORY_PERCENT_MAX);
	promise(!c->lease_s || (c->lease_s >= MESH_LEASE_MIN_S &&
				c->lease_s <= MESH_LEASE_MAX_S));
}

static void check_world(const struct mesh_world *w)
{
	const struct mesh_config *c = &w->config;

	promise(mesh_ueid_valid(c->ueid));
	promise(c->mark && !(c->mark & ~c->mark_mask));
	check_ranges(&c->exclude_ports);
	check_limits(c);
	check_pods(w);
	check_services(w);
	for (size_t i = 0; i < w->n_nodes; i++) {
		promise(*w->nodes[i].name);
		for (size_t k = 0; k < w->nodes[i].n_endpoints; k++) {
			const struct mesh_endpoint *e =
				&w->nodes[i].endpoints[k];

			promise(*e->ns && *e->pod && *e->uid);
			check_ports(&e->ports);
		}
	}
}

static void check_plan(const struct mesh_world *w)
{
	const struct mesh_host host = {.node = "n1",
				       .converter = true,
				       .selector = true,
				       .cgroup2 = true,
				       .transports = SMC_TRANSPORT_SMCR};
	struct mesh_plan plan;

	promise(!mesh_plan(w, &host, NULL, 0, &plan));
	for (size_t i = 0; i < plan.n_endpoints; i++)
		promise(addr_usable(&plan.endpoints[i].addr) &&
			(!i || addr_cmp(&plan.endpoints[i - 1].addr,
					&plan.endpoints[i].addr) < 0));
	for (size_t i = 1; i < plan.n_services; i++)
		promise(memcmp(plan.services[i - 1].key.ip,
			       plan.services[i].key.ip, 16) <= 0);
	mesh_plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf notes = {0}, error = {0};
	struct mesh_world w;
	int err;

	err = kube_decode_list((const char *)data, size, &w, &notes, &error);
	promise(notes.len < 100000 && error.len < 2000);
	if (err) {
		promise(error.len);
	} else {
		check_world(&w);
		check_plan(&w);
		mesh_world_free(&w);
	}
	buf_free(&notes);
	buf_free(&error);
	return 0;
}
