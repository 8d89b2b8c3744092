// SPDX-License-Identifier: Apache-2.0
/* A new check is a row below and, above, its probe function. */
#include "doctor/checks.h"

#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "node/encrypt.h"
#include "node/probe.h"

/* ---- asking ---- */

static bool has_no_ueid(const struct doctor *d, struct buf *what)
{
	return !d->ueids.n;
}

static bool has_no_lsm_connect(const struct doctor *d, struct buf *what)
{
	return !feature_present(&d->features, FEATURE_LSM_CONNECT);
}

static bool has_no_count(const struct doctor *d, struct buf *what)
{
	return !feature_present(&d->features, FEATURE_SMC_COUNT);
}

static bool has_no_lsm_request(const struct doctor *d, struct buf *what)
{
	return !feature_present(&d->features, FEATURE_LSM_REQUEST);
}

/* Landlock has TCP rules from its ABI 4 on; its own system call tells, since
 * securityfs is often not mounted. */
static bool landlock_has_tcp(const struct doctor *d, struct buf *what)
{
	const unsigned int create_ruleset_version = 1;

	return syscall(__NR_landlock_create_ruleset, NULL, 0,
		       create_ruleset_version) >= 4;
}

static bool selinux_enforces(const struct doctor *d, struct buf *what)
{
	_fclose_ FILE *f = fopen("/sys/fs/selinux/enforce", "re");

	return f && fgetc(f) == '1';
}

/* Is the node switched on, and its agent silent for longer than the lease? */
static bool agent_is_silent(const struct doctor *d, struct buf *what)
{
	struct smc_config config;

	return d->maps && !datapath_config(d->maps, &config) &&
	       config.enabled && datapath_offers_left(&config) <= 0;
}

static bool is_encrypted(const struct doctor *d, struct buf *what)
{
	char text[ENCRYPT_TEXT_MAX];

	if (encrypt_find(text) <= 0)
		return false;
	buf_printf(what, "%s", text);
	return true;
}

/* Pods' own devices cannot be seen from here; if the host has none either, the
 * agent reports that when it arms a pod. */
static bool cannot_probe_paths(const struct doctor *d, struct buf *what)
{
	return d->n_rdma && probe_check(d->proc) == -ENODEV;
}

static bool has_no_inotify_left(const struct doctor *d, struct buf *what)
{
	_close_ int fd = inotify_init1(IN_CLOEXEC);

	return fd < 0;
}

/* ---- the rows ---- */

static const enum feature smc[] = {FEATURE_IPPROTO_SMC, FEATURE_MAX};

const struct doctor_check doctor_checks[] = {
	{"no-ueid", smc, has_no_ueid,
	 "The kernel has no UEID: on x86 every SMC handshake falls back to TCP without one.",
	 "The agent adds the configured one when it runs."},
	{"signal-during-connect", smc, NULL,
	 "A signal that interrupts a blocking connect() of an SMC socket can break that connection, to any destination: a bug of the kernel's SMC.",
	 "Programs whose signal handlers run during connect() should not be annotated."},
	{"second-connect", smc, has_no_lsm_connect,
	 "A second connect() call during a non-blocking one may fail on SMC sockets: the hook that prevents it is missing.",
	 NULL},
	{"not-rationed", smc, has_no_count,
	 "SMC handshakes under way cannot be counted: a pod that opens very many connections to addresses that do not answer, armed or not, holds up every SMC listener of the node. The hooks that see SMC sockets come and go are missing.",
	 NULL},
	{"busy-listener", smc, has_no_lsm_request,
	 "Clients of a listener in an annotated pod whose accept queue is full, plain TCP ones too, may be reset: the hook that lets their SYNs wait is missing.",
	 NULL},
	{"landlock", smc, landlock_has_tcp,
	 "Landlock is on, and its TCP rules do not see SMC sockets: programs in annotated pods that confine themselves so are not confined.",
	 NULL},
	{"selinux", smc, selinux_enforces,
	 "SELinux enforces, and sees SMC sockets as raw IP sockets: a policy may refuse them (the pod is then disarmed, reason refused), and where it lets a domain use them, its rules on which ports may be connected to (name_connect) do not hold for the sockets of annotated pods.",
	 NULL},
	{"agent-silent", NULL, agent_is_silent,
	 "The agent of this node gave no sign of life for longer than the lease (SmcMesh spec.lease), or heard nothing of who is an endpoint: clients of armed pods open plain TCP connections until it does. Open SMC connections go on, and offers are answered.",
	 NULL},
	{"encrypted", smc, is_encrypted,
	 "This node has {}, and data over RDMA would pass by what encrypts the traffic between nodes: there is no smcr, unless SmcMesh's spec.allowUnencrypted is true.",
	 NULL},
	{"no-path-probes", smc, cannot_probe_paths,
	 "There is no /dev/infiniband/rdma_cm, so no RDMA path can be probed, and none is used (reason path-unproven):",
	 "modprobe rdma_ucm."},
	{"no-inotify", NULL, has_no_inotify_left,
	 "No inotify instance is left for this user: the agent finds pods seconds after they start, and what they open before that is late.",
	 "Raise the sysctl fs.inotify.max_user_instances; an agent that runs notices."},
	{},
};

/* ---- saying ---- */

static void say(const struct doctor_check *c, const char *what, struct buf *out)
{
	const char *gap = strstr(c->sentence, "{}");

	if (gap)
		buf_printf(out, "%.*s%s%s", (int)(gap - c->sentence),
			   c->sentence, what, gap + 2);
	else
		buf_printf(out, "%s", c->sentence);
	if (c->repair)
		buf_printf(out, " %s", c->repair);
}

bool doctor_ask(const struct doctor_check *c, const struct doctor *d,
		struct buf *out)
{
	_buf_ struct buf what = {};

	if (c->needs && !features_have(&d->features, c->needs))
		return false;
	if (c->probe && !c->probe(d, &what))
		return false;
	say(c, what.data ?: "", out);
	return true;
}
