// SPDX-License-Identifier: Apache-2.0
/*
 * Removes everything of ours, in the order that keeps I2 at every moment: first
 * it removes the converter and makes the verdict deny (no new SMC sockets, no
 * offer), then it clears the selector in each namespace, then it removes the
 * selector itself. A namespace with open SMC sockets keeps it, denying: without
 * one the kernel would let them offer to, and answer, anyone. So does a
 * namespace where clearing failed.
 *
 * At the end it looks for what it should have removed; a namespace where it
 * cannot look is not clean. --list is that look alone. --then-idle is for a
 * DaemonSet, whose pods must not end: it tries until nothing is left, and the
 * look is what makes the pod Ready.
 *
 * --abi removes what the agents of one ABI pinned. All ABIs share what
 * namespaces have: it goes with the last of them.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "agent/agent.h"
#include "node/run_cgroup.h"
#include "node/run_dir.h"
#include "node/settings_sweep.h"
#include "node/ueid.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/strv.h"
#include "cli/command.h"
#include "datapath/datapath.h"
#include "datapath/features.h"
#include "node/netns.h"
#include "node/proc.h"
#include "node/pod_of_pid.h"

/* Between two tries of --then-idle. */
#define AGAIN_S 5

/* A path and its pod. */
#define NAME_ROOM (PATH_MAX + PODNAME_UID_MAX + 16)

/* More than any node has seen. */
#define ABIS_MAX 16

enum { FORCE, LIST, THEN_IDLE, ABI, BPFFS, CGROUP, PROC, RUN };

static const struct cli_option options[] = {
	[FORCE] = {0, "force", NULL, NULL,
		   "clear the selector also where SMC sockets are open"},
	[LIST] = {0, "list", NULL, NULL,
		  "change nothing, list what is there; exit 1 if something is"},
	[THEN_IDLE] = {0, "then-idle", NULL, NULL,
		       "try until nothing is left, then wait for a signal"},
	[ABI] = {0, "abi", "N", NULL,
		 "only what an agent of this ABI left; without it: of any"},
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	[RUN] = CLI_OPTION_RUN,
	{},
};

struct cleanup {
	struct datapath_options datapath;
	const char *run;
	char **ours; /* names of our selectors, read before they go */
	bool force;
	bool partly; /* another ABI stays: remove only the pins */
	unsigned int namespaces, kept;
	bool unreleased;   /* in some namespace it is not known what stayed */
	bool unsettled;	   /* in some namespace a setting of ours stays */
	bool denied;	   /* rights were missing */
	struct buf said;   /* of the namespaces */
	struct buf out;	   /* for stdout */
	struct buf errors; /* for stderr */
	int err;	   /* the first error */
};

static void told_free(struct cleanup *c)
{
	buf_free(&c->said);
	buf_free(&c->out);
	buf_free(&c->errors);
	strv_free(&c->ours);
}

static void note(struct cleanup *c, int err)
{
	if (err < 0 && !c->err)
		c->err = err;
}

static void add_said(struct buf *out, const struct buf *said)
{
	if (said->data)
		buf_add(out, said->data, said->len);
}

/* A second pass fails at the same things as the first: print each once. */
static void failed(struct cleanup *c, int err, const char *what)
{
	_buf_ struct buf line = {};

	if (err >= 0)
		return;
	buf_printf(&line, "smcmesh cleanup: %s: %s\n", what, strerror(-err));
	if (!strstr(c->errors.data ?: "", line.data ?: ""))
		add_said(&c->errors, &line);
	c->denied |= err == -EPERM || err == -EACCES;
	note(c, err);
}

/* ---- namespaces -------------------------------------------------------- */

/* "/proc/817/ns/net (pod 6f1c...)", as far as it is known. */
static const char *name(const char *path, char text[NAME_ROOM])
{
	char uid[PODNAME_UID_MAX];

	if (netns_pod_uid(path, uid))
		snprintf(text, NAME_ROOM, "%s", path);
	else
		snprintf(text, NAME_ROOM, "%s (pod %s)", path, uid);
	return text;
}

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
			"took the selector out of %s, where %s: these may now offer SMC to anyone, and answer anyone\n",
			path, sockets);
	else if (r->selector)
		buf_printf(said, "took the selector out of %s\n", path);
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

