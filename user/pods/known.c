// SPDX-License-Identifier: Apache-2.0
#include "pods/known.h"

bool agent_capable(const struct agent *a)
{
	return a->host.converter && a->host.selector;
}
