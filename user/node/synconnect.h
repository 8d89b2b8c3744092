/* SPDX-License-Identifier: Apache-2.0 */
/* One connect(), and what became of its SYNs. */
#pragma once

#include <sys/socket.h>
#include "mesh/syncheck.h"

/*
 * syn_connect - Connect a TCP socket of the caller's network namespace, look
 * for a moment whether the connection is reset, and close it. No byte is sent.
 * @to: of AF_INET or AF_INET6, with its port.
 * @out: all but the header.
 * Return: 0; -EPROTOTYPE: the socket was made one of another protocol; -ETIME:
 * fewer SYNs than SYN_REPEATS went out in twice the time; or another negative
 * errno: there is no socket.
 */
must_check int syn_connect(const struct sockaddr_storage *to,
			   struct syn_outcome *out);
