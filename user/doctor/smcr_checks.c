// SPDX-License-Identifier: Apache-2.0
#include "doctor/smcr_checks.h"

#define MIB (1024.0 * 1024.0)

bool armed_pods_unseen(const struct doctor *d)
{
	return !d->maps && !feature_present(&d->features, FEATURE_CAPABILITIES);
}

/* ---- addresses and routes ---- */

static const struct rdma_device *usable_port(const struct smcr_space *s)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (rdma_usable(&s->ports[i]))
			return &s->ports[i];
	return NULL;
}

static bool is_port(const struct smcr_space *s, const char *netdev)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (!strcmp(s->ports[i].netdev, netdev))
			return true;
	return false;
}

/* smc_ib_determine_gid_rcu() wants the connection's own address in a subnet of
 * the port's netdev. */
static bool has_strays(const struct doctor_namespace *ns,
		       const struct rdma_device *port, struct finding *f)
{
	char addr[ADDR_STRLEN], subnet[ADDR_STRLEN];

	for (unsigned int i = 0; i < ns->smcr.n_strays; i++)
		buf_printf(
			&f->found,
			"%s%s of %s is in no subnet of an RDMA netdev (%s/%u on %s has %s)",
			check_join(f), addr_format(&ns->smcr.strays[i], addr),
			ns->path, port->name, port->port, port->netdev,
			cidr_format(&port->subnet, subnet));
	return ns->smcr.n_strays;
}

/* Which device SMC takes follows from the route, if no PNET id says it. */
static bool is_astray(const struct doctor_namespace *ns,
		      const struct smcr_route *r, struct finding *f)
{
	char addr[ADDR_STRLEN];

	addr_format(&r->peer, addr);
	if (r->err) {
		buf_printf(&f->found, "%sfrom %s to %s: %s", check_join(f),
			   ns->path, addr, strerror(-r->err));
		return true;
	}
	if (ns->smcr.n_pnets || is_port(&ns->smcr, r->netdev))
		return false;
	buf_printf(
		&f->found,
		"%sfrom %s to %s packets leave by %s, which has no RDMA device",
		check_join(f), ns->path, addr, r->netdev);
	return true;
}

static bool is_space_wrong(const struct doctor_namespace *ns, struct finding *f)
{
	const struct rdma_device *port = usable_port(&ns->smcr);
	bool wrong;

	if (!port)
		return false;
	wrong = has_strays(ns, port, f);
	for (unsigned int i = 0; i < ns->smcr.n_routes; i++)
		wrong |= is_astray(ns, &ns->smcr.routes[i], f);
	return wrong;
}

enum check_status ask_smcr_subnet(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f)
{
	unsigned int judged = 0;
	bool wrong = false;
	int err = 0;

	for (size_t i = 0; i < d->spaces.n; i++) {
		const struct doctor_namespace *ns = &d->spaces.v[i];

		if (!ns->armed)
			continue;
		err = err ?: ns->smcr_err;
		judged += usable_port(&ns->smcr) != NULL;
		wrong |= is_space_wrong(ns, f);
	}
	if (armed_pods_unseen(d))
		return check_untold(f, "the maps of smcmesh", -EPERM);
	if (err && !wrong)
		return check_untold(f, "an armed pod's namespace", err);
	if (!judged)
		return check_skip(
			f, "no armed pod has a usable RDMA port of its own");
	return check_wrong(c, wrong);
}

/* ---- PNET ids ---- */

static bool has_device(const struct doctor *d, const char *id)
{
	for (int i = 0; i < d->n_pnets; i++)
		if (*d->pnets[i].device && !strcmp(d->pnets[i].id, id))
			return true;
	return false;
}

/* An id without a device: the lookup ends there
 * (smc_pnet_find_roce_by_pnetid()). @where: "" for the host's own table. */
static bool is_alone(const struct doctor *d, const struct mesh_pnet_entry *e,
		     const char *where, struct finding *f)
{
	if (!*e->nic || has_device(d, e->id))
		return false;
	buf_printf(&f->found,
		   "%s%s%s%s has the PNET id %s, and no RDMA device has it",
		   check_join(f), e->nic, *where ? " of " : "", where, e->id);
	return true;
}

/* The host's NIC of the device of @e has another id. */
static bool is_split(const struct doctor *d, const struct mesh_pnet_entry *e,
		     struct finding *f)
{
	bool split = false;

