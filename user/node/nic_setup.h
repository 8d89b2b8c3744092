/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets up the auxiliary RDMA NICs of a node, says whether they are, takes it
 * back. Auxiliary is the netdev of each port of an RDMA device that is not the
 * primary NIC. A NIC is set up as a whole or not at all.
 */
#pragma once

#include "mesh/nic_plan.h"

struct nic_options {
	const char *state; /* directory of the state file */
	const char *root;  /* where the node's other files are seen, "/" */
	/* Only this one, RDMA device or not; NULL: those of RDMA devices. */
	const char *netdev;
	const char *metadata_url;
	const struct nic_want *given; /* instead of asking; NULL: ask */
	bool dry_run;
};

/* What became of a NIC: its word, and the exit status that goes with it. */
#define NIC_OUTCOMES(X)                                       \
	/* nothing is done: what should be is not known */    \
	X(UNKNOWN, "unknown", 3)                              \
	/* setup or reset did it */                           \
	X(DONE, "done", 0)                                    \
	/* it was so */                                       \
	X(ALREADY, "already", 0)                              \
	/* and was asked not to do it */                      \
	X(WOULD, "would", 0)                                  \
	/* the primary one */                                 \
	X(SKIPPED, "skipped", 0)                              \
	/* somebody else has set it up */                     \
	X(OTHERS, "others", 0)                                \
	/* status: it is not set up */                        \
	X(LACKING, "lacking", 1)                              \
	/* somebody else manages it, and has not set it up */ \
	X(UNREADY, "unready", 1)                              \
	/* it must not be touched */                          \
	X(REFUSED, "refused", 1)                              \
	/* a step failed; all was taken back */               \
	X(FAILED, "failed", 1)

enum nic_outcome {
#define NIC_OUTCOME(id, word, status) NIC_##id,
	NIC_OUTCOMES(NIC_OUTCOME)
#undef NIC_OUTCOME
};

struct nic_result {
	char device[64]; /* of RDMA; "": named by the option */
	struct nic nic;	 /* ifindex 0: there is none */
	enum nic_outcome outcome;
	bool planned; /* `plan` is set */
	struct nic_plan plan;
	struct buf text; /* a sentence */
};

/* Zeroed: nothing happened. */
struct nic_report {
	char primary[NIC_NAME_ROOM];
	struct nic_result *v;
	size_t n;
	/* Of what concerns no NIC alone: a sentence, and an exit status. */
	struct buf error;
	int status;
};

/* nic_outcome_word - The word of the table. */
const char *nic_outcome_word(enum nic_outcome o);

/*
 * nic_setup, nic_status, nic_reset - Do it, or with opt->dry_run say what would
 * be done. nic_status() changes nothing.
 * @all: not only what setup did: delete all IPv4 addresses of the auxiliary
 * NICs, and set their links down. NICs that hold a default route, or that
 * others hold or manage, are refused.
 * @out: zeroed; free with nic_report_free().
 * Return: an exit status: 0 yes; 1 no, for one NIC at least, or there is none;
 * 3: could not be told.
 */
int nic_setup(const struct nic_options *opt, struct nic_report *out);
int nic_status(const struct nic_options *opt, struct nic_report *out);
int nic_reset(const struct nic_options *opt, bool all, struct nic_report *out);

void nic_report_free(struct nic_report *r);
