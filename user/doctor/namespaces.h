/* SPDX-License-Identifier: Apache-2.0 */
/* The SMC state of each network namespace of this machine. */
#pragma once

#include "datapath/datapath.h"
#include "node/netns.h"
#include "node/smcr_space.h"

struct doctor_namespace {
	char *path;
	__u64 cookie;
	char ctrl[SMC_CTRL_NAME_MAX]; /* as netns_facts.ctrl */
	char detail[128]; /* what is foreign: a name, or a program in front */
	bool armed;	  /* a pod's, and the kernel refused it no socket */
	bool ours;	  /* it has a selector of ours */
	bool foreign;	  /* it has one that is not */
	int smc_sockets;  /* or a negative errno: not known */
	__u32 transports;
	char deaf[64]; /* as in struct netns_facts */
	/* Of armed ones alone. */
	int smcr_err; /* 0, or why smcr is not known */
	struct smcr_space smcr;
};

/* Zeroed: empty. */
struct doctor_namespaces {
	struct doctor_namespace *v;
	size_t n;
	bool unseen; /* some could not be looked at */
};

/* doctor_namespaces_read - Look at each, changing nothing.
 * @maps, @ours: as in struct doctor.
 * @smc: has the kernel IPPROTO_SMC? Free with doctor_namespaces_free(). */
void doctor_namespaces_read(const char *proc, struct datapath *maps,
			    char *const *ours, bool smc,
			    struct doctor_namespaces *out);
void doctor_namespaces_free(struct doctor_namespaces *spaces);