/* Does @err mean that the namespace is gone? A process that is ending refuses
 * for a moment, and an unmounted file is an ordinary one. */
static bool has_gone(int err, const struct place *at)
{
	struct ns_id now;

	return err && (ns_of_path(at->path, &now) || !ns_same(&now, &at->id));
}

static struct netns_ref ref_of(const struct cleanup *c, const struct place *at)
{
	return (struct netns_ref){.path = at->path,
				  .id = at->id,
				  .proc = c->datapath.proc,
				  .ours = c->ours,
				  .run = c->run};
}

/* One line for each line of @said. */
static void add_in(struct buf *out, const struct buf *said, const char *where)
{
	const char *p = said->data ?: "";

	for (size_t len; *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		buf_printf(out, "%.*s (in %s)\n", (int)len, p, where);
	}
}

static int release(const struct place *at, void *arg)
{
	struct cleanup *c = arg;
	struct netns_ref ref = ref_of(c, at);
	_buf_ struct buf settings = {};
	struct netns_released r;
	int err = netns_release(&ref, c->force, &r, &settings);
	char text[NAME_ROOM];

	if (has_gone(err, at))
		return -ENOENT;
	say_released(&c->said, name(at->path, text), &r);
	add_in(&c->said, &settings, text);
	failed(c, err, at->path);
	failed(c, r.settings_err, at->path);
	c->unsettled |= r.settings_err < 0;
	c->kept += r.kept;
	c->unreleased |= err < 0;
	c->namespaces++;
	return 0;
}

/* Find out which selectors are ours; if that fails none may be removed. */
static void learn_ours(struct cleanup *c)
{
	int err = datapath_ctrl_names_read(&c->datapath, &c->ours);

	failed(c, err, "list our selectors");
	c->unreleased |= err < 0;
}

/* ---- the rest ---------------------------------------------------------- */

/* Add the lines of removed things; another pass reports those that were
 * left. */
static void add_removed(struct buf *out, const struct buf *said)
{
	const char *p = said->data ?: "";

	for (size_t len; *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		if (!strncmp(p, "removed", strlen("removed")))
			buf_printf(out, "%.*s\n", (int)len, p);
	}
}

static void remove_datapath(struct cleanup *c, bool keep_selector,
			    struct buf *said)
{
	failed(c, datapath_remove(&c->datapath, keep_selector, said),
	       "remove the BPF programs and maps");
}

/* Must the selector stay, because a namespace has it, or may have it? */
static bool is_needed(const struct cleanup *c)
{
	return c->kept || c->unreleased;
}

/* Another ABI's agent has its selector in the namespaces, or will have. A
 * namespace that still has this ABI's keeps it: it denies everything, and its
 * name is gone. */
static void remove_part(struct cleanup *c)
{
	_buf_ struct buf first = {}, second = {};

	remove_datapath(c, true, &first);
	remove_datapath(c, false, &second);
	add_removed(&c->out, &first);
	add_said(&c->out, &second);
}

/* Stop converting and deny everything; clear the namespaces; then, unless one
 * of them needs it, remove the rest. */
static void remove_all(struct cleanup *c)
{
	_buf_ struct buf first = {}, second = {};
	int err;

	remove_datapath(c, true, &first);
	err = netns_each(c->datapath.proc, release, c);
	failed(c, err, "go through the namespaces");
	c->unreleased |= err < 0;
	if (is_needed(c)) {
		add_said(&c->out, &first);
		add_said(&c->out, &c->said);
		return;
	}
	add_removed(&c->out, &first);
	add_said(&c->out, &c->said);
	remove_datapath(c, false, &second);
	add_said(&c->out, &second);
}

