/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the kernel that runs and of its module smc: why it cannot do SMC,
 * told apart by what it left behind. Rows of doctor_checks[] have them as
 * probes. */
#pragma once

#include "doctor/checks.h"

/* Can it do SMC? If not: the way to one that can, by the table of kernels. */
enum check_status ask_kernel(const struct doctor_check *c,
			     const struct doctor *d, struct finding *f);

/* Is the module there, and loaded? */
enum check_status ask_smc_module(const struct doctor_check *c,
				 const struct doctor *d, struct finding *f);

/* Does a configuration of modprobe, or the command line, keep it out? */
enum check_status ask_smc_blocked(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f);

/* Is it the kernel's own? */
enum check_status ask_smc_vendor(const struct doctor_check *c,
				 const struct doctor *d, struct finding *f);

/* Does an LSM or a seccomp filter refuse SMC sockets? */
enum check_status ask_smc_refused(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f);

/* Has IPPROTO_SMC the number that mainline Linux gives it? */
enum check_status ask_ipproto_number(const struct doctor_check *c,
				     const struct doctor *d, struct finding *f);
