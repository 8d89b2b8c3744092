// SPDX-License-Identifier: Apache-2.0
#include "cli/pod_name.h"

#include <stdio.h>
#include <string.h>

bool pod_name_ok(const char *command, const char *text)
{
	const char *slash = strchr(text, '/');

	if (slash && slash != text && slash[1] && !strchr(slash + 1, '/'))
		return true;
	fprintf(stderr, "smcmesh %s: expected NAMESPACE/POD, not %s\n", command,
		text);
	return false;
}
