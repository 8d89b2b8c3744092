/* SPDX-License-Identifier: Apache-2.0 */
/* Worlds for the tests of mesh/, built by hand: no JSON, nothing to free. */
#pragma once

#include "unit.h"
#include "mesh/plan.h"

#define R SMC_TRANSPORT_SMCR
#define D SMC_TRANSPORT_SMCD

/* A world of at most so many of each. */
#define SCENE_MAX 16

struct scene {
	struct mesh_world world;
	struct mesh_host host;
	struct mesh_pod pods[SCENE_MAX];
	struct mesh_node nodes[SCENE_MAX];
	struct mesh_endpoint endpoints[SCENE_MAX][SCENE_MAX];
	struct mesh_seen seen[SCENE_MAX];
	size_t n_seen;
	struct smc_addr addrs[8 * SCENE_MAX]; /* pods' and seen's */
	size_t n_addrs;
	char *ueids[1];
	struct mesh_plan plan;
	bool planned;
};

static inline int scene_setup(void **state)
{
	static char ueid[] = MESH_DEFAULT_UEID;
	struct scene *s = calloc(1, sizeof(*s));

	mesh_world_init(&s->world);
	s->world.config.enabled = MESH_ON;
	s->world.pods = s->pods;
	s->world.nodes = s->nodes;
	s->host = (struct mesh_host){.node = "n1",
				     .converter = true,
				     .selector = true,
				     .cgroup2 = true,
				     .transports = R | D,
				     .netns_cookie = 1};
	s->ueids[0] = ueid;
	*state = s;
	return 0;
}

static inline int scene_teardown(void **state)
{
	struct scene *s = *state;

	if (s->planned)
		mesh_plan_free(&s->plan);
	free(s);
	return 0;
}

static inline struct mesh_addrs scene_addrs(struct scene *s,
					    const char *const *texts)
{
	struct mesh_addrs list = {.v = &s->addrs[s->n_addrs]};

	for (; *texts; texts++, list.n++)
		s->addrs[s->n_addrs++] = addr(*texts);
	return list;
}
#define ADDRS(s, ...) scene_addrs((s), (const char *const[]){__VA_ARGS__, NULL})

/* An annotated pod called @name, UID too; one second younger than the last. */
#define add_pod(s, node, name, ...) \
	scene_pod((s), (node), (name), ADDRS((s), __VA_ARGS__))

static inline struct mesh_pod *scene_pod(struct scene *s, const char *node,
					 const char *name,
					 struct mesh_addrs addrs)
{
	struct mesh_pod *p = &s->pods[s->world.n_pods++];

	p->ns = (char *)"ns";
	p->name = p->uid = (char *)name;
	p->node = (char *)node;
	p->enabled = MESH_ON;
	p->addrs = addrs;
	p->created = 1000 + s->world.n_pods;
	return p;
}

/* The pod's namespace was seen, verified, with just its addresses. Cookies are
 * 100, 101... and numbers 1, 2... in the order of the calls. */
static inline struct mesh_seen *see(struct scene *s, const struct mesh_pod *p)
{
	struct mesh_seen *seen = &s->seen[s->n_seen];

	seen->pod_uid = p->uid;
	seen->verified = true;
	seen->pod_id = s->n_seen + 1;
	if (p->host_network)
		seen->cgroup_id = 100 + s->n_seen;
	else
		seen->netns_cookie = 100 + s->n_seen;
	seen->transports = R | D;
	seen->addrs = p->addrs;
	s->n_seen++;
	return seen;
}

/* A ready SmcNode of our fabric. */
static inline struct mesh_node *add_node(struct scene *s, const char *name)
{
	struct mesh_node *n = &s->nodes[s->world.n_nodes];

	n->name = (char *)name;
	n->ready = true;
	n->transports = R | D;
	n->ueids = s->ueids;
	n->n_ueids = 1;
	n->endpoints = s->endpoints[s->world.n_nodes++];
	return n;
}

static inline struct mesh_endpoint *publish(struct mesh_node *n,
					    const char *uid, const char *text)
{
	struct mesh_endpoint *e = &n->endpoints[n->n_endpoints++];

	e->addr = addr(text);
	e->transports = R | D;
	e->ns = (char *)"ns";
	e->pod = e->uid = (char *)uid;
	e->created = 2000 + n->n_endpoints;
	return e;
}

/* Make the plan (again). */
static inline struct mesh_plan *plan(struct scene *s)
{
	if (s->planned)
		mesh_plan_free(&s->plan);
	s->planned = false;
	assert_int_equal(
		mesh_plan(&s->world, &s->host, s->seen, s->n_seen, &s->plan),
		0);
	s->planned = true;
	return &s->plan;
}

/* The endpoint at @text, or NULL. */
static inline struct plan_endpoint *endpoint(struct scene *s, const char *text)
{
	struct smc_addr a = addr(text);

	for (size_t i = 0; i < s->plan.n_endpoints; i++)
		if (!addr_cmp(&s->plan.endpoints[i].addr, &a))
			return &s->plan.endpoints[i];
	return NULL;
}
