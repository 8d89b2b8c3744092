/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault points: places where a test build can die. `make FAULTS=1` builds them
 * in; a shipped binary has none. SMCMESH_FAULT=name[:n] in the environment
 * makes the n-th passage (default 1) of that point end the process by SIGKILL,
 * as the kernel's out-of-memory killer would. SMCMESH_HURRY=n divides waits
 * that go through fault_ms() by n. SMCMESH_STARVED=n has the first n looks into
 * namespaces fail as if this machine had no processor for them, and
 * SMCMESH_SLOW=n as if they had taken too long; the control of such a look
 * (netns_slow_here()) counts as one. SMCMESH_MAPS_ONLY has the agent assume
 * that this kernel can do SMC: it makes its maps and fills them, and attaches
 * nothing. SMCMESH_SHARED_MEMORY has it assume a loopback device for SMC-D, so
 * that it arms pods where there is none: the ends of a connection agree upon
 * SMC, and then fall back.
 */
#pragma once

#include <stdbool.h>

#ifdef SMCMESH_FAULTS
void fault_point(const char *name);
unsigned int fault_ms(unsigned int ms);
/* The forced result of a look: 0 (none), -ETIME, -ETIMEDOUT. */
int fault_look(void);
bool fault_maps_only(void);
bool fault_shared_memory(void);
#else
static inline void fault_point(const char *name)
{
	(void)name;
}

static inline unsigned int fault_ms(unsigned int ms)
{
	return ms;
}

static inline int fault_look(void)
{
	return 0;
}

static inline bool fault_maps_only(void)
{
	return false;
}

static inline bool fault_shared_memory(void)
{
	return false;
}
#endif
