/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the nat output rules of a pod's namespace do with TCP that leaves the
 * pod, and so whom they let pass: that is who may be converted there.
 *
 * A converted socket has no file while it connects, and the kernel's owner
 * match looks there for the owner (net/netfilter/xt_owner.c, nft_meta.c): such
 * rules take it for nobody's. So it must pass all of them (node/sidecar.h), and
 * only those may be converted who pass them anyway. Rules that ask for no owner
 * treat it like any other socket: these need nothing of ours.
 *
 * The rules are read elsewhere (node/rules.h) into this description. It keeps
 * what is asked of the owner, and of all else only whether the rule can match
 * at all: what no packet does that leaves the pod (through lo, to loopback,
 * over another protocol) is left out by who reads.
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

/* One question about the file's fsuid, or fsgid: is it in one of these? Numbers
 * of the user namespace that owns the network namespace. */
struct redirect_test {
	bool gid, invert;
	/* Of xtables: inverted it also matches what has no file. Of nftables a
	 * rule ends there, whatever is asked. */
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
	bool maybe; /* it also asks what may be true or not: a port, a mark */
	bool odd;   /* and something of the owner that tests cannot say */
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
	REDIRECT_ALIKE,	  /* something does, whosever it is */
	REDIRECT_OWNERS,  /* something does, but not theirs */
	REDIRECT_UNKNOWN, /* whom it lets pass cannot be told: see why */
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
 * An owner passes if none of his TCP that leaves the pod can be moved, in
 * either family, whatever its address, port and mark. Of rules that move all
 * TCP and let nobody pass the answer is UNKNOWN: whoever is behind them would
 * be led to himself.
 *
 * Return: 0 or -ENOMEM.
 */
must_check int redirects_judge(const struct redirects *r, int before,
			       struct redirect_pass *out);
