/* SPDX-License-Identifier: Apache-2.0 */
/* The words for the ABI's numbers: reasons, roles, outcomes, transports. */
#pragma once

#include <stdbool.h>
#include <smcmesh/abi.h>
#include <smcmesh/reasons.h>

#define TRANSPORTS_STRLEN 12 /* "smcr,smcd" and the NUL */

/* reason_known - Is there such a row? There is none between the last reason of
 * flows and the first of pods. */
bool reason_known(__u32 reason);

/* reason_label - E.g. "not-endpoint"; "unknown" for a number not in the
 * table (a record written by a newer agent). Never NULL. */
const char *reason_label(__u32 reason);

/* reason_sentence - The row's sentence, never NULL. */
const char *reason_sentence(__u32 reason);

/* reason_remedy - What to do, or that nothing can be done: a phrase without a
 * full stop. "" for a number not in the table. */
const char *reason_remedy(__u32 reason);

/* reason_find - The reason with that label. Return: false: there is none, and
 * @out is untouched. */
bool reason_find(const char *label, __u32 *out);

/* remedy_helps - Does a remedy, of a reason or of the kernel's codes, say what
 * can be done? Those that say that nothing can, or need, be done begin with the
 * word "nothing". */
bool remedy_helps(const char *remedy);

/* reason_remedy_of - The same by the label, as JSON has it. */
const char *reason_remedy_of(const char *label);

/* role_label, outcome_label, verdict_label, event_label - "unknown" for a
 * number that has no name; never NULL. */
const char *role_label(__u32 role);
const char *outcome_label(__u32 outcome);
const char *verdict_label(__u32 verdict);
const char *event_label(__u32 type);

/* transports_format - "smcr,smcd", or "none". Return: @text. */
const char *transports_format(__u32 transports, char text[TRANSPORTS_STRLEN]);
