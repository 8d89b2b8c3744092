/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cleanup.h"
#include "cli/check_way.h"

/*
 * check_flows - Ask the agent for the records of w's connections, of the ends
 * that are of this node.
 * @run: the agent's directory.
 * Return: 0, or a negative errno, which was said on stderr.
 */
must_check int check_flows(const char *run, struct check_way *w);

/* check_flows_take - The same from the text of /v1/flows. Return: 0, or
 * -EINVAL: it is no JSON. */
must_check int check_flows_take(const char *json, size_t len,
				struct check_way *w);
