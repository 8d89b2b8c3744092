/* SPDX-License-Identifier: Apache-2.0 */
/* Does a rule of the caller's network namespace answer SYNs in the place of
 * their destination, as SYNPROXY does? It answers without the SMC option. */
#pragma once

#include <stdbool.h>
#include "base/cleanup.h"

#define SYNPROXY_TEXT_MAX 192

/*
 * synproxy_find - Look through the rules of nftables, iptables-nft and
 * iptables-legacy. Loads no table that is not there.
 * @what: if there is one, where: "nftables: table filter, chain input".
 * Return: 1: yes, 0: no, or a negative errno: not known.
 */
must_check int synproxy_find(char what[SYNPROXY_TEXT_MAX]);

/* synproxy_take - nl_talk()'s: where the rule of a message is, if it is such a
 * one. @what: as above. */
struct nlmsghdr;
int synproxy_take(const struct nlmsghdr *h, void *what);
