/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UEID of this host. The kernel's table is one for all namespaces and has
 * four places; on x86 neither SMC-Rv2 nor the loopback works without one. What
 * we added is remembered in RUN/ueid, one name per line, so that only that is
 * ever removed, by whichever agent or cleanup comes later. (RUN is on a tmpfs:
 * it forgets at a reboot, as the kernel does.)
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/*
 * ueid_ensure - Have @ueid in the kernel's table, and no other of ours.
 * Return: 0; -ENOENT: no SMC here; -ERANGE: the table is full of others'; or
 * another negative errno. Not logged.
 */
must_check int ueid_ensure(const char *run, const char *ueid);

/*
 * ueid_forget - Remove what we added, and RUN/ueid.
 * @said: one line for each one removed or left.
 * Return: 0 or the first negative errno.
 */
must_check int ueid_forget(const char *run, struct buf *said);

/*
 * ueid_left - Which of those that we added are in the kernel's table?
 * @said: one line for each.
 * Return: how many, or a negative errno.
 */
must_check int ueid_left(const char *run, struct buf *said);
