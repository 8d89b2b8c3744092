/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault points: places where a test build dies. `make FAULTS=1` builds them
 * in; a shipped binary has none. SMCMESH_FAULT=name[:n] in the environment
 * makes the n-th passage (default 1) of that point end the process by SIGKILL,
 * as the kernel's out-of-memory killer would.
 */
#pragma once

#ifdef SMCMESH_FAULTS
void fault_point(const char *name);
#else
static inline void fault_point(const char *name)
{
	(void)name;
}
#endif
