/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon. */
#pragma once

#include "base/cleanup.h"
#include "pods/options.h"

/*
 * agent_run - Be the agent until SIGTERM or SIGINT. The datapath stays as it
 * is afterwards.
 * Return: 0, or a negative errno; it was logged. -EINVAL: a value of @opt
 * cannot be meant, and nothing was done.
 */
must_check int agent_run(const struct agent_options *opt);
