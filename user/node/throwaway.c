// SPDX-License-Identifier: Apache-2.0
#include "node/throwaway.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "base/addr.h"
#include "node/helper.h"
#include "node/nic_change.h"
#include "node/nl.h"

#define NIC "eth0"

/* RFC 2544: for tests, and nobody's. */
static const char *const addresses[] = {"198.18.0.1", "198.18.0.2"};

/* ---- in one of the namespaces, in a helper ------------------------------- */

/* @arg: the process in whose namespace the other end is to be. */
static int make_wire(const void *arg, struct buf *answer)
{
	const pid_t *peer = arg;
	struct ifinfomsg *msg;
	struct nlattr *info, *data, *other;
	struct nl_request r;

	nl_init(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	msg = mnl_nlmsg_put_extra_header(r.head, sizeof(*msg));
	msg->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(r.head, IFLA_IFNAME, NIC);
	info = mnl_attr_nest_start(r.head, IFLA_LINKINFO);
	mnl_attr_put_strz(r.head, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(r.head, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(r.head, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(r.head, sizeof(*msg));
	mnl_attr_put_strz(r.head, IFLA_IFNAME, NIC);
	mnl_attr_put_u32(r.head, IFLA_NET_NS_PID, *peer);
	mnl_attr_nest_end(r.head, other);
	mnl_attr_nest_end(r.head, data);
	mnl_attr_nest_end(r.head, info);
	return nl_talk(NETLINK_ROUTE, &r, NULL, NULL);
}

static int set_up(const char *nic, const struct smc_addr *addr)
{
	struct nic_record r = {.ifindex = if_nametoindex(nic),
			       .want.bits = THROWAWAY_BITS};
	int err;

	if (!r.ifindex)
		return -errno;
	err = nic_step_do(&r, NIC_STEP_UP);
	if (err || !addr)
		return err;
	r.want.addr = *addr;
	return nic_step_do(&r, NIC_STEP_ADDRESS);
}

/* @arg: the address. */
static int set_address(const void *arg, struct buf *answer)
{
	return set_up("lo", NULL) ?: set_up(NIC, arg);
}

/* ---- the holders --------------------------------------------------------- */

static void __attribute__((noreturn)) hold(pid_t parent, int done)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	err = unshare(CLONE_NEWNET) ? -errno : 0;
	if (write(done, &err, sizeof(err)) != sizeof(err))
		_exit(1);
	close(done);
	for (;;)
		pause();
}

/* Return: its number, once it is in a namespace of its own; or errno. */
static pid_t holder_start(void)
{
	_close_ int in = -1, out = -1;
	pid_t parent = getpid(), pid;
	int ends[2], err = -EIO;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	in = ends[0];
	out = ends[1];
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		hold(parent, out);
	cleanup_close(&out);
	out = -1;
	if (read(in, &err, sizeof(err)) != sizeof(err))
		err = -EIO;
	if (!err)
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

void throwaway_drop(struct throwaway *t)
{
	for (size_t i = 0; i < array_size(t->holder); i++) {
		if (!t->holder[i])
			continue;
		kill(t->holder[i], SIGKILL);
		while (waitpid(t->holder[i], NULL, 0) < 0 && errno == EINTR)
			;
		t->holder[i] = 0;
	}
}

/* ---- both ---------------------------------------------------------------- */

static int in_namespace(pid_t holder, helper_fn fn, const void *arg)
{
	char path[64];
	const struct netns_ref ref = {.path = path};

	snprintf(path, sizeof(path), "/proc/%d/ns/net", holder);
	return helper_run(&ref, fn, arg, HELPER_TIMEOUT_MS, NULL);
}

static int say(struct buf *error, int err, const char *what)
{
	buf_printf(error, "cannot %s: %s%s", what, strerror(-err),
		   err == -EPERM ? ": run it as root" : "");
	return err;
}

static int make(struct throwaway *t, struct buf *error)
{
	int err;

	for (size_t i = 0; i < array_size(t->holder); i++) {
		pid_t pid = holder_start();

		if (pid < 0)
			return say(error, pid, "make a network namespace");
		t->holder[i] = pid;
		if (addr_parse(addresses[i], &t->addr[i]))
			return -EINVAL;
	}
	err = in_namespace(t->holder[0], make_wire, &t->holder[1]);
	if (err)
		return say(error, err, "make a pair of veth devices");
	for (size_t i = 0; i < array_size(t->holder); i++) {
		err = in_namespace(t->holder[i], set_address, &t->addr[i]);
		if (err)
			return say(error, err, "set an address");
	}
	return 0;
}

int throwaway_make(struct throwaway *out, struct buf *error)
{
	struct throwaway t = {};
	int err = make(&t, error);

	if (err)
		throwaway_drop(&t);
	else
		*out = t;
	return err;
}
