/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pods that have left this node had counted, for /metrics where it shows
 * sums (struct metrics_gone): a sum without them would fall, and whoever reads
 * it would take it for a counter that began anew. All do nothing where pods are
 * told apart.
 */
#pragma once

struct agent;
struct pod;

/* gone_begin - What is counted now was counted before this agent: only what
 * comes on top is told, as of any program's counters. After the first
 * reconcile, which says whose the slots are. */
void gone_begin(struct agent *a);

/* gone_add - @p leaves: keep what it has counted, as long as its namespace has
 * pods here. Before its counters are set to 0. */
void gone_add(struct agent *a, const struct pod *p);

/* gone_sweep - Forget namespaces that have no pod here any more. */
void gone_sweep(struct agent *a);

/* gone_ns - The copy of @ns that lives as long as its sums; "" where nothing is
 * told apart. NULL: pods are told apart, or there is no memory. */
const char *gone_ns(struct agent *a, const char *ns);

void gone_free(struct agent *a);
