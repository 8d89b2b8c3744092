/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule that lets a converted sidecar's connections pass the sidecar's own
 * redirect, in the caller's network namespace:
 *
 *	table inet smcmesh {
 *		chain output {
 *			type nat hook output priority -110
 *			meta skuid 0-4294967295 return
 *			meta l4proto tcp dnat ip to ip daddr
 *			meta l4proto tcp dnat ip6 to ip6 daddr
 *		}
 *	}
 *
 * Why: istio's rules let the proxy's own packets pass by their UID, and the
 * kernel finds a packet's UID in the file of its socket. The inner TCP socket
 * of an SMC socket has none until it falls back (net/netfilter/nft_meta.c,
 * xt_owner.c), so its SYN is redirected to the proxy that sent it.
 *
 * What passes: TCP whose socket has no file. "skuid" ends a rule for such a
 * one, whatever it is compared with, so the first rule takes all others out:
 * they are the sidecar's rules' business, and so is an SMC socket that has
 * fallen back. A program's own SMC socket passes too, whoever's it is: nothing
 * tells it from the proxy's.
 *
 * How it works: a connection is translated once for each direction. All NAT
 * chains of a namespace, of nftables and of iptables, hang in one list that is
 * sorted by priority, and the walk ends at the first that set up a translation
 * (nf_nat_inet_fn(), net/netfilter/nf_nat_core.c). -110 is before -100, where
 * both kinds of istio rules are. Translated to the address it has, the
 * connection goes where it was going.
 */
#pragma once

#include <stddef.h>
#include "base/cleanup.h"

#define SIDECAR_TABLE "smcmesh"

/*
 * sidecar_ensure - Make the rule, or put right what was changed; all or
 * nothing, in one transaction, and read back.
 * @detail: a sentence for a person on failure; @room bytes.
 *
 * Return: 1 made or put right, 0 was right, -EEXIST: a table of that
 * name that is not ours, -EPROTONOSUPPORT: no nf_tables in this kernel, -EIO:
 * read back, it is not what was asked for; or another errno.
 */
int sidecar_ensure(char *detail, size_t room) must_check;

/*
 * sidecar_left - Is our table there? Where none of that name is, as nearly
 * everywhere, one message tells. Return: 1, 0: it is not, or is not ours, or
 * the kernel has no nf_tables; or a negative errno.
 */
int sidecar_left(void) must_check;

/* sidecar_remove - Return: 1 removed, 0 was not there or is not ours, or a
 * negative errno. No nf_tables in the kernel: 0. */
int sidecar_remove(void) must_check;
