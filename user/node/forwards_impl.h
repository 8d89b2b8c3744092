/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of forwards_find() share; nobody else includes this. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "node/forwards.h"

struct forwards {
	const struct mesh_addrs *own;
	char *what; /* FORWARDS_TEXT_MAX bytes; "": nothing found */
};

/* Each searches one place. Return: 0 with f->what set or not, or a negative
 * errno. A kernel without that place forwards nothing there. */
must_check int forwards_nft(struct forwards *f);
must_check int forwards_legacy(struct forwards *f);

/* forwards_is_own - Is @addr one of the namespace's, or loopback? */
bool forwards_is_own(const struct forwards *f, const struct smc_addr *addr);

/* forwards_note - A nat rule leads to @addr; NULL: the rule does not tell the
 * address. */
void forwards_note(struct forwards *f, const struct smc_addr *addr);

/*
 * forwards_target - Note what a target of iptables (x_tables) does to packets
 * to an address of the namespace, on their way in.
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6.
 * @info: its data, @len bytes.
 */
void forwards_target(struct forwards *f, int family, const char *name,
		     unsigned int revision, const void *info, size_t len);
