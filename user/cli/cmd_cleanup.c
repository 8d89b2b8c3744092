// SPDX-License-Identifier: Apache-2.0
/*
 * Take everything of ours away, in the order that keeps I2 at every moment:
 * first the converter goes and the verdict denies (no new SMC sockets, no
 * offer), then each namespace lets go of its selector, then the selector
 * itself. A namespace with open SMC sockets keeps it, denying: without one the
 * kernel would let them offer to, and answer, anyone.
 *
 * It ends by looking for what it should have removed, not by believing itself.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "agent/agent.h"
#include "agent/lock.h"
#include "agent/ueid.h"
#include "base/cleanup.h"
#include "cli/command.h"
#include "datapath/datapath.h"
#include "node/netns.h"

enum { FORCE, BPFFS, CGROUP, PROC, RUN };

static const struct cli_option options[] = {
	[FORCE] = {0, "force", NULL, NULL,
		   "clear the selector also where SMC sockets are open"},
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	[RUN] = CLI_OPTION_RUN,
	{},
};

struct cleanup {
	struct datapath_options datapath;
	const char *run;
	bool force;
	unsigned int namespaces, kept;
	struct buf said; /* of the namespaces */
	int err;	 /* the first that something ended with */
};

static void note(struct cleanup *c, int err)
{
	if (err < 0 && !c->err)
		c->err = err;
}

static void failed(struct cleanup *c, int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "smcmesh cleanup: %s: %s\n", what, strerror(-err));
	note(c, err);
}

/* ---- namespaces -------------------------------------------------------- */

static void say_released(struct buf *said, const char *path,
			 const struct netns_released *r)
{
	char sockets[64];

	if (r->smc_sockets < 0)
		snprintf(sockets, sizeof(sockets),
			 "SMC sockets may be open (%s)",
			 strerror(-r->smc_sockets));
	else
		snprintf(sockets, sizeof(sockets), "%d SMC socket%s open",
			 r->smc_sockets, r->smc_sockets == 1 ? " is" : "s are");
	if (r->selector && r->smc_sockets)
		buf_printf(
			said,
			"cleared net.smc.hs_ctrl in %s, where %s: these may now offer SMC to anyone, and answer anyone\n",
			path, sockets);
	else if (r->selector)
		buf_printf(said, "cleared net.smc.hs_ctrl in %s\n", path);
	if (r->rule)
		buf_printf(said,
			   "removed the nftables table inet smcmesh in %s\n",
			   path);
	if (r->kept)
		buf_printf(
			said,
			"kept the selector in %s, denying, because %s there\n",
			path, sockets);
}

static int release(const char *path, __u64 inode, void *arg)
{
	struct cleanup *c = arg;
	struct netns_ref ref = {.path = path, .proc = c->datapath.proc};
	struct netns_released r;
	int err = netns_release(&ref, c->force, &r);

	if (err == -ENOENT) /* it has gone meanwhile, and all in it */
		return 0;
	say_released(&c->said, path, &r);
	failed(c, err, path);
	c->kept += r.kept;
	c->namespaces++;
	return 0;
}

/* ---- the rest ---------------------------------------------------------- */

static void print_said(const struct buf *said)
{
	if (said->data)
		fputs(said->data, stdout);
}

/* Lines of what is gone; what was left is for another pass to tell. */
static void print_removed(const struct buf *said)
{
	const char *p = said->data ?: "";

	for (size_t len; *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		if (!strncmp(p, "removed", strlen("removed")))
			printf("%.*s\n", (int)len, p);
	}
}

static void remove_datapath(struct cleanup *c, bool keep_selector,
			    struct buf *said)
{
	failed(c, datapath_remove(&c->datapath, keep_selector, said),
	       "remove the BPF programs and maps");
}

/* Stop converting and deny everything; let the namespaces go; then, unless one
 * of them needs it, the rest. */
static void remove_all(struct cleanup *c)
{
	_buf_ struct buf first = {}, second = {};

	remove_datapath(c, true, &first);
	failed(c, netns_each(c->datapath.proc, release, c),
	       "go through the namespaces");
	if (c->kept) {
		print_said(&first);
		print_said(&c->said);
		return;
	}
	print_removed(&first);
	print_said(&c->said);
	remove_datapath(c, false, &second);
	print_said(&second);
}

