/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the way to an address mishandle the TCP option that SMC announces itself
 * with (kind 254, 6 bytes, experiment 0xE2D4C3D9)? What the answers to SYNs
 * with and without it mean. Sending them is node/synprobe.h's.
 */
#pragma once

#include <stddef.h>
#include <linux/types.h>
#include "base/cleanup.h"

#define SYN_EXPERIMENT_SMC 0xe2d4c3d9U
/* An experiment that nobody has registered: "none". Whoever repeats its option
 * repeats what it does not know. */
#define SYN_EXPERIMENT_STRANGE 0x6e6f6e65U

#define SYN_HEADER_MAX 60 /* bytes of a TCP header with all its options */
#define SYN_PATIENCE_MS 3000
#define SYN_REPEATS 2 /* SYNs that must be unanswered */
#define SYN_TRIES_MAX 100

/* From the most certain sign of harm to the least. */
enum syn_verdict {
	SYN_FINE = 0,
	SYN_REPLAY,	 /* our option comes back from a peer without SMC */
	SYN_CONFLICT,	 /* the option's kind, of another experiment */
	SYN_TOO_LONG,	 /* our option, longer than it may be */
	SYN_DROPPED,	 /* unanswered with it, answered without */
	SYN_RESET,	 /* refused with it, accepted without */
	SYN_UNREACHABLE, /* not accepted without it either */
	SYN_VERDICTS,
};

/* syn_verdict_word - "fine", "too-long" and so on. */
const char *syn_verdict_word(enum syn_verdict verdict);

/* The options of kind 254 in a SYN, in this order. */
enum syn_with {
	SYN_WITH_NONE,
	SYN_WITH_SMC,
	SYN_WITH_SMC_STRANGE,
	SYN_WITH_STRANGE_SMC,
};

enum syn_end {
	SYN_ACCEPTED,
	SYN_CUT,	/* accepted, and reset at once */
	SYN_REFUSED,	/* a reset, or ICMP */
	SYN_UNANSWERED, /* for SYN_PATIENCE_MS, with SYN_REPEATS */
};

/* What became of one connect(). */
struct syn_outcome {
	enum syn_end end;
	int err;	   /* SYN_REFUSED: the positive errno */
	unsigned int syns; /* sent */
	/* Of the SYN-ACK, from its first byte; accepted or cut. */
	__u8 header[SYN_HEADER_MAX];
	size_t header_len;
};

/* Connect once, with these options. Return: 0, or a negative errno: it could
 * not be tried. */
typedef int (*syn_ask_fn)(enum syn_with with, struct syn_outcome *out,
			  void *arg);

struct syn_result {
	enum syn_verdict verdict;
	char detail[256]; /* "" or a clause without a full stop */
};

/*
 * syn_judge - Ask one address: in each of @tries once with the option, and
 * before and after that without.
 *
 * A peer that really speaks SMC answers the option, too, but no option that it
 * does not know: so one that seems to repeat ours is asked with both in one
 * SYN, in both orders, of which a repeater that keeps only the first or the
 * last of a kind repeats the strange one once.
 *
 * @tries: at least 1.
 * Return: 0, or the first error of @ask, with @out untouched.
 */
must_check int syn_judge(unsigned int tries, syn_ask_fn ask, void *arg,
			 struct syn_result *out);
