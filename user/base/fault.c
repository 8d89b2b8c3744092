// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"

#ifdef SMCMESH_FAULTS
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

void fault_point(const char *name)
{
	static unsigned long passed;
	const char *want = getenv("SMCMESH_FAULT");
	const char *colon = want ? strrchr(want, ':') : NULL;
	size_t len;

	/* Names contain colons, but no part that is a number. */
	if (colon && (colon[1] < '0' || colon[1] > '9'))
		colon = NULL;
	len = !want ? 0 : colon ? (size_t)(colon - want) : strlen(want);
	if (!want || strlen(name) != len || strncmp(want, name, len))
		return;
	if (++passed == (colon ? strtoul(colon + 1, NULL, 10) : 1))
		raise(SIGKILL);
}

unsigned int fault_ms(unsigned int ms)
{
	const char *hurry = getenv("SMCMESH_HURRY");
	unsigned long n = hurry ? strtoul(hurry, NULL, 10) : 0;

	return n ? ms / n : ms;
}

int fault_look(void)
{
	static unsigned long passed;
	const char *starved = getenv("SMCMESH_STARVED");
	const char *slow = getenv("SMCMESH_SLOW");

	passed++;
	if (starved && passed <= strtoul(starved, NULL, 10))
		return -ETIME;
	return slow && passed <= strtoul(slow, NULL, 10) ? -ETIMEDOUT : 0;
}

bool fault_maps_only(void)
{
	return getenv("SMCMESH_MAPS_ONLY");
}

bool fault_shared_memory(void)
{
	return getenv("SMCMESH_SHARED_MEMORY");
}
#endif