/* What namespaces that are gone had. */
static void remove_settings(struct cleanup *c)
{
	bool all = !c->unreleased && !c->unsettled;

	failed(c, settings_forget(c->run, all ? NULL : c->datapath.proc),
	       "forget the settings of namespaces that are gone");
}

static void remove_ueid(struct cleanup *c)
{
	_buf_ struct buf said = {};
	int err = ueid_forget(c->run, &said);

	add_said(&c->out, &said);
	failed(c, err, "remove our UEID");
}

/*
 * In a container the directory is a mount of the host's directory of the same
 * name, and cannot be removed by this name: use the host's root.
 */
static void remove_mounted(struct cleanup *c)
{
	struct stat here, there;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/1/root%s", c->datapath.proc, c->run);
	if (!stat(c->run, &here) && !stat(path, &there) &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino &&
	    !rmdir(path))
		buf_printf(&c->out, "removed %s\n", c->run);
	else
		buf_printf(&c->out, "left %s, empty: it is mounted here\n",
			   c->run);
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
		buf_printf(&c->out, "removed %s\n", c->run);
	else if (errno == EBUSY && !is_needed(c))
		remove_mounted(c);
	else if (errno != ENOENT && errno != EBUSY)
		failed(c, -errno, c->run);
}

/* ---- cgroups of `smcmesh run` -------------------------------------------- */

/* Return: "": there are none. */
static const char *cgroup_root(const struct cleanup *c, char found[PATH_MAX])
{
	if (c->datapath.cgroup)
		return c->datapath.cgroup;
	return features_find_cgroup2(c->datapath.proc, found, PATH_MAX) ? ""
									: found;
}

static void each_program(struct cleanup *c, run_cgroup_fn fn)
{
	char found[PATH_MAX];
	const char *root = cgroup_root(c, found);

	if (*root)
		failed(c, run_cgroup_each(root, fn, c),
		       "look for cgroups of smcmesh run");
}

/* A program that still runs keeps its cgroup: the proof names it. */
static int remove_program(const char *path, void *arg)
{
	struct cleanup *c = arg;
	char found[PATH_MAX], dir[CGROUP_PATH_MAX];
	int err = cgroup_named(cgroup_root(c, found), path, dir);

	err = err ?: run_cgroup_remove(dir);
	if (!err)
		buf_printf(&c->out, "removed %s\n", dir);
	else if (err != -EBUSY && err != -ENOENT)
		failed(c, err, path);
	return 0;
}

static int look_at_program(const char *path, void *arg)
{
	struct cleanup *c = arg;

	buf_printf(
		&c->out,
		"left: the cgroup %s, until the program of smcmesh run in it ends\n",
		path);
	note(c, -EBUSY);
	return 0;
}

/* ---- the proof --------------------------------------------------------- */

/* A namespace where the look fails is not known to be clean. */
static int look(const struct place *at, void *arg)
{
	struct cleanup *c = arg;
	struct netns_ref ref = ref_of(c, at);
	_buf_ struct buf settings = {};
	struct netns_left left;
	int err = netns_left(&ref, &left, &settings);
	char text[NAME_ROOM];

	if (has_gone(err, at))
		return -ENOENT;
	name(at->path, text);
	failed(c, err, text);
	if (netns_has_filters(left.ctrl))
		buf_printf(&c->out, "left: filters on the devices in %s\n",
			   text);
	else if (left.ctrl[0])
		buf_printf(&c->out, "left: net.smc.hs_ctrl in %s is %s\n", text,
			   left.ctrl);
	if (left.rule)
		buf_printf(&c->out,
			   "left: the nftables table inet smcmesh in %s\n",
			   text);
	add_in(&c->out, &settings, text);
	if (left.ctrl[0] || left.rule || left.settings)
		note(c, -EBUSY);
	c->namespaces++;
	return 0;
}

