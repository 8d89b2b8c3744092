/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMC's settings in one network namespace: net.smc.* and its interfaces' PNET
 * entries (mesh/settings.h, mesh/pnet.h). What is changed is recorded first
 * (settings_file.h).
 *
 * All of it runs in the helper process, inside the namespace (helper.h).
 */
#pragma once

#include "base/buf.h"
#include "node/helper.h"
#include "node/rdma.h"
#include "node/settings_file.h"

/* How the agent wants them. */
struct settings_want {
	const char *run;
	struct mesh_settings spec;
	/* The initial namespace's. NULL: not known, then no entry changes. */
	const struct mesh_pnet_table *devices;
};

/* How they are, as read back. */
struct settings_facts {
	long long sysctl[MESH_SYSCTLS]; /* MESH_SYSCTL_NONE: there is none */
	/* The entries that its interfaces need, and have but for those that
	 * `problem` names. */
	struct mesh_pnet_plan pnet;
	bool rdma;	   /* the namespace shows RDMA devices, usable or not */
	char put_back[96]; /* what somebody else had changed, or "" */
	char problem[192]; /* the first thing that is not as wanted, or "" */
};

/*
 * settings_keep - Make them as wanted, and read back. Idempotent. What the
 * kernel refuses does not stop the rest, and is no reason not to arm the pod.
 * @cookie, @inode: the namespace's.
 * @rdma: the ports that it may use, @n of them; negative: not known, then no
 * entry changes either.
 */
void settings_keep(const struct netns_ref *ref, const struct settings_want *w,
		   __u64 cookie, __u64 inode, const struct rdma_device *rdma,
		   int n, struct settings_facts *out);

/*
 * settings_undo - Make them as they were before us, where they are ours still.
 * @said: a line for each that was changed or left, without the namespace.
 * Return: 0, or the first negative errno; what it stands for stays recorded.
 */
must_check int settings_undo(const struct netns_ref *ref, const char *run,
			     __u64 cookie, struct buf *said);

/*
 * settings_left - What would settings_undo() change? Loads nothing of SMC.
 * @said: a line for each.
 * Return: how many, or a negative errno.
 */
must_check int settings_left(const struct netns_ref *ref, const char *run,
			     __u64 cookie, struct buf *said);

/* settings_remove - Remove recorded entries of the caller's namespace: @f's of
 * the name @id. Others' of that name would go with them: then they stay.
 * Return: 0: they are gone; -EBUSY: they stay; or another negative errno. */
must_check int settings_remove(struct settings_file *f, const char *id);

/* settings_add - Record and add an entry to the caller's namespace. Return: 0;
 * -EEXIST: that place has another name; or another negative errno. */
must_check int settings_add(struct settings_file *f,
			    const struct mesh_pnet_entry *e);

/* settings_ports - Of @rdma those that sockets can use, @n of them. @out: room
 * for as many. Return: their number. */
size_t settings_ports(const struct rdma_device *rdma, int n,
		      struct mesh_pnet_port *out);
