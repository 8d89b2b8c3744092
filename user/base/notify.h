/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager is told: the protocol of sd_notify(3), a datagram of
 * lines to the socket that NOTIFY_SOCKET names. The manual gives it in a page
 * of C of its own, so that programs need not link libsystemd; that would add
 * 1.1 MiB, a tenth, to the image, where no service manager listens, and with
 * compressors and a cipher library six more libraries to each agent.
 */
#pragma once

#include "base/cleanup.h"

/*
 * notify_tell - Send @lines. It waits a second at most.
 * Return: 0, also where nobody asked for it; or a negative errno.
 */
must_check int notify_tell(const char *lines);

/* notify_watchdog_ms - How long the service manager goes without WATCHDOG=1
 * before it ends this process; 0: for ever. */
unsigned int notify_watchdog_ms(void);
