/* SPDX-License-Identifier: Apache-2.0 */
/* The reconcile, and what is done for it. */
#pragma once

#include "pods/known.h"

/* reconcile - Make the kernel as the source says; nothing without a world. */
void reconcile(struct agent *a);

/* reconcile_unplan - Let the plan go: what it points into changes. */
void reconcile_unplan(struct agent *a);

/* reconcile_forget - Free what it keeps from one to the next. */
void reconcile_forget(struct agent *a);

/* ---- adopt_slots.c ------------------------------------------------------ */

/* agent_adopt - Before the first one: take over the numbers of what is in
 * the maps. Return: 0 or a negative errno, logged. */
must_check int agent_adopt(struct agent *a);
