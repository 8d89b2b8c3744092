/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of who else is where our programs are; rows of doctor_checks[] have
 * them as probes. */
#pragma once

#include "doctor/checks.h"

/* Does somebody else decide on sockets' protocols? */
enum check_status ask_other_hooks(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f);

/* Does somebody put the sockets of cgroups in a map? */
enum check_status ask_sockmap(const struct doctor_check *c,
			      const struct doctor *d, struct finding *f);

/* Has a namespace a selector that is not ours? */
enum check_status ask_foreign_selector(const struct doctor_check *c,
				       const struct doctor *d,
				       struct finding *f);

/* Does a rule answer SYNs in the place of their destination? */
enum check_status ask_synproxy(const struct doctor_check *c,
			       const struct doctor *d, struct finding *f);
