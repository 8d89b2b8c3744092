/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node can do and what is wrong with it, by the kernel and the pinned
 * maps: doctor gathers facts once, and derives all sentences from them.
 * `smcmesh doctor` prints it; the agent may use it, too.
 */
#pragma once

#include "datapath/datapath.h"
#include "node/kernel_smc.h"
#include "node/os_release.h"
#include "node/rdma.h"
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
	struct datapath *maps; /* as they are pinned; NULL: there are none */
	char **ours;	       /* our selectors' names; NULL: not known */
};

/*
 * doctor_open - Gather the facts. Changes nothing, except that the kernel may
 * load its own modules smc and smc_diag.
 * @opt:  its proc must outlive @d. What cannot be read is left out: that is no
 *        error if no agent has run yet.
 * @root: where the host's files are, if not where @opt's proc says; or NULL.
 * Close it with doctor_close().
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
