/* SPDX-License-Identifier: Apache-2.0 */
/* Which system the host runs: os-release(5). */
#pragma once

#include "node/host.h"

#define OS_RELEASE_MAX 96

/* "" for what the file does not say. */
struct os_release {
	char id[OS_RELEASE_MAX];      /* "debian" */
	char version[OS_RELEASE_MAX]; /* VERSION_ID: "12", "24.04" */
	char name[OS_RELEASE_MAX];    /* PRETTY_NAME, or the id */
};

/* os_release_read - Return: 0, or a negative errno with nothing but "" in
 * @out. */
must_check int os_release_read(const struct host *h, struct os_release *out);
