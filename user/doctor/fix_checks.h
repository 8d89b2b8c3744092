/* SPDX-License-Identifier: Apache-2.0 */
/* Which fixes of net/smc the running kernel has, by a table of Debian's
 * (smc_fixes.def). Of other vendors' kernels nothing is known. */
#pragma once

#include "doctor/checks.h"

/* For doctor_checks[]. */
enum check_status ask_fixes(const struct doctor_check *c,
			    const struct doctor *d, struct finding *f);
