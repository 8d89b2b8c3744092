// SPDX-License-Identifier: Apache-2.0
#include "mesh/late.h"

/* ---- what a new connection would be -------------------------------------- */

/* In the order of smc_client_reach() (bpf/verdict.bpf.h). */
static __u32 reach(const struct mesh_plan *plan, const struct mesh_flow *f,
		   unsigned int role)
{
	const struct plan_endpoint *e = mesh_endpoint_find(plan, &f->remote);
	const struct plan_service *s = NULL;

	if (role != SMC_ROLE_SERVER)
		s = mesh_service_find(plan, &f->remote, f->remote_port);
	if (s)
		return s->transports;
	if (!e || (role == SMC_ROLE_CLIENT &&
		   e->value.flags & SMC_ENDPOINT_ANSWER_ONLY))
		return 0;
	return e->value.transports;
}

/* By the mesh, or by the pod itself? */
static bool port_excluded(const struct mesh_plan *plan,
			  const struct plan_pod *p, __u32 role, __u16 port)
{
	return mesh_port_find(plan, 0, role, port) ||
	       mesh_port_find(plan, p->pod_id, role, port);
}

bool mesh_excludes_in(const struct mesh_plan *plan, const struct plan_pod *p,
		      __u16 port)
{
	return port_excluded(plan, p, SMC_ROLE_SERVER, port);
}

static bool excluded(const struct mesh_plan *plan, const struct plan_pod *p,
		     const struct mesh_flow *f, unsigned int role)
{
	for (size_t i = 0; i < plan->n_cidrs; i++)
		if (cidr_has(&plan->cidrs[i], &f->remote))
			return true;
	return (role != SMC_ROLE_CLIENT &&
		mesh_excludes_in(plan, p, f->local_port)) ||
	       (role != SMC_ROLE_SERVER &&
		port_excluded(plan, p, SMC_ROLE_CLIENT, f->remote_port));
}

bool mesh_would_accelerate(const struct mesh_plan *plan,
			   const struct plan_pod *p, const struct mesh_flow *f,
			   unsigned int role)
{
	return plan->enabled && p->armed && !excluded(plan, p, f, role) &&
	       reach(plan, f, role) & p->value.transports;
}

/* ---- late ---------------------------------------------------------------- */

static bool opened_before(const struct smc_flow *record,
			  const struct mesh_since *since)
{
	return record->opened_ns < since->pod_armed_ns ||
	       record->opened_ns < since->remote_ns;
}

static bool record_allows(const struct smc_flow *record,
			  const struct mesh_since *since)
{
	if (record->closed || record->outcome != SMC_OUTCOME_TCP)
		return false;
	switch (record->reason) {
	case SMC_REASON_MESH_OFF:
	case SMC_REASON_NOT_ARMED:
	case SMC_REASON_NOT_ENDPOINT:
	case SMC_REASON_NO_COMMON_TRANSPORT:
	case SMC_REASON_MIXED_SERVICE:
	case SMC_REASON_CHANGED:
	case SMC_REASON_AGENT_SILENT:
		return true;
	case SMC_REASON_NOT_CONVERTED:
		/* A server's listener is plain TCP, and stays so. */
		return record->role == SMC_ROLE_CLIENT;
	case SMC_REASON_NOT_OFFERED:
		return opened_before(record, since);
	case SMC_REASON_PATH_UNPROVEN:
	case SMC_REASON_PATH_BAD:
		return since->path_proven;
	default:
		return false;
	}
}

bool mesh_flow_late(const struct mesh_plan *plan, const struct plan_pod *p,
		    const struct mesh_flow *f, const struct mesh_since *since)
{
	if (f->record && !record_allows(f->record, since))
		return false;
	return mesh_would_accelerate(plan, p, f,
				     f->record ? f->record->role : 0);
}
