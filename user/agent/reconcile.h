/* SPDX-License-Identifier: Apache-2.0 */
/* The reconcile, and what is done for it. */
#pragma once

#include "pods/known.h"

/* reconcile - Make the kernel as the source says; nothing without a world. */
void reconcile(struct agent *a);

/* reconcile_unplan - Free the plan, before the world changes into which it
 * points. */
void reconcile_unplan(struct agent *a);

/* reconcile_forget - Free all that reconciles keep from one to the next. */
void reconcile_forget(struct agent *a);

/* ---- adopt_slots.c ------------------------------------------------------ */

/* agent_adopt - Before the first reconcile: take over the numbers of the pods
 * that are in the maps. Return: 0 or a negative errno, logged. */
must_check int agent_adopt(struct agent *a);
