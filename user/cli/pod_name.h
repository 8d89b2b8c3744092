/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/* pod_name_ok - Is @text "NAMESPACE/POD"? If not it is said on stderr, in the
 * name of @command. */
bool pod_name_ok(const char *command, const char *text);
