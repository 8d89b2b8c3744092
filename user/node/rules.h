/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the nat output rules of the caller's network namespace, whoever made
 * them: of nftables (and of iptables over it) through libnftables' JSON, of
 * iptables-legacy through libiptc. Reading loads no module and makes no table.
 *
 * mesh/redirect.h judges them. A rule that its description cannot express
 * becomes one that "may match"; never one that lets pass.
 */
#pragma once

#include <stddef.h>
#include <yyjson.h>
#include "base/cleanup.h"
#include "mesh/redirect.h"

struct nft_ctx;

/*
 * rules_nft_any - Has the namespace a table of nftables, but for the table inet
 * @but and dormant ones? One message, without libnftables.
 * Return: 1, 0 (also where the kernel has no nf_tables), or a negative errno.
 */
must_check int rules_nft_any(const char *but);

/*
 * rules_nft_read - Append the chains of each table that has a nat output chain.
 * @own: skip rules with this comment in the table inet @own: they are ours.
 * @detail: a sentence for a person on failure; @room bytes.
 * Return: 0 or a negative errno.
 */
must_check int rules_nft_read(struct nft_ctx *nft, const char *own,
			      struct redirects *out, char *detail, size_t room);

/* rules_legacy_read - Append the chains of iptables-legacy, if it has any. */
must_check int rules_legacy_read(struct redirects *out, char *detail,
				 size_t room);

/* ---- parts, for tests ---------------------------------------------------- */

/* What the kernel has for a match or target of xtables within a rule of
 * nftables: libnftables prints only its name. */
struct xt_info {
	__u64 rule; /* its handle: one counter for all of a table */
	char name[32];
	__u32 rev;
	unsigned char data[256];
	size_t len;
};

struct xt_infos {
	struct xt_info *v; /* in the order of the rules and within them */
	size_t n;
};

/* rules_nft_decode - rules_nft_read() of one table.
 * @objects: libnftables' list of it. */
must_check int rules_nft_decode(yyjson_val *objects, const struct xt_infos *xt,
				const char *own, struct redirects *out);

/* enum holds - Can a packet that leaves the pod, over TCP, match that? */
enum holds { HOLDS_NO, HOLDS_MAYBE, HOLDS_YES };

/*
 * rules_xt_match - Add a match of xtables to @rule.
 * Return: 0 or -ENOMEM; *@holds: of all but the owner, which goes to the tests.
 */
must_check int rules_xt_match(struct redirect_rule *rule, const char *name,
			      __u32 rev, const void *data, size_t len,
			      enum holds *holds);

/* rules_xt_moves - Does a target of that name change where a connection goes?
 * (Those that call nf_nat_setup_info() for the destination: xt_nat.c,
 * xt_REDIRECT.c, xt_NETMAP.c.) */
bool rules_xt_moves(const char *name);
