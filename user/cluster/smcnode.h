/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This node's SmcNode: made for its Node, its status applied whole, the first
 * at once and then at most one a second; made again where someone took it away.
 *
 * What another boot of this node published is taken back before anything is
 * armed: publish_may_arm().
 */
#pragma once

#include <uv.h>
#include "kube/client.h"
#include "mesh/smcnode_status.h"

struct publish;

struct publish_events {
	/* publish_may_arm(), publish_acked() or publish_problem() changed.
	 * Called from the loop. */
	void (*changed)(void *arg);
	/* The text of a status without any endpoint. Return: 0 or -ENOMEM. */
	int (*nothing)(struct mesh_ready *ready, struct buf *out, void *arg);
	void *arg;
};

/*
 * publish_open - Ask for the own SmcNode, and begin.
 * @client, @node and @boot_id must outlive it.
 * Return: 0 or a negative errno, logged.
 */
must_check int publish_open(uv_loop_t *loop, struct kube_client *client,
			    const char *node, const char *boot_id,
			    const struct publish_events *events,
			    struct publish **out);

/* publish_close - Before the client is closed. NULL is fine. Memory goes when
 * the loop has closed the handle. */
void publish_close(struct publish *p);

/* publish_ready - For mesh_publish(), to be kept by it. */
struct mesh_ready *publish_ready(struct publish *p);

/* publish_may_arm - Was what a boot before this one published taken back? */
bool publish_may_arm(const struct publish *p);

/*
 * publish_set - What is to be published from now on.
 * @status: kube_encode_smcnode()'s text, copied; the same again changes
 *          nothing.
 * Return: its number, from 1, for publish_acked(); the one before where there
 * is no memory for it.
 */
__u64 publish_set(struct publish *p, const struct buf *status);

/* publish_acked - The number of the newest status that the server has; 0: none
 * of this agent's. */
__u64 publish_acked(const struct publish *p);

/*
 * publish_check - Publish again what someone else changed or took away, in any
 * way: its version tells. To be called now and then.
 * @own: our SmcNode as the source shows it; NULL: it is not there.
 * @shown: source_shows_nodes(): without it @own says nothing.
 */
void publish_check(struct publish *p, const struct mesh_node *own, bool shown);

/* publish_problem - NULL, or the sentence about why the server does not have
 * what it should. */
const char *publish_problem(const struct publish *p);

/* publish_age_ms - Since when the server has the newest status; -1: it has
 * not. */
long long publish_age_ms(const struct publish *p);
