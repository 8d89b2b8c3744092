/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the host's RDMA devices; rows of doctor_checks[] have them as
 * probes. */
#pragma once

#include "doctor/checks.h"

/* Can the kernel's SMC use this kind of device, and this link layer? */
enum check_status ask_rdma_type(const struct doctor_check *c,
				const struct doctor *d, struct finding *f);

/* Is each port active? */
enum check_status ask_rdma_port(const struct doctor_check *c,
				const struct doctor *d, struct finding *f);

/* Has each active port a RoCE v2 GID that is an IPv4 address? */
enum check_status ask_rdma_gid(const struct doctor_check *c,
			       const struct doctor *d, struct finding *f);

/* May pods use the host's devices? */
enum check_status ask_rdma_netns(const struct doctor_check *c,
				 const struct doctor *d, struct finding *f);

/* Is soft RoCE of use in each namespace that has it? */
enum check_status ask_soft_roce(const struct doctor_check *c,
				const struct doctor *d, struct finding *f);

/* Does a CNI hold the NIC of an RDMA device, or is it in a pod that is not
 * armed? */
enum check_status ask_auxiliary_nic(const struct doctor_check *c,
				    const struct doctor *d, struct finding *f);

/* Are the ports free that Alibaba Cloud's kernels reserve for eRDMA? */
enum check_status ask_reserved_ports(const struct doctor_check *c,
				     const struct doctor *d, struct finding *f);
