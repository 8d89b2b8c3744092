/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `smcmesh node setup` did, in a file, so that reset takes back just that.
 * A record is written before the first step and lives as long as the boot, as
 * what it tells of does: one of another boot is ignored.
 */
#pragma once

#include "mesh/nic_plan.h"

#define NIC_STATE_DIR "/run/smcmesh-node"

struct nic_state {
	const char *dir;
	char boot[sizeof(((struct nic_record *)0)->boot)];
	int lock; /* fd; -1: not held */
	struct nic_record *v;
	size_t n;
};

/*
 * nic_state_open - Read the records of this boot. A missing file has none.
 * @write: make @dir if it is missing, and keep other processes from changing
 * the file until nic_state_close(). @dir lives longer than @out.
 * @why: a sentence on failure.
 * Return: 0, or a negative errno: -EBADMSG: the file is broken.
 */
must_check int nic_state_open(const char *dir, bool write,
			      struct nic_state *out, struct buf *why);
void nic_state_close(struct nic_state *s);

/* nic_state_find - The record of @nic; NULL: there is none. */
const struct nic_record *nic_state_find(const struct nic_state *s,
					const struct nic *nic);

/* nic_state_put - Write @r, for @r->ifindex; its boot is filled in. Return: 0,
 * or a negative errno with a sentence in @why. */
must_check int nic_state_put(struct nic_state *s, const struct nic_record *r,
			     struct buf *why);

/* nic_state_drop - Write that there is no record of @ifindex any more. */
must_check int nic_state_drop(struct nic_state *s, unsigned int ifindex,
			      struct buf *why);
