/* SPDX-License-Identifier: Apache-2.0 */
/* SMC's statistics of pods, which the kernel keeps by network namespace. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include "node/smc_stats.h"

struct agent;
struct pod;

/* pod_has_stats - Is the pod counted, and has it a namespace of its own, which
 * can be found? */
bool pod_has_stats(const struct pod *p);

/*
 * pods_read_stats - Read them of each pod with pod_has_stats(), in the order of
 * the pods. A namespace that cannot be read says so for itself, in its err. A
 * kernel without SMC is not asked, for that would have it look for the module:
 * each err is -EOPNOTSUPP.
 * @out: the caller's to free
 * Return: 0 or -ENOMEM.
 */
must_check int pods_read_stats(const struct agent *a, struct smc_stats_of **out,
			       size_t *n);
