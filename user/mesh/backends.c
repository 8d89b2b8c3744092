// SPDX-License-Identifier: Apache-2.0
#include "mesh/backends.h"

#include <errno.h>
#include <string.h>
#include "base/array.h"

static bool has(const struct mesh_addrs *addrs, const struct smc_addr *addr)
{
	for (size_t i = 0; i < addrs->n; i++)
		if (!addr_cmp(&addrs->v[i], addr))
			return true;
	return false;
}

/* A ClusterIP is one Service's; an external address may be several's. */
static const struct mesh_service *find(const struct mesh_world *w,
				       const struct smc_addr *addr,
				       enum backends_found *found)
{
	const struct mesh_service *external = NULL;

	for (size_t i = 0; i < w->n_services; i++) {
		if (has(&w->services[i].addrs, addr)) {
			*found = BACKENDS_NO_PORT;
			return &w->services[i];
		}
		if (has(&w->services[i].externals, addr))
			external = &w->services[i];
	}
	*found = external ? BACKENDS_EXTERNAL : BACKENDS_NO_SERVICE;
	return external;
}

static int add_slice(const struct mesh_slice *slice, const char *port,
		     bool is_v4, struct backends *out)
{
	for (size_t i = 0; i < slice->n_ports; i++) {
		if (strcmp(slice->ports[i].name, port))
			continue;
		for (size_t k = 0; k < slice->backends.n; k++) {
			const struct smc_addr *addr = &slice->backends.v[k];
			struct smc_addr_port *slot;

			if (addr_is_v4(addr) != is_v4)
				continue;
			slot = array_push(out->v, out->n);
			if (!slot)
				return -ENOMEM;
			*slot = addr_port(addr, slice->ports[i].port);
		}
	}
	return 0;
}

static int add_port(const struct mesh_world *w, const char *port, bool is_v4,
		    struct backends *out)
{
	const struct mesh_service *s = out->service;
	int err = 0;

	for (size_t i = 0; i < w->n_slices && !err; i++)
		if (!strcmp(w->slices[i].ns, s->ns) &&
		    !strcmp(w->slices[i].service, s->name))
			err = add_slice(&w->slices[i], port, is_v4, out);
	return err;
}

static int order(const void *a, const void *b)
{
	return addr_port_cmp(a, b);
}

int backends_of(const struct mesh_world *w, const struct smc_addr_port *at,
		struct backends *out)
{
	struct backends b = {};
	struct smc_addr addr;
	int err = 0;

	memcpy(addr.ip, at->ip, sizeof(addr.ip));
	b.service = find(w, &addr, &b.found);
	if (b.found == BACKENDS_NO_PORT)
		for (size_t i = 0; i < b.service->n_ports && !err; i++) {
			if (b.service->ports[i].port != at->port)
				continue;
			b.found = BACKENDS_NONE;
			err = add_port(w, b.service->ports[i].name,
				       addr_is_v4(&addr), &b);
		}
	if (err) {
		backends_free(&b);
		return err;
	}
	b.n = array_sort_once(b.v, b.n, sizeof(*b.v), order, order);
	if (b.n)
		b.found = BACKENDS_SOME;
	*out = b;
	return 0;
}

void backends_free(struct backends *b)
{
	free(b->v);
	*b = (struct backends){};
}

const char *backends_remedy(enum backends_found found)
{
	static const char *const remedies[] = {
		[BACKENDS_EXTERNAL] =
			"nothing can be done for an external address: connect to the Service's ClusterIP, or to the pods themselves",
		[BACKENDS_NO_PORT] =
			"nothing can be done: that port is none of the Service's TCP ports",
		[BACKENDS_NONE] =
			"see that a pod behind the Service is ready: it has no backend now",
	};

	return found < array_size(remedies) && remedies[found] ? remedies[found]
							       : "";
}
