/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a fix of the running kernel, a package of a livepatch, is there. */
#pragma once

#include "node/host.h"

/*
 * hotfix_installed - Ask rpm for the package.
 * Return: 1: it is installed, 0: it is not; a negative errno: rpm is not there,
 * or is another host's, or gave no answer.
 */
must_check int hotfix_installed(const struct host *h, const char *package);

/*
 * hotfix_active - Look for an enabled livepatch whose name has @part in it.
 * Return: 1, 0, or a negative errno: the kernel shows no livepatches.
 */
must_check int hotfix_active(const struct host *h, const char *part);
