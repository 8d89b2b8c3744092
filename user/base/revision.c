// SPDX-License-Identifier: Apache-2.0
#include "base/revision.h"

static const struct revision unknown = {"unknown", "unknown", "unknown"};
static const struct revision *known = &unknown;

void revision_set(const struct revision *r)
{
	known = r;
}

const struct revision *revision(void)
{
	return known;
}
