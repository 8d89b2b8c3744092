// SPDX-License-Identifier: Apache-2.0
#include "agent/host_seen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "agent/budget.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/proc.h"
#include "node/rdma.h"
#include "node/smc.h"
#include "node/ueid.h"
#include "pods/waiting.h"

void host_fill(struct agent *a)
{
	a->host.mesh.node = a->opt->node;
	a->host.mesh.memory = memory_total();
	a->host.can_convert =
		strcmp(features_converter(datapath_features(a->dp)), "none");
	a->host.mesh.converter = datapath_has_converter(a->dp);
	a->host.mesh.selector = datapath_has_selector(a->dp);
	a->host.mesh.cgroup2 =
		feature_present(datapath_features(a->dp), FEATURE_CGROUP2);
	a->host.mesh.netns_cookie = netns_own_cookie();
	if (agent_capable(a))
		log_info("connections can become SMC, converter=%s selector=%s",
			 datapath_converter(a->dp), datapath_selector(a->dp));
	else
		log_warn(
			0,
			"this kernel cannot make connections SMC, converter=%s selector=%s: traffic stays TCP, nothing is changed; smcmesh doctor says what is missing",
			datapath_converter(a->dp), datapath_selector(a->dp));
}

static __u32 own_transports(void)
{
	struct rdma_device devices[RDMA_MAX];
	__u32 transports = 0;
	int n;

	n = rdma_list(devices, RDMA_MAX);
	if (smc_loopback_present() == 1)
		transports |= SMC_TRANSPORT_SMCD;
	for (int i = 0; i < n; i++)
		if (rdma_usable(&devices[i]))
			transports |= SMC_TRANSPORT_SMCR;
	return transports;
}

/* Counts the host's devices and those that looks saw inside of pods: in
 * exclusive RDMA mode the kernel shows a device in its own namespace alone. A
 * pod may wait for a device of the host's, so a new one is news for it. */
static __u32 node_transports(struct agent *a)
{
	__u32 transports;

	if (!agent_capable(a))
		return 0;
	transports = own_transports();
	if (a->last.synced && transports != a->host.own_transports)
		pods_news(&a->pods);
	a->host.own_transports = transports;
	for (size_t i = 0; i < a->pods.n; i++)
		if (a->pods.v[i]->facts.verified)
			transports |= a->pods.v[i]->facts.transports;
	return transports;
}

/* A look that fails changes nothing, except before the first good one: then the
 * agent assumes that something encrypts the traffic. */
static void look_for_encryption(struct agent *a)
{
	char what[ENCRYPT_TEXT_MAX];
	int found;

	if (a->host.encrypts_fresh || !agent_capable(a))
		return;
	found = encrypt_find(what);
	if (found < 0 && a->host.encrypts_known)
		return;
	if (found < 0)
		snprintf(what, sizeof(what),
			 "encryption that cannot be looked for (%s)",
			 strerror(-found));
	snprintf(a->host.encrypts, sizeof(a->host.encrypts), "%s", what);
	a->host.mesh.encrypts = found ? a->host.encrypts : NULL;
	a->host.encrypts_fresh = a->host.encrypts_known = found >= 0;
}

void host_look(struct agent *a)
{
	a->host.mesh.transports = node_transports(a);
	look_for_encryption(a);
	host_look_local(a);
}

void host_resync(struct agent *a)
{
	a->host.encrypts_fresh = a->host.local_fresh = false;
	a->host.settings_due = true;
	budget_look(a);
}

void host_hooks(struct agent *a, bool attached)
{
	a->host.mesh.converter = attached;
}

/* Nothing works on x86 without a UEID, and nothing needs one while the mesh is
 * off. A failure is degraded, not fatal: handshakes then fall back to TCP. */
void host_add_ueid(struct agent *a, const struct mesh_config *config)
{
	int err;

	if (!a->last.mesh_enabled || !agent_capable(a))
		return;
	err = ueid_ensure(a->opt->run, config->ueid);
	if (err &&
	    (err != a->host.ueid_err || strcmp(a->host.ueid, config->ueid)))
		log_warn(
			err,
			"add the UEID %s: SMC handshakes will fall back to TCP%s",
			config->ueid,
			err == -ERANGE ? ", the kernel's table of four is full "
					 "(smcd ueid del removes one)"
				       : "");
	/* A namespace has no transport without one. */
	if (err != a->host.ueid_err || strcmp(a->host.ueid, config->ueid))
		pods_news(&a->pods);
	strcpy(a->host.ueid, config->ueid);
	a->host.ueid_err = err;
}
