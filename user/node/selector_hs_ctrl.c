// SPDX-License-Identifier: Apache-2.0
/* net.smc.hs_ctrl: the name of the struct smc_hs_ctrl that judges this
 * namespace's handshakes; empty: none. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/strv.h"
#include "node/selector.h"

/*
 * /proc/sys/net shows the namespace of the process that opens it, not that of
 * the mount (net_ctl_header_lookup(), net/sysctl_net.c): a helper inside sees
 * its own in any procfs, so no fresh one is mounted.
 */
static int ctrl_open(const struct netns_ref *ref, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/sys/net/smc/hs_ctrl",
		 ref->proc ?: PROC_DEFAULT);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int ctrl_read(const struct netns_ref *ref, char name[SMC_CTRL_NAME_MAX])
{
	_close_ int fd = ctrl_open(ref, O_RDONLY);
	char text[SMC_CTRL_NAME_MAX + 1]; /* and the line's end */
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	snprintf(name, SMC_CTRL_NAME_MAX, "%.*s", (int)strcspn(text, "\n"),
		 text);
	return 0;
}

/* @name: "" to clear. */
static int ctrl_write(const struct netns_ref *ref, const char *name)
{
	_close_ int fd = ctrl_open(ref, O_WRONLY);
	char text[SMC_CTRL_NAME_MAX + 1];
	int len;

	if (fd < 0)
		return fd;
	/* A write of no bytes changes nothing (proc_dostring()): so end the
	 * line. */
	len = snprintf(text, sizeof(text), "%s\n", name);
	if (len >= (int)sizeof(text))
		return -ENAMETOOLONG;
	return write(fd, text, len) < 0 ? -errno : 0;
}

/* Note the present name in @f. Return: 0; -ENODATA: none; or another negative
 * errno, with its reason in @f. */
static int note(const struct netns_ref *ref, struct netns_facts *f)
{
	int err = ctrl_read(ref, f->ctrl);

	if (err)
		return facts_fail(f, SMC_REASON_SELECTOR_FAILED, err);
	f->ctrl_is_ours = strv_has(ref->ours, f->ctrl);
	if (f->ctrl_is_ours)
		return 0;
	if (!f->ctrl[0])
		return -ENODATA;
	snprintf(f->detail, sizeof(f->detail), "%s", f->ctrl);
	return facts_fail(f, SMC_REASON_FOREIGN_SELECTOR, -EEXIST);
}

static int hs_set(const struct netns_ref *ref, const char *ctrl,
		  struct netns_facts *f)
{
	int err;

	if (!ctrl)
		return facts_fail(f, SMC_REASON_NO_SELECTOR, -EOPNOTSUPP);
	err = note(ref, f);
	if (err && err != -ENODATA)
		return err;
	err = 0;
	/* One write, from ours to ours: an empty name in between would let
	 * offers through. */
	if (strcmp(f->ctrl, ctrl)) {
		err = ctrl_write(ref, ctrl);
		err = err ?: ctrl_read(ref, f->ctrl);
	}
	if (!err && strcmp(f->ctrl, ctrl))
		err = -EIO;
	f->ctrl_is_ours = strv_has(ref->ours, f->ctrl);
	return err ? facts_fail(f, SMC_REASON_SELECTOR_FAILED, err) : 0;
}

static int hs_check(const struct netns_ref *ref, struct netns_facts *f)
{
	int err = note(ref, f);

	return err == -ENODATA ? facts_fail(f, SMC_REASON_SELECTOR_FAILED, err)
			       : err;
}

static int hs_left(const struct netns_ref *ref, char name[SMC_CTRL_NAME_MAX])
{
	char is[SMC_CTRL_NAME_MAX];
	int err = ctrl_read(ref, is);

	if (err) /* -ENOENT: a kernel without the sysctl */
		return err == -ENOENT ? 0 : err;
	if (!strv_has(ref->ours, is))
		return 0;
	strcpy(name, is);
	return 1;
}

static int hs_release(const struct netns_ref *ref)
{
	char name[SMC_CTRL_NAME_MAX];
	int got = hs_left(ref, name);

	if (got <= 0)
		return got;
	got = ctrl_write(ref, "");
	got = got ?: ctrl_read(ref, name);
	if (!got && strv_has(ref->ours, name))
		got = -EIO;
	return got ?: 1;
}

const struct netns_selector netns_selector_hs_ctrl = {
	.name = "hs_ctrl",
	.set = hs_set,
	.check = hs_check,
	.release = hs_release,
	.left = hs_left,
};
