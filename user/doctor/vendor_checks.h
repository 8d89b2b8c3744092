/* SPDX-License-Identifier: Apache-2.0 */
/* What the guides of Alibaba Cloud ask of its kernels, and the trouble that
 * they know. Rows of doctor_checks[] have them as probes. */
#pragma once

#include "doctor/checks.h"

/* The oldest kernel of the older guide, and of the newer one. */
enum check_status ask_alinux_older(const struct doctor_check *c,
				   const struct doctor *d, struct finding *f);
enum check_status ask_alinux_newer(const struct doctor_check *c,
				   const struct doctor *d, struct finding *f);

/* Is the sysctl net.smc.tcp2smc there? */
enum check_status ask_tcp2smc(const struct doctor_check *c,
			      const struct doctor *d, struct finding *f);

/* Did the kernel wait for a network device to become free? */
enum check_status ask_held_device(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f);

/* Is the fix of that there, on the kernel that needs it? */
enum check_status ask_alinux_hotfix(const struct doctor_check *c,
				    const struct doctor *d, struct finding *f);