static void remove_ueid(struct cleanup *c)
{
	_buf_ struct buf said = {};
	int err = ueid_forget(c->run, &said);

	print_said(&said);
	failed(c, err, "remove our UEID");
}

/* The lock goes last, while it is held. */
static void remove_run(struct cleanup *c)
{
	static const char *const files[] = {AGENT_SOCKET, "agent.lock"};
	char path[PATH_MAX];

	for (size_t i = 0; i < array_size(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", c->run, files[i]);
		if (unlink(path) && errno != ENOENT)
			failed(c, -errno, path);
	}
	if (!rmdir(c->run))
		printf("removed %s\n", c->run);
	else if (errno != ENOENT)
		failed(c, -errno, c->run);
}

/* ---- the proof --------------------------------------------------------- */

static int look(const char *path, __u64 inode, void *arg)
{
	struct cleanup *c = arg;
	struct netns_ref ref = {.path = path, .proc = c->datapath.proc};
	struct netns_facts facts = {};
	int err = netns_look(&ref, &facts);

	if (!err &&
	    !strncmp(facts.ctrl, SMC_CTRL_PREFIX, SMC_CTRL_PREFIX_LEN)) {
		printf("left: net.smc.hs_ctrl in %s is %s\n", path, facts.ctrl);
		note(c, -EBUSY);
	}
	netns_facts_free(&facts);
	return 0;
}

static void prove(struct cleanup *c)
{
	char pins[PATH_MAX];

	snprintf(pins, sizeof(pins), "%s/%s", c->datapath.bpffs, SMC_PIN_DIR);
	if (!access(pins, F_OK)) {
		printf("left: %s\n", pins);
		note(c, -EBUSY);
	}
	failed(c, netns_each(c->datapath.proc, look, c),
	       "look through the namespaces");
}

static int conclude(const struct cleanup *c)
{
	if (c->kept) {
		printf("Not all is removed: %u namespace%s a denying selector, until the SMC sockets there are closed.\n"
		       "Their traffic goes on as it is; new connections are TCP. Run cleanup again later, or now with --force.\n",
		       c->kept, c->kept == 1 ? " keeps" : "s keep");
		return EXIT_FAILED;
	}
	if (c->err)
		return EXIT_FAILED;
	printf("Nothing of smcmesh is left: no pin below %s, no selector in any of %u namespaces, no UEID of ours.\n",
	       c->datapath.bpffs, c->namespaces);
	return EXIT_OK;
}

/* Return: the lock, -1 where nothing can hold one, or -EBUSY. */
static int lock_or_say(const char *run)
{
	pid_t holder = 0;
	int fd = lock_take(run, &holder);

	if (fd == -ENOENT)
		return -1;
	if (fd == -EBUSY)
		fprintf(stderr,
			"smcmesh cleanup: an agent is running, pid %d: stop it first (it would put back what is removed)\n",
			holder);
	else if (fd < 0)
		fprintf(stderr, "smcmesh cleanup: lock %s/agent.lock: %s\n",
			run, strerror(-fd));
	return fd < 0 ? -EBUSY : fd;
}

static int run(const struct cli_args *args)
{
	struct cleanup c = {
		.datapath = {.bpffs = args->option[BPFFS],
			     .cgroup = args->option[CGROUP],
			     .proc = args->option[PROC]},
		.run = args->option[RUN],
		.force = args->option[FORCE],
	};
	_close_ int lock = lock_or_say(c.run);

	if (lock == -EBUSY)
		return EXIT_FAILED;
	remove_all(&c);
	remove_ueid(&c);
	remove_run(&c);
	if (!c.kept)
		prove(&c);
	buf_free(&c.said);
	return conclude(&c);
}

const struct command command_cleanup = {
	.name = "cleanup",
	.help = "take away all that smcmesh made on this node",
	.more = "Prints each thing removed, and what stays and why. Needs no agent, and refuses\n"
		"while one runs. Exits 1 where a namespace with open SMC sockets keeps a\n"
		"denying selector.",
	.options = options,
	.run = run,
};
