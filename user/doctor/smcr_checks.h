/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what SMC-R wants of each armed pod, and of the whole mesh; rows of
 * doctor_checks[] have them as probes. */
#pragma once

#include "doctor/checks.h"

/* armed_pods_unseen - Who is armed is in the maps, which only root may read: is
 * that why none is known? */
bool armed_pods_unseen(const struct doctor *d);

/* Do the addresses and routes of armed pods lead over their RDMA ports? */
enum check_status ask_smcr_subnet(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f);

/* Has each PNET id that a netdev has an RDMA device, and no netdev another one
 * than its device? */
enum check_status ask_pnet(const struct doctor_check *c, const struct doctor *d,
			   struct finding *f);

/* Has every node of the mesh its UEID? */
enum check_status ask_ueid_mesh(const struct doctor_check *c,
				const struct doctor *d, struct finding *f);

/* Is there room for the buffers of further connections? */
enum check_status ask_memory_budget(const struct doctor_check *c,
				    const struct doctor *d, struct finding *f);
