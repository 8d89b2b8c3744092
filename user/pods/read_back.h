/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel has of the pods, before a reconcile and after it. */
#pragma once

#include "pods/known.h"

/* What was known of each pod before, in the order of struct pods. */
struct read_back {
	struct pod_before {
		bool armed, guarded;
		enum smc_reason reason;
		__u64 cookie; /* of its namespace; 0: not known */
	} *v;
	size_t n;
};

/* read_back_begin - Note in @was what is known, then read the maps.
 * Return: 0 or -ENOMEM. Free @was with read_back_free(), also then. */
must_check int read_back_begin(struct agent *a, struct read_back *was);

/* read_back_end - Read the maps again, and log what became of the pods that the
 * world has since @was. */
void read_back_end(struct agent *a, const struct read_back *was);
void read_back_free(struct read_back *was);
