/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node can do and what is wrong with it, by the kernel and the pinned
 * maps: doctor gathers facts once, and derives all sentences from them.
 * `smcmesh doctor` prints it; the agent may use it, too.
 */
#pragma once

#include <yyjson.h>
#include "datapath/hook_users.h"
#include "doctor/namespaces.h"
#include "mesh/nic.h"
#include "node/kernel_smc.h"
#include "node/os_release.h"
#include "node/rdma_sysfs.h"
#include "node/smc.h"
#include "node/smc_module.h"

/* The facts. */
struct doctor {
	const char *proc; /* where the host's processes are seen */
	struct host host;
	struct os_release os; /* "" what is not known */
	struct kernel_smc smc;
	struct smc_module module; /* after all probes had it loaded */
	struct features features;
	struct smc_ueids ueids; /* none if the kernel has no SMC */
	struct rdma_device rdma[RDMA_MAX];
	unsigned int n_rdma;
	struct rdma_port ports[RDMA_MAX]; /* the same devices, by sysfs */
	int n_ports;			  /* or a negative errno */
	int rdma_shared; /* 1, 0: exclusive mode, or a negative errno */
	struct mesh_pnet_entry pnets[SMCR_ROWS]; /* of the host's namespace */
	int n_pnets;				 /* or a negative errno */
	/* The host's NICs and their children anywhere; only with RDMA devices.
	 * @nics_err: 0, or a negative errno: not all are known. */
	struct nic_view nics;
	int nics_err;
	struct hook_user *users; /* other people's programs at our hooks */
	size_t n_users;
	int users_err;	       /* 0, or a negative errno: not all are known */
	struct datapath *maps; /* as they are pinned; NULL: there are none */
	char **ours;	       /* our selectors' names; NULL: not known */
	struct doctor_namespaces spaces;
	/* The buffers of SMC on this node, and what the maps allow, in bytes;
	 * max 0: not known. */
	__u64 buffers, buffers_max;
	/* What the agent answers to /v1/status, which the caller of
	 * doctor_open() fetches; NULL: it does not answer, see agent_err. */
	yyjson_val *agent;
	int agent_err; /* a negative errno: -EACCES: for want of rights */
};

/*
 * doctor_open - Gather the facts. Changes nothing, except that the kernel may
 * load its own modules smc and smc_diag.
 * @opt:  its proc must outlive @d. What cannot be read is left out: that is no
 *        error if no agent has run yet.
 * @root: where the host's files are, if not where @opt's proc says; or NULL.
 * d->agent is NULL, agent_err 0. Close it with doctor_close().
 */
void doctor_open(const struct datapath_options *opt, const char *root,
		 struct doctor *d);
/* doctor_open_known - The same, but try of the features only those anew that
 * come and go: the others are @known. Nothing is loaded by it. */
void doctor_open_known(const struct datapath_options *opt, const char *root,
		       const struct features *known, struct doctor *d);
void doctor_close(struct doctor *d);

/* doctor_recorder - The one in use if the configuration does not choose, or
 * "none". */
const char *doctor_recorder(const struct doctor *d);

/* doctor_conclusion - The whole in one sentence. */
const char *doctor_conclusion(const struct doctor *d);
