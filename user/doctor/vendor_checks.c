// SPDX-License-Identifier: Apache-2.0
#include "doctor/vendor_checks.h"

#include <string.h>
#include <time.h>
#include "base/rpm_order.h"
#include "base/when.h"
#include "node/hotfix.h"
#include "node/kernel_log.h"

#define OLDER "5.10.134-16.3"
#define AFTER_OLDER "5.10.134-16.3.0" /* but 16.3.al8 comes before it */
#define NEWER "5.10.134-17.3"
#define HOTFIX "16664924"
#define HOTFIX_PACKAGE "kernel-hotfix-" HOTFIX "-" OLDER

/* ---- releases ---- */

static bool is_alinux(const struct doctor *d, struct finding *f)
{
	if (!strcmp(d->os.id, "alinux"))
		return true;
	buf_printf(&f->found, "this is not Alibaba Cloud Linux");
	return false;
}

static enum check_status ask_release(const struct doctor_check *c,
				     const struct doctor *d, const char *oldest,
				     struct finding *f)
{
	if (!is_alinux(d, f))
		return CHECK_SKIP;
	buf_printf(&f->found, "Linux %s, and the guide's oldest is %s",
		   d->host.release, oldest);
	return check_wrong(c, rpm_order(d->host.release, oldest) < 0);
}

enum check_status ask_alinux_older(const struct doctor_check *c,
				   const struct doctor *d, struct finding *f)
{
	return ask_release(c, d, OLDER, f);
}

enum check_status ask_alinux_newer(const struct doctor_check *c,
				   const struct doctor *d, struct finding *f)
{
	return ask_release(c, d, NEWER, f);
}

enum check_status ask_tcp2smc(const struct doctor_check *c,
			      const struct doctor *d, struct finding *f)
{
	bool there = host_has(&d->host, "/proc/sys/net/smc/tcp2smc");

	if (!is_alinux(d, f))
		return CHECK_SKIP;
	if (!there && !host_has(&d->host, "/proc/sys/net/smc")) {
		buf_printf(
			&f->found,
			"there is no /proc/sys/net/smc: the module smc is not loaded");
		return CHECK_UNKNOWN;
	}
	buf_printf(&f->found, "/proc/sys/net/smc/tcp2smc is %sthere",
		   there ? "" : "not ");
	return check_wrong(c, !there);
}

/* ---- a device that is held ---- */

/* net/core/dev.c, netdev_wait_allrefs_any(): once in ten seconds. */
#define WAITING "unregister_netdevice: waiting for "

struct held {
	unsigned long long n;
	__u64 first_usec, last_usec;
	char last[64]; /* "eth0 to become free. Usage count = 2" */
};

static void take_message(__u64 usec, const char *text, void *arg)
{
	const char *at = strstr(text, WAITING);
	struct held *h = arg;

	if (!at)
		return;
	if (!h->n++)
		h->first_usec = usec;
	h->last_usec = usec;
	snprintf(h->last, sizeof(h->last), "%s", at + strlen(WAITING));
}

/* The log's clock stands while the machine is suspended, as CLOCK_MONOTONIC. */
static const char *wall(__u64 usec, char text[WHEN_STRLEN])
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_MONOTONIC, &up);
	return when_format(now.tv_sec - up.tv_sec + (long long)(usec / 1000000),
			   text);
}

enum check_status ask_held_device(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f)
{
	char last[WHEN_STRLEN];
	struct held held = {};
	int err = kernel_log_each(&d->host, take_message, &held);

	if (err) {
		buf_printf(&f->found, "the kernel's log cannot be read: %s",
			   strerror(-err));
		buf_printf(&f->fix,
			   "Run it as root, or look with dmesg for: " WAITING);
		return CHECK_UNKNOWN;
	}
	if (!held.n)
		return CHECK_PASS;
	buf_printf(&f->found,
		   "the kernel's log has %llu times \"" WAITING
		   "\", %.0f s to %.0f s after the boot, the last at %s for %s",
		   held.n, held.first_usec / 1e6, held.last_usec / 1e6,
		   wall(held.last_usec, last), held.last);
	return check_wrong(c, true);
}

static bool needs_hotfix(const struct doctor *d)
{
	return rpm_order(d->host.release, OLDER) >= 0 &&
	       rpm_order(d->host.release, AFTER_OLDER) < 0;
}

static const char *word(int got, const char *yes, const char *no)
{
	return got < 0 ? strerror(-got) : got ? yes : no;
}

enum check_status ask_alinux_hotfix(const struct doctor_check *c,
				    const struct doctor *d, struct finding *f)
{
	int package, patch;

	if (!is_alinux(d, f))
		return CHECK_SKIP;
	if (!needs_hotfix(d)) {
		buf_printf(&f->found, "Linux %s is not %s, which needs it",
			   d->host.release, OLDER);
		return CHECK_SKIP;
	}
	package = hotfix_installed(&d->host, HOTFIX_PACKAGE);
	patch = hotfix_active(&d->host, HOTFIX);
	buf_printf(&f->found,
		   "rpm -q " HOTFIX_PACKAGE
		   ": %s; /sys/kernel/livepatch/*" HOTFIX "*: %s",
		   word(package, "installed", "not installed"),
		   word(patch, "enabled", "not enabled"));
	if (package == 1 && patch == 0)
		buf_printf(
			&f->fix,
			"It is installed and not active: load it as its package says, or reboot.");
	if (patch == 1)
		return CHECK_PASS;
	if (patch < 0 && package)
		return CHECK_UNKNOWN;
	return check_wrong(c, true);
}
