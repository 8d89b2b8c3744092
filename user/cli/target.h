/* SPDX-License-Identifier: Apache-2.0 */
/* Where a command is to connect to, as people write it. */
#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include "base/buf.h"
#include "base/cleanup.h"

struct target {
	char host[256]; /* a name or an address, without brackets */
	char port[8];	/* a number from 1 to 65535 */
};

/*
 * target_parse - "HOST:PORT", "[ADDRESS]:PORT", or a URL, of which only host
 * and port count; http and https have their default ports.
 * @error: gets a sentence that names @text and what was expected.
 * Return: 0, or -EINVAL with @out untouched.
 */
must_check int target_parse(const char *text, struct target *out,
			    struct buf *error);

/*
 * target_resolve - The addresses of a target, in the resolver's order.
 * @flags: AI_ADDRCONFIG or 0.
 * @v: at most @room are written.
 * @n: how many there are.
 * Return: 0, or -ENOENT with a sentence in @error.
 */
must_check int target_resolve(const struct target *t, int flags,
			      struct sockaddr_storage *v, size_t room,
			      size_t *n, struct buf *error);
