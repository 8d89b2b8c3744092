/* SPDX-License-Identifier: Apache-2.0 */
/* Scenes with Services, for the tests of which ports may be offered SMC. */
#pragma once

#include "worlds.h"

#define VIP "10.96.0.1"

struct cast { /* a scene and its Services */
	struct scene *s;
	struct mesh_service services[4];
	struct mesh_slice slices[8];
	struct mesh_service_port ports[32];
	size_t n_ports;
};

static inline int cast_setup(void **state)
{
	struct cast *c = calloc(1, sizeof(*c));

	scene_setup((void **)&c->s);
	c->s->world.services = c->services;
	c->s->world.slices = c->slices;
	*state = c;
	return 0;
}

static inline int cast_teardown(void **state)
{
	struct cast *c = *state;

	scene_teardown((void **)&c->s);
	free(c);
	return 0;
}

static inline struct mesh_service_port *add_port(struct cast *c,
						 const char *name, __u16 port)
{
	struct mesh_service_port *p = &c->ports[c->n_ports++];

	*p = (struct mesh_service_port){(char *)name, port};
	return p;
}

/* Service ns/@name at one address, with port 80 called "http". */
static inline struct mesh_service *add_service(struct cast *c, const char *name,
					       struct mesh_addrs addrs)
{
	struct mesh_service *s = &c->services[c->s->world.n_services++];

	s->ns = (char *)"ns";
	s->name = (char *)name;
	s->addrs = addrs;
	s->ports = add_port(c, "http", 80);
	s->n_ports = 1;
	return s;
}

/* A slice of it: port "http" is 8080 there. */
static inline struct mesh_slice *add_slice(struct cast *c, const char *service,
					   struct mesh_addrs backends)
{
	struct mesh_slice *s = &c->slices[c->s->world.n_slices++];

	s->ns = (char *)"ns";
	s->name = s->service = (char *)service;
	s->ports = add_port(c, "http", 8080);
	s->n_ports = 1;
	s->backends = backends;
	return s;
}
#define SLICE(c, service, ...) \
	add_slice((c), (service), ADDRS((c)->s, __VA_ARGS__))
#define SERVICE(c, name, ...) \
	add_service((c), (name), ADDRS((c)->s, __VA_ARGS__))

static inline struct plan_service *row(struct cast *c, const char *ip,
				       __u16 port)
{
	struct smc_addr a = addr(ip);

	for (size_t i = 0; i < c->s->plan.n_services; i++) {
		struct plan_service *r = &c->s->plan.services[i];

		if (!memcmp(r->key.ip, a.ip, sizeof(a.ip)) &&
		    r->key.port == port)
			return r;
	}
	return NULL;
}

/* The transports of the row there; -1: there is none. */
static inline int at(struct cast *c, const char *ip, __u16 port)
{
	struct plan_service *r = row(c, ip, port);

	return r ? (int)r->transports : -1;
}

/* Armed pods: a and b here (10.1.0.x), c on n2 (10.2.0.1). */
static inline void add_pods(struct cast *c)
{
	see(c->s, add_pod(c->s, "n1", "a", "10.1.0.1", "fd00::1"));
	see(c->s, add_pod(c->s, "n1", "b", "10.1.0.2"));
	publish(add_node(c->s, "n2"), "c", "10.2.0.1");
}

static __u16 web_ports[] = {8080, 30080};

/* A hostNetwork pod of this node, at 192.168.0.1, listening at 8080. */
static inline struct mesh_seen *add_host_pod(struct cast *c, const char *name)
{
	struct mesh_pod *p = add_pod(c->s, "n1", name, "192.168.0.1");
	struct mesh_seen *seen;

	p->host_network = true;
	seen = see(c->s, p);
	seen->listens = (struct mesh_ports){web_ports, 1};
	return seen;
}

#define test(name) \
	cmocka_unit_test_setup_teardown(name, cast_setup, cast_teardown)