/* The ABIs that have pins. Return: their number. */
static size_t abis_of(struct cleanup *c, unsigned int abis[ABIS_MAX])
{
	int n = datapath_abis(&c->datapath, abis, ABIS_MAX);
	char what[PATH_MAX + 32];

	snprintf(what, sizeof(what), "look for pins in %s/%s",
		 c->datapath.bpffs, SMC_PIN_DIR);
	failed(c, n, what);
	if (n < 0)
		return 0;
	return n < ABIS_MAX ? n : ABIS_MAX;
}

static bool is_meant(const struct cleanup *c, unsigned int abi)
{
	return !c->datapath.abi || c->datapath.abi == abi;
}

static void look_for_pins(struct cleanup *c)
{
	unsigned int abis[ABIS_MAX];
	size_t n = abis_of(c, abis);
	char pins[PATH_MAX], version[16];
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		if (!is_meant(c, abis[i]))
			continue;
		snprintf(version, sizeof(version), "/v%u", abis[i]);
		buf_printf(&c->out, "left: %s/%s%s (ABI %u)\n",
			   c->datapath.bpffs, SMC_PIN_DIR,
			   abis[i] > 1 ? version : "", abis[i]);
		found = true;
	}
	snprintf(pins, sizeof(pins), "%s/%s", c->datapath.bpffs, SMC_PIN_DIR);
	if (!c->partly && !found && !access(pins, F_OK)) {
		buf_printf(&c->out, "left: %s\n", pins);
		found = true;
	}
	if (found)
		note(c, -EBUSY);
}

/* Do pins of another ABI stay, with --abi? */
static bool is_partly(struct cleanup *c)
{
	unsigned int abis[ABIS_MAX];
	size_t n = abis_of(c, abis);

	for (size_t i = 0; i < n; i++)
		if (!is_meant(c, abis[i]))
			return true;
	return false;
}

static void prove(struct cleanup *c)
{
	int ueids;

	look_for_pins(c);
	if (c->partly)
		return;
	each_program(c, look_at_program);
	ueids = ueid_left(c->run, &c->out);
	failed(c, ueids, "look for our UEID");
	if (ueids > 0)
		note(c, -EBUSY);
	c->namespaces = 0;
	failed(c, netns_each(c->datapath.proc, look, c),
	       "look through the namespaces");
}

static void say_rights(struct cleanup *c)
{
	if (c->denied)
		buf_printf(
			&c->errors,
			"smcmesh cleanup: not all could be looked at: run it as root, or with the capabilities of the agent\n");
}

static int conclude(struct cleanup *c)
{
	say_rights(c);
	if (c->unreleased)
		buf_printf(
			&c->out,
			"Not all is removed: some namespaces could not be dealt with, see the errors. The selector stays for them, denying. Run cleanup again%s.\n",
			c->denied ? ", as root" : "");
	if (c->kept) {
		buf_printf(
			&c->out,
			"Not all is removed: %u namespace%s a denying selector, until the SMC sockets there are closed.\n"
			"Their traffic goes on as it is; new connections are TCP. Run cleanup again later, or now with --force.\n",
			c->kept, c->kept == 1 ? " keeps" : "s keep");
		return EXIT_FAILED;
	}
	if (c->err)
		return EXIT_FAILED;
	if (c->partly) {
		buf_printf(
			&c->out,
			"Nothing of ABI %u is left below %s; what another ABI has there stays, and the namespaces as they are.\n",
			c->datapath.abi, c->datapath.bpffs);
		return EXIT_OK;
	}
	buf_printf(
		&c->out,
		"Nothing of smcmesh is left: no pin below %s, no selector, no nftables table and no setting of ours in any of %u namespaces, no UEID of ours.\n",
		c->datapath.bpffs, c->namespaces);
	return EXIT_OK;
}

/* ---- the whole --------------------------------------------------------- */

