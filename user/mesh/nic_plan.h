/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do so that an auxiliary NIC has its address, and what of that to take
 * back. A NIC is ready if it is up with a carrier, and has the address and a
 * connected route for its subnet in the table main, which the primary NIC's
 * beats: a route of the primary's metric + 1 is what setup makes (the kernel
 * makes it with the address, IFA_RT_PRIORITY). One of another higher metric, as
 * the erdma-controller makes it, is as good.
 */
#pragma once

#include "mesh/nic.h"
#include "mesh/nic_want.h"

/* In the order in which they are done. */
enum nic_step {
	NIC_STEP_UP = 1,
	NIC_STEP_ADDRESS = 2, /* with the connected route */
	NIC_STEP_ROUTE = 4,   /* the address is there, its route is not */
};

struct nic_plan {
	struct nic_want want;
	unsigned int steps; /* 0: it is all there already */
	bool carrier;	    /* it has one; else setup waits for that */
	/* The connected route's: that there is, or else that will be. */
	__u32 metric;
};

/*
 * nic_plan - What @nic lacks of @want, which nic_want_check() found good.
 * @primary: of nic_primary().
 * @out: untouched on failure.
 * @why: on failure a sentence that says what stands against it.
 * Return: 0; -EPERM: nic_barred(); -EBUSY: nic_held(), or it has
 * another address; -EADDRINUSE: another NIC has the address; -ENONET: the
 * primary NIC has no connected IPv4 route; -EEXIST: routes that are there would
 * make traffic of other NICs leave by this one.
 */
must_check int nic_plan(const struct nic_view *v, const struct nic *primary,
			const struct nic *nic, const struct nic_want *want,
			struct nic_plan *out, struct buf *why);

/* What setup did to a NIC, as its state file keeps it. */
struct nic_record {
	char boot[40]; /* /proc/sys/kernel/random/boot_id */
	unsigned int ifindex;
	char mac[NIC_MAC_ROOM], name[NIC_NAME_ROOM];
	unsigned int steps;   /* enum nic_step */
	struct nic_want want; /* without the gateway */
	__u32 metric;
};

/* nic_record_format - Append @r as a line. Return: 0 or -ENOMEM. */
must_check int nic_record_format(const struct nic_record *r, struct buf *out);

/* nic_record_parse - One such line, without its end. Return: 0, or -EINVAL. */
must_check int nic_record_parse(const char *line, struct nic_record *out);

/* nic_record_is - Is @nic the one of @r, whatever its name is now? */
bool nic_record_is(const struct nic_record *r, const struct nic *nic);

/*
 * nic_undo - Which of the steps of @r, whose NIC @nic is, are to be taken back:
 * those whose result is still there. The link stays up where others have
 * something on it that they would lose; @why says what.
 */
unsigned int nic_undo(const struct nic_view *v, const struct nic *nic,
		      const struct nic_record *r, struct buf *why);
