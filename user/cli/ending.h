/* SPDX-License-Identifier: Apache-2.0 */
/* For commands that take away what they began before a signal ends them. */
#pragma once

#include <stdbool.h>

/* ending_catch - Only note SIGINT, SIGTERM and SIGHUP from now on; one that the
 * caller's parent has ignored stays ignored. */
void ending_catch(void);

/* ending_came - Has one come? */
bool ending_came(void);

/* ending_release - As before ending_catch(); one that came then takes effect.
 */
void ending_release(void);