/* Return: the lock, -1 if no agent can hold one, or -EBUSY. */
static int lock_or_say(struct cleanup *c)
{
	pid_t holder = 0;
	int fd = lock_take(c->run, &holder);
	char what[PATH_MAX];

	if (fd == -ENOENT)
		return -1;
	snprintf(what, sizeof(what), "lock %s/agent.lock", c->run);
	if (fd == -EBUSY)
		buf_printf(
			&c->errors,
			"smcmesh cleanup: an agent is running, pid %d: stop it first (it would put back what is removed)\n",
			holder);
	else
		failed(c, fd, what);
	return fd < 0 ? -EBUSY : fd;
}

static int clean(struct cleanup *c)
{
	_close_ int lock = lock_or_say(c);

	if (lock == -EBUSY) {
		say_rights(c);
		return EXIT_FAILED;
	}
	learn_ours(c);
	c->partly = is_partly(c);
	if (c->partly) {
		remove_part(c);
	} else {
		remove_all(c);
		remove_ueid(c);
		remove_settings(c);
		each_program(c, remove_program);
		remove_run(c);
	}
	if (!is_needed(c))
		prove(c);
	return conclude(c);
}

static int list(struct cleanup *c)
{
	learn_ours(c);
	c->partly = is_partly(c);
	prove(c);
	return conclude(c);
}

static void print(const struct cleanup *c)
{
	fputs(c->out.data ?: "", stdout);
	fflush(stdout);
	fputs(c->errors.data ?: "", stderr);
}

/* Return: did a terminating signal come within @seconds (-1: wait for ever)?
 * They are blocked, so that no try is cut short. */
static bool signalled(const sigset_t *signals, int seconds)
{
	const struct timespec time = {.tv_sec = seconds};
	int got;

	do {
		got = sigtimedwait(signals, NULL, seconds < 0 ? NULL : &time);
	} while (got < 0 && errno == EINTR);
	return got > 0;
}

static bool says_the_same(const struct cleanup *a, const struct cleanup *b)
{
	return !strcmp(a->out.data ?: "", b->out.data ?: "") &&
	       !strcmp(a->errors.data ?: "", b->errors.data ?: "");
}

/* Prints each answer once, however often it comes. */
static int clean_then_idle(const struct cleanup *how)
{
	_cleanup_(told_free) struct cleanup last = {};
	sigset_t signals;
	int ret = EXIT_FAILED;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	while (ret != EXIT_OK) {
		struct cleanup c = *how;

		ret = clean(&c);
		if (!says_the_same(&c, &last))
			print(&c);
		told_free(&last);
		last = c;
		if (ret != EXIT_OK && signalled(&signals, AGAIN_S))
			return ret;
	}
	signalled(&signals, -1);
	return EXIT_OK;
}

/* Return: 0, or -EINVAL, with an error on stderr. */
static int read_abi(const char *text, unsigned int *out)
{
	char *end;
	unsigned long abi;

	if (!text)
		return 0;
	errno = 0;
	abi = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !abi ||
	    abi > UINT_MAX) {
		fprintf(stderr,
			"smcmesh cleanup: --abi %s: a number from 1 on is expected\n",
			text);
		return -EINVAL;
	}
	*out = abi;
	return 0;
}

static int run(const struct cli_args *args)
{
	_cleanup_(told_free) struct cleanup c = {
		.datapath = {.bpffs = args->option[BPFFS],
			     .cgroup = args->option[CGROUP],
			     .proc = args->option[PROC]},
		.run = args->option[RUN],
		.force = args->option[FORCE],
	};
	int ret;

	/* A second pass fails at the same things as the first. */
	log_each_once();
	if (read_abi(args->option[ABI], &c.datapath.abi))
		return EXIT_USAGE;
	if (args->option[LIST] &&
	    (args->option[FORCE] || args->option[THEN_IDLE])) {
		fprintf(stderr,
			"smcmesh cleanup: --list changes nothing: neither --force nor --then-idle goes with it\n");
		return EXIT_USAGE;
	}
	if (args->option[THEN_IDLE])
		return clean_then_idle(&c);
	ret = args->option[LIST] ? list(&c) : clean(&c);
	print(&c);
	return ret;
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
