// SPDX-License-Identifier: Apache-2.0
#include "mesh/pnet.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "SMCMESH"

/* ---- names --------------------------------------------------------------- */

/* FNV-1a: two devices of one machine would share a name once in millions of
 * machines, and then each other's interfaces. */
void mesh_pnet_id(const char *device, unsigned int port,
		  char id[MESH_PNET_ID_ROOM])
{
	__u32 hash = 2166136261U;

	for (const char *c = device; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	hash = (hash ^ port) * 16777619U;
	snprintf(id, MESH_PNET_ID_ROOM, PREFIX "%08X", hash);
}

bool mesh_pnet_is_ours(const char *id)
{
	const size_t prefix = strlen(PREFIX);

	return !strncmp(id, PREFIX, prefix) && strlen(id) == prefix + 8 &&
	       strspn(id + prefix, "0123456789ABCDEF") == 8;
}

const struct mesh_pnet_entry *mesh_pnet_device(const struct mesh_pnet_table *t,
					       const char *device,
					       unsigned int port)
{
	for (size_t i = 0; i < t->n; i++)
		if (*t->v[i].device && !strcmp(t->v[i].device, device) &&
		    t->v[i].port == port)
			return &t->v[i];
	return NULL;
}

const struct mesh_pnet_entry *mesh_pnet_nic(const struct mesh_pnet_table *t,
					    const char *nic)
{
	for (size_t i = 0; i < t->n; i++)
		if (*t->v[i].nic && !strcmp(t->v[i].nic, nic))
			return &t->v[i];
	return NULL;
}

/* ---- the decision -------------------------------------------------------- */

struct asking {
	const struct nic_view *view;
	const struct mesh_pnet_port *ports;
	size_t n;
	const struct mesh_pnet_table *devices;
	bool host;
};

static bool has_port(const struct asking *q, const struct nic *nic)
{
	for (size_t i = 0; i < q->n; i++)
		if (!strcmp(q->ports[i].netdev, nic->name))
			return true;
	return false;
}

static bool has_ports_below(const struct asking *q, const struct nic *nic)
{
	for (size_t i = 0; i < q->view->n_nics; i++) {
		const struct nic *port = &q->view->nics[i];

		if (port->master == nic->ifindex && has_port(q, port))
			return true;
	}
	return false;
}

/* Follow it down, as the kernel does; eight devices are the most that it
 * stacks. Return: the last one in this namespace. */
static const struct nic *base_of(const struct asking *q, const struct nic *nic)
{
	const struct nic *below = nic;

	for (unsigned int i = 0; i < 8 && below; i++) {
		nic = below;
		if (!nic->lower || nic->lower_elsewhere)
			break;
		below = nic_of(q->view, nic->lower);
	}
	return nic;
}

/* Does the kernel find a port of @nic without an entry? It looks at the base
 * device alone, which another namespace may have. */
static bool is_carried(const struct asking *q, const struct nic *nic)
{
	const struct nic *base = base_of(q, nic);

	return !base->lower_elsewhere &&
	       (has_port(q, base) || has_ports_below(q, base));
}

/* The port of @nic itself, else the first one whose subnet has @addr. */
static const struct mesh_pnet_port *port_for(const struct asking *q,
					     const struct nic *nic,
					     const struct smc_addr *addr)
{
	const struct mesh_pnet_port *found = NULL;

	for (size_t i = 0; i < q->n; i++) {
		const struct mesh_pnet_port *p = &q->ports[i];

		if (!cidr_has(&p->subnet, addr))
			continue;
		if (!strcmp(p->netdev, nic->name))
			return p;
		if (!found)
			found = p;
	}
	return found;
}

static bool has_need(const struct mesh_pnet_plan *plan, const struct nic *nic)
{
	for (unsigned int i = 0; i < plan->n; i++)
		if (!strcmp(plan->v[i].nic, nic->name))
			return true;
	return false;
}

static void add_need(const struct asking *q, const struct nic *nic,
		     const struct mesh_pnet_port *port,
		     struct mesh_pnet_plan *out)
{
	const struct mesh_pnet_entry *named =
		mesh_pnet_device(q->devices, port->device, port->port);
	struct mesh_pnet_need *need = &out->v[out->n];

	if (out->n == MESH_PNET_MAX || has_need(out, nic) ||
	    (named && q->host && !mesh_pnet_is_ours(named->id)))
		return;
	*need = (struct mesh_pnet_need){.port = port->port};
	strcpy(need->nic, nic->name);
	strcpy(need->device, port->device);
	if (named)
		strcpy(need->id, named->id);
	else
		mesh_pnet_id(port->device, port->port, need->id);
	out->n++;
}

static void ask(const struct asking *q, const struct nic *nic,
		const struct smc_addr *addr, struct mesh_pnet_plan *out)
{
	const struct mesh_pnet_port *port = port_for(q, nic, addr);
	const struct nic *base = base_of(q, nic);

	if (is_carried(q, nic))
		return;
	if (port) {
		add_need(q, nic, port, out);
	} else if (base->lower_elsewhere && !out->parent) {
		out->parent = base->lower;
		out->parent_addr = *addr;
	}
}

void mesh_pnet_plan(const struct nic_view *view,
		    const struct mesh_pnet_port *ports, size_t n,
		    const struct mesh_pnet_table *devices, bool host,
		    struct mesh_pnet_plan *out)
{
	const struct asking q = {view, ports, n, devices, host};

	*out = (struct mesh_pnet_plan){};
	for (size_t i = 0; i < view->n_addrs; i++) {
		const struct nic_addr *a = &view->addrs[i];
		const struct nic *nic = nic_of(view, a->ifindex);

		if (nic && !nic->loopback && addr_is_v4(&a->addr))
			ask(&q, nic, &a->addr, out);
	}
}

void mesh_pnet_parent(const struct nic_view *view,
		      const struct mesh_pnet_port *ports, size_t n,
		      const struct mesh_pnet_table *devices,
		      unsigned int parent, const struct smc_addr *addr,
		      struct mesh_pnet_plan *out)
{
	const struct asking q = {view, ports, n, devices, true};
	const struct nic *nic = nic_of(view, parent);

	if (nic)
		ask(&q, nic, addr, out);
}
