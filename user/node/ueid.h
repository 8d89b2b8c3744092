/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UEID of this host. The kernel has one table for all namespaces, with four
 * places; on x86 neither SMC-Rv2 nor the loopback works without one. RUN/ueid
 * has those that we added, one name per line, so that later agents and cleanups
 * remove only these. (RUN is on a tmpfs: it forgets at a reboot, as the kernel
 * does.)
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/*
 * ueid_ensure - Make @ueid the only one of ours in the kernel's table.
 * Return: 0; -ENOENT: no SMC here; -ERANGE: the table is full of others'; or
 * another negative errno. Does not log.
 */
must_check int ueid_ensure(const char *run, const char *ueid);

/*
 * ueid_forget - Remove what we added, and RUN/ueid.
 * @said: one line for each one removed or left.
 * Return: 0 or the first negative errno.
 */
must_check int ueid_forget(const char *run, struct buf *said);

/*
 * ueid_left - Which of those that we added are still in the kernel's table?
 * @said: one line for each.
 * Return: how many, or a negative errno.
 */
must_check int ueid_left(const char *run, struct buf *said);
