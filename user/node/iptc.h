/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iptables-legacy's tables of the caller's network namespace, through
 * libiptc. libiptc names its functions and rules differently for the two
 * families: here each is one table of functions, with one shape of a rule.
 */
#pragma once

#include <linux/netfilter/x_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"

/* libiptc's own header conflicts with <net/if.h>. */
struct xtc_handle;

/* The content of a rule; it points into the table. */
struct iptc_rule {
	unsigned int protocol; /* 0: any */
	const char *out;       /* interface: "" is any */
	const unsigned char *out_mask;
	const unsigned char *dst, *dst_mask; /* @addr_len bytes: 4 or 16 */
	size_t addr_len;
	bool not_protocol, not_out, not_dst;
	bool more; /* it also matches something else */
	bool go;   /* a goto, not a jump */
	const struct xt_entry_match *matches, *end;
	const char *target; /* IPTC_LABEL_*, a chain, or an extension */
	/* The same as the kernel has it: an extension's revision and data. */
	const struct xt_entry_target *extension;
};

struct iptc_family {
	int nfproto; /* NFPROTO_IPV4 or NFPROTO_IPV6 */
	struct xtc_handle *(*open)(const char *table);
	void (*close)(struct xtc_handle *h);
	const char *(*why)(int err);
	const char *(*chain_first)(struct xtc_handle *h);
	const char *(*chain_next)(struct xtc_handle *h);
	const char *(*policy)(const char *chain, struct xt_counters *counters,
			      struct xtc_handle *h);
	/* @prev: NULL for the first. Return: NULL after the last. The handle
	 *        keeps the position: read one chain to its end before
	 *        another. */
	const void *(*next)(const char *chain, const void *prev,
			    struct xtc_handle *h);
	void (*read)(const void *rule, struct xtc_handle *h,
		     struct iptc_rule *out);
};

#define IPTC_FAMILIES 2
extern const struct iptc_family iptc_families[IPTC_FAMILIES];

#define IPTC_NAT "nat"

/*
 * iptc_open - Open a table of the family, if it exists: reading a missing one
 * would make it, so this asks first.
 * @table: IPTC_NAT, "filter", ...
 * @detail: a sentence for a person on failure; @room bytes. NULL: not wanted.
 * Return: 1 with *@h, which f->close() frees; 0: there is none; or a negative
 * errno.
 */
must_check int iptc_open(const struct iptc_family *f, const char *table,
			 struct xtc_handle **h, char *detail, size_t room);

/* iptc_any - Has either family a nat table? Return: 1, 0 or a negative errno.
 */
must_check int iptc_any(void);
