/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the nat output rules of a pod's namespace do with TCP that leaves the
 * pod, and so which owners they let pass: only those may be converted.
 *
 * A converted socket has no file while it connects, and the kernel's owner
 * match looks there for the owner (net/netfilter/xt_owner.c, nft_meta.c): rules
 * with one take it for nobody's. So our rule lets it pass all of them
 * (node/sidecar.h), and only owners may be converted who pass anyway. Rules
 * without an owner match treat it like any other socket, and need no rule of
 * ours.
 *
 * node/rules.h reads the rules into this description. It keeps the owner
 * matches, and of all others only whether the rule can match at all: the reader
 * leaves out what no TCP packet does that leaves the pod (through lo, to
 * loopback, of another protocol).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <smcmesh/abi.h>
#include "base/cleanup.h"

enum redirect_family { REDIRECT_IP4 = 1, REDIRECT_IP6 = 2 };
#define REDIRECT_FAMILIES (REDIRECT_IP4 | REDIRECT_IP6)

struct redirect_range {
	__u32 first, last;
};

/* A match of the file's fsuid, or fsgid: is it in one of these ranges? IDs of
 * the user namespace that owns the network namespace. */
struct redirect_test {
	bool gid, invert;
	/* Of xtables: inverted it also matches sockets without a file. An
	 * nftables rule never matches those. */
	bool xt;
	struct redirect_range *v;
	size_t n;
};

enum redirect_verdict {
	REDIRECT_NEXT, /* none: on with the next rule */
	REDIRECT_RETURN,
	REDIRECT_ACCEPT,
	/* To somewhere else, or nowhere: redirect, dnat, drop. */
	REDIRECT_AWAY,
	REDIRECT_JUMP,
	REDIRECT_GOTO,
};

struct redirect_rule {
	unsigned int families; /* enum redirect_family: which packets it sees */
	bool maybe; /* it also tests what may be true or not: a port, a mark */
	bool odd;   /* and the owner in a way that tests cannot express */
	struct redirect_test *tests;
	size_t n_tests;
	enum redirect_verdict verdict;
	size_t target; /* of JUMP and GOTO: an index of struct redirects */
};

struct redirect_chain {
	bool base;  /* a nat output chain; else one that is jumped to */
	bool drops; /* its policy */
	int priority;
	struct redirect_rule *rules;
	size_t n_rules;
};

struct redirects {
	struct redirect_chain *v;
	size_t n;
	size_t n_rules; /* of all */
};

/* redirects_free - Safe on a zeroed struct, and as a cleanup. */
void redirects_free(struct redirects *r);

/* redirects_chain - Append a chain. Return: NULL without memory. */
struct redirect_chain *redirects_chain(struct redirects *r);

/* redirects_rule - Append a rule without tests to the chain of that index, for
 * both families. Return: NULL without memory. */
struct redirect_rule *redirects_rule(struct redirects *r, size_t chain);

/* redirect_test_add - Return: NULL without memory. */
struct redirect_test *redirect_test_add(struct redirect_rule *rule);

/* redirect_range_add - Return: 0 or -ENOMEM. */
must_check int redirect_range_add(struct redirect_test *test, __u32 first,
				  __u32 last);

enum redirect_answer {
	REDIRECT_NONE,	  /* nothing there moves TCP that leaves */
	REDIRECT_ALIKE,	  /* rules move it, whosever it is */
	REDIRECT_OWNERS,  /* rules move it, but not theirs */
	REDIRECT_UNKNOWN, /* not known whom they let pass: see why */
};

struct redirect_pass {
	enum redirect_answer answer;
	size_t n_owners;
	struct smc_owner owners[SMC_OWNERS]; /* as the rules name them */
	const char *why; /* a sentence; NULL unless UNKNOWN */
};

/*
 * redirects_judge - Whom do the rules let pass?
 * @before: the priority of the chain of ours that lets converted sockets pass.
 *
 * An owner passes if none of its TCP that leaves the pod can be moved, in
 * either family, whatever the address, port and mark. If the rules move all TCP
 * and let nobody pass the answer is UNKNOWN: they would lead the proxy to
 * itself.
 *
 * Return: 0 or -ENOMEM.
 */
must_check int redirects_judge(const struct redirects *r, int before,
			       struct redirect_pass *out);
