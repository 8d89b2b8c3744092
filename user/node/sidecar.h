/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sidecars: finds the proxy behind the redirect of the caller's network
 * namespace, and sets our rule that lets its converted connections pass:
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
 * Why: a sidecar's rules let the proxy's own packets pass by their UID or GID,
 * and the kernel finds these in the file of the packet's socket. The inner TCP
 * socket of an SMC socket has none until it falls back (net/netfilter/
 * nft_meta.c, xt_owner.c), so its SYN is redirected to the proxy that sent it.
 *
 * What passes: TCP whose socket has no file. "skuid" never matches for it,
 * whatever the range, so the first rule returns all other sockets: the
 * sidecar's rules judge them, and SMC sockets that have fallen back. Any
 * program's own SMC socket would pass too, for no rule tells it from the
 * proxy's: so in such a pod only the proxy gets one (smc_own() in
 * bpf/sockproto.bpf.c).
 *
 * How it works: the kernel translates a connection once for each direction. All
 * NAT chains of a namespace, of nftables and of iptables, hang in one list that
 * is sorted by priority, and the walk ends at the first that set up a
 * translation (nf_nat_inet_fn(), net/netfilter/nf_nat_core.c). -110 is before
 * -100, where both kinds of istio rules are. Translated to the address it has,
 * the connection goes where it was going.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <smcmesh/abi.h>
#include "base/cleanup.h"

#define SIDECAR_TABLE "smcmesh"

/* Before the chains in which sidecars redirect: -100, of both kinds. If a rule
 * redirects earlier than this we cannot let anything pass. */
#define SIDECAR_PRIORITY -110

/* The proxy behind the namespace's redirect, which may be converted there. */
struct sidecar_found {
	bool sidecar; /* only they; else everybody */
	bool by_hint; /* there is no redirect yet */
	__u32 n_owners;
	/* IDs of the user namespace that owns the network namespace. */
	struct smc_owner owners[SMC_OWNERS];
};

/*
 * sidecar_settle - Find whom the namespace's nat output rules let pass
 * (mesh/redirect.h), and make, mend or remove our rule as that needs. It does
 * so in one transaction, and reads back.
 * @hint: the owner if no rule moves anything (yet); NULL: everybody.
 * @detail: a sentence for a person on failure; @room bytes.
 *
 * Return: 1 made, put right or removed, 0 all was right; -ENOTUNIQ: it is not
 * known whom they let pass, -EEXIST: a table of our name that is not ours,
 * -EPROTONOSUPPORT: a rule is needed, and this kernel has no nf_tables, -EIO:
 * the table read back is another; or another errno: the rules cannot be read.
 * @out is zeroed then.
 */
must_check int sidecar_settle(const struct smc_owner *hint,
			      struct sidecar_found *out, char *detail,
			      size_t room);

/*
 * sidecar_left - Is our table there? If no table has its name, as nearly
 * everywhere, one message tells. Return: 1, 0: it is not, or is not ours, or
 * the kernel has no nf_tables; or a negative errno.
 */
must_check int sidecar_left(void);

/* sidecar_remove - Return: 1 removed, 0 was not there or is not ours, or a
 * negative errno. No nf_tables in the kernel: 0. */
must_check int sidecar_remove(void);