	for (unsigned int i = 0; i < d->n_rdma; i++) {
		const struct rdma_device *port = &d->rdma[i];

		if (strcmp(port->name, e->device) || port->port != e->port)
			continue;
		for (int k = 0; k < d->n_pnets; k++) {
			const struct mesh_pnet_entry *o = &d->pnets[k];

			if (!*o->nic || strcmp(o->nic, port->netdev) ||
			    !strcmp(o->id, e->id))
				continue;
			split = true;
			buf_printf(
				&f->found,
				"%s%s/%u has the PNET id %s, and its netdev %s has %s",
				check_join(f), e->device, e->port, e->id,
				o->nic, o->id);
		}
	}
	return split;
}

static bool are_pods_alone(const struct doctor *d, struct finding *f)
{
	bool wrong = false;

	for (size_t i = 0; i < d->spaces.n; i++) {
		const struct doctor_namespace *ns = &d->spaces.v[i];

		for (unsigned int k = 0; k < ns->smcr.n_pnets; k++)
			wrong |= is_alone(d, &ns->smcr.pnets[k], ns->path, f);
	}
	return wrong;
}

enum check_status ask_pnet(const struct doctor_check *c, const struct doctor *d,
			   struct finding *f)
{
	bool wrong = false;

	if (d->n_pnets < 0)
		return check_untold(f, "the kernel's PNET table", d->n_pnets);
	for (int i = 0; i < d->n_pnets; i++) {
		wrong |= is_alone(d, &d->pnets[i], "", f);
		wrong |= is_split(d, &d->pnets[i], f);
	}
	wrong |= are_pods_alone(d, f);
	if (!wrong || strcmp(d->host.machine, "s390x"))
		return check_wrong(c, wrong);
	buf_printf(&f->found,
		   "; devices of this machine may have ids by their firmware");
	return CHECK_UNKNOWN;
}

/* ---- the mesh ---- */

static void say_stranger(yyjson_val *node, struct finding *f)
{
	yyjson_val *ueids = yyjson_obj_get(node, "ueids"), *id;
	size_t i, max;

	buf_printf(&f->found, "%snode %s has", check_join(f),
		   yyjson_get_str(yyjson_obj_get(node, "node")) ?: "?");
	yyjson_arr_foreach (ueids, i, max, id) {
		buf_printf(&f->found, "%s %s", i ? "," : "",
			   yyjson_get_str(id) ?: "?");
	}
}

enum check_status ask_ueid_mesh(const struct doctor_check *c,
				const struct doctor *d, struct finding *f)
{
	yyjson_val *fabric = yyjson_obj_get(d->agent, "fabric"), *node;
	size_t i, max;
	__u64 nodes, strangers;

	if (!d->agent && d->agent_err == -EACCES)
		return check_untold(f, "the agent's socket", d->agent_err);
	if (!d->agent)
		return check_skip(f, "no agent of this node answers");
	if (!fabric)
		return check_skip(f, "the agent knows no other node yet");
	nodes = yyjson_get_uint(yyjson_obj_get(fabric, "nodes"));
	strangers = yyjson_get_uint(yyjson_obj_get(fabric, "strangers"));
	if (!nodes)
		return check_skip(f,
				  "the agent knows no other node with a UEID");
	yyjson_arr_foreach (yyjson_obj_get(fabric, "named"), i, max, node) {
		say_stranger(node, f);
	}
	buf_printf(&f->found, "%sof %llu other nodes %llu lack the UEID %s",
		   check_join(f), nodes, strangers,
		   yyjson_get_str(yyjson_obj_get(fabric, "ueid")) ?: "?");
	return check_wrong(c, strangers);
}

/* Wrong at nine tenths: what does not fit any more is not held. */
enum check_status ask_memory_budget(const struct doctor_check *c,
				    const struct doctor *d, struct finding *f)
{
	if (armed_pods_unseen(d))
		return check_untold(f, "the maps of smcmesh", -EPERM);
	if (!d->buffers_max)
		return check_skip(f,
				  "no agent of this version has set a limit");
	buf_printf(
		&f->found,
		"the buffers of SMC take %.1f of %.1f MiB (maps smc_usage and smc_config)",
		d->buffers / MIB, d->buffers_max / MIB);
	return check_wrong(c, d->buffers > d->buffers_max / 10 * 9);
}
