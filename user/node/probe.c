// SPDX-License-Identifier: Apache-2.0
#include "node/probe.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <rdma/rdma_user_cm.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "node/proc.h"
#include "node/rdma_cm.h"

#define RDMA_CM "/dev/infiniband/rdma_cm"

/* include/rdma/rdma_cm.h of the kernel; not in its uapi, though the kernel
 * sends these to user space. */
enum cm_event {
	CM_ADDR_RESOLVED = 0,
	CM_ADDR_ERROR = 1,
	CM_ROUTE_RESOLVED = 2,
	CM_ROUTE_ERROR = 3,
	CM_CONNECT_RESPONSE = 5,
	CM_CONNECT_ERROR = 6,
	CM_UNREACHABLE = 7,
	CM_REJECTED = 8,
};

/*
 * Port 0 of the TCP port space: a program that binds to it gets another one
 * (cma_get_port(), drivers/infiniband/core/cma.c), so nobody listens there.
 */
#define NOBODYS_PORT 0

/*
 * The request names a queue pair that does not exist, and must not: a peer that
 * knows a connection with it takes that for stale and ends it (cm_match_req(),
 * drivers/infiniband/core/cm.c). 1 is the management one's, which is never
 * connected.
 */
#define NOBODYS_QP 1

#define ATTEMPTS 2
#define STEP_MS 20
#define OWN_NETNS "/proc/self/ns/net"

/* ---- in the helper ------------------------------------------------------- */

struct job {
	struct probe_host host;
	const struct probe *v;
	size_t n;
	int ms;
};

struct asked {
	int fd; /* of rdma_cm */
	int own_netns;
	const char *netns; /* where it is now; NULL: where it began */
	bool entered;
	struct probe *v;
	size_t n, open; /* those without a result */
	__u64 stood_us; /* time in which it could not run */
	bool known[PROBE_MAX];
	__u64 sent_us[PROBE_MAX][ATTEMPTS];
};

static int cm_open_once(const char *proc)
{
	char path[PATH_MAX];
	int fd = open(RDMA_CM, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT) {
		snprintf(path, sizeof(path), "%s/1/root" RDMA_CM, proc);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd >= 0)
		return fd;
	return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
}

static int cm_open(const char *proc)
{
	int fd = cm_open_once(proc);

	return fd == -ENODEV && !rdma_cm_load() ? cm_open_once(proc) : fd;
}

/* @out: room at cmd->response, where the command has one. */
static int cm_do(int fd, __u32 what, const void *cmd, size_t len, size_t out)
{
	struct {
		struct rdma_ucm_cmd_hdr hdr;
		__u8 body[sizeof(struct rdma_ucm_connect)];
	} msg = {.hdr = {.cmd = what, .in = len, .out = out}};

	memcpy(msg.body, cmd, len);
	return write(fd, &msg, sizeof(msg.hdr) + len) < 0 ? -errno : 0;
}

static void put_sockaddr(struct sockaddr_in6 *to, const struct smc_addr *addr)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_port = htons(NOBODYS_PORT)};

	memcpy(&sin.sin_addr, addr->ip + 12, sizeof(sin.sin_addr));
	memcpy(to, &sin, sizeof(sin));
}

/* The first of three steps; events lead to the others. @uid: the request's name
 * in those. */
static int cm_resolve_addr(int fd, __u64 uid, const struct probe *p, int ms)
{
	struct rdma_ucm_create_id_resp made = {};
	struct rdma_ucm_create_id create = {
		.uid = uid, .response = (__u64)(unsigned long)&made};
	struct rdma_ucm_resolve_ip resolve = {.timeout_ms = ms};
	int err;

	create.ps = RDMA_PS_TCP;
	err = cm_do(fd, RDMA_USER_CM_CMD_CREATE_ID, &create, sizeof(create),
		    sizeof(made));
	if (err)
		return err;
	resolve.id = made.id;
	put_sockaddr(&resolve.src_addr, &p->own);
	put_sockaddr(&resolve.dst_addr, &p->peer);
	return cm_do(fd, RDMA_USER_CM_CMD_RESOLVE_IP, &resolve, sizeof(resolve),
		     0);
}

static int cm_resolve_route(int fd, __u32 id, int ms)
{
	struct rdma_ucm_resolve_route cmd = {.id = id, .timeout_ms = ms};

	return cm_do(fd, RDMA_USER_CM_CMD_RESOLVE_ROUTE, &cmd, sizeof(cmd), 0);
}

static int cm_connect(int fd, __u32 id)
{
	struct rdma_ucm_connect cmd = {
		.id = id, .conn_param = {.qp_num = NOBODYS_QP, .valid = 1}};

	/* Kernels before 5.9 have no `ece`, and reject a longer command. */
	return cm_do(fd, RDMA_USER_CM_CMD_CONNECT, &cmd,
		     offsetof(struct rdma_ucm_connect, ece), 0);
}

/* Return: 0; -EAGAIN: there is none; or another negative errno. */
static int cm_next(int fd, struct rdma_ucm_event_resp *event)
{
	struct rdma_ucm_get_event cmd = {.response =
						 (__u64)(unsigned long)event};

	memset(event, 0, sizeof(*event));
	return cm_do(fd, RDMA_USER_CM_CMD_GET_EVENT, &cmd, sizeof(cmd),
		     sizeof(*event));
}

/* Only the first result counts. */
static void settle(struct asked *a, size_t i, int result)
{
	if (a->known[i])
		return;
	a->known[i] = true;
	a->open--;
	a->v[i].result = result;
}

static __u64 now_us(void)
{
	return clock_now() / 1000;
}

static void settle_whole(struct asked *a, size_t i, __u64 sent_us)
{
	if (a->known[i])
		return;
	settle(a, i, 0);
	a->v[i].us = now_us() - sent_us;
	a->v[i].sent_ns = sent_us * 1000;
}

/* One step on. */
static int go_on(struct asked *a, size_t i, size_t attempt,
		 const struct rdma_ucm_event_resp *e, int ms)
{
	if (e->event == CM_ADDR_RESOLVED)
		return cm_resolve_route(a->fd, e->id, ms);
	a->sent_us[i][attempt] = now_us();
	return cm_connect(a->fd, e->id);
}

static void take_event(struct asked *a, const struct rdma_ucm_event_resp *e,
		       int ms)
{
	size_t i = (e->uid - 1) / ATTEMPTS, attempt = (e->uid - 1) % ATTEMPTS;
	int err;

	if (!e->uid || i >= a->n)
		return;
	switch (e->event) {
	case CM_ADDR_RESOLVED:
	case CM_ROUTE_RESOLVED:
		err = go_on(a, i, attempt, e, ms);
		if (err)
			settle(a, i, err);
		break;
	case CM_REJECTED:
	case CM_CONNECT_RESPONSE: /* somebody does listen there */
		settle_whole(a, i, a->sent_us[i][attempt]);
		break;
	case CM_ADDR_ERROR:
	case CM_ROUTE_ERROR:
	case CM_CONNECT_ERROR:
	case CM_UNREACHABLE:
		settle(a, i, (int)e->status < 0 ? (int)e->status : -EIO);
		break;
	}
}

static void take_events(struct asked *a, int ms)
{
	struct rdma_ucm_event_resp e;

	while (!cm_next(a->fd, &e))
		take_event(a, &e, ms);
}

/* A request stays in the namespace that made it, whoever opened rdma_cm: one
 * descriptor is enough. */
static int enter(const struct asked *a, const char *netns, __u64 cookie)
{
	_close_ int fd = -1;

	if (!netns)
		return setns(a->own_netns, CLONE_NEWNET) ? -errno : 0;
	fd = open(netns, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		return -errno;
	/* the path may lead to another one by now */
	return cookie && netns_own_cookie() != cookie ? -ENOENT : 0;
}

static int step_in(struct asked *a, size_t i)
{
	const char *netns = a->v[i].netns;
	int err;

	if (a->entered && !strcmp(a->netns ?: "", netns ?: ""))
		return 0;
	err = enter(a, netns, a->v[i].cookie);
	a->entered = !err;
	a->netns = netns;
	return err;
}

/* Ask for each that has no answer yet. */
static void ask(struct asked *a, size_t attempt, int ms)
{
	int err;

	for (size_t i = 0; i < a->n; i++) {
		if (a->known[i])
			continue;
		err = step_in(a, i)
			      ?: cm_resolve_addr(a->fd,
						 i * ATTEMPTS + attempt + 1,
						 &a->v[i], ms);
		if (err)
			settle(a, i, err);
		take_events(a, ms); /* the first answers may be there */
	}
}

/*
 * If this process woke up too late, the machine stood still or had no processor
 * free: that time does not count, for the answer may have come in it.
 */
static void wait_until(struct asked *a, __u64 end_us, int ms)
{
	struct pollfd p = {.fd = a->fd, .events = POLLIN};
	__u64 before, took;

	while (a->open && (before = now_us()) < end_us + a->stood_us) {
		poll(&p, 1, STEP_MS);
		take_events(a, ms);
		took = now_us() - before;
		if (took > 2 * STEP_MS * 1000)
			a->stood_us += took - STEP_MS * 1000;
		if (a->stood_us > 1000ULL * ms)
			a->stood_us = 1000ULL * ms;
	}
}

static bool two_ipv4(const struct probe *p)
{
	return addr_is_v4(&p->own) && addr_is_v4(&p->peer) &&
	       addr_usable(&p->own) && addr_usable(&p->peer);
}

/* When this process ends the kernel ends requests that are still open.
 * @v: gets the results. Return: 0 or a negative errno. */
static int ask_all(const struct job *job, struct probe *v)
{
	static struct asked a;
	__u64 begin = now_us();

	a.fd = cm_open(job->host.proc);
	if (a.fd < 0)
		return a.fd;
	a.own_netns = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	if (a.own_netns < 0)
		return -errno;
	memcpy(v, job->v, job->n * sizeof(*v));
	a.v = v;
	a.n = a.open = job->n;
	for (size_t i = 0; i < a.n; i++) {
		v[i].result = -ETIMEDOUT;
		v[i].us = 0;
		v[i].sent_ns = 0;
		if (!two_ipv4(&v[i]))
			settle(&a, i, -EINVAL);
	}
	for (size_t attempt = 0; attempt < ATTEMPTS; attempt++) {
		ask(&a, attempt, job->ms);
		wait_until(&a,
			   begin + 1000ULL * job->ms * (attempt + 1) / ATTEMPTS,
			   job->ms);
	}
	return 0;
}

/* ---- past a container's device filter ------------------------------------ */

/* A fork() into the root cgroup. It works with a read-only mount, but not with
 * a cgroup namespace that does not show the root. */
static pid_t fork_into_root(const struct probe_host *host)
{
	_close_ int ns = -1, root = -1;
	struct clone_args args = {.flags = CLONE_INTO_CGROUP,
				  .exit_signal = SIGCHLD};
	char path[PATH_MAX];

	if (!host->cgroup)
		return -EPERM;
	snprintf(path, sizeof(path), "%s/1/ns/cgroup", host->proc);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	root = open(host->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ns < 0 || root < 0 || setns(ns, CLONE_NEWCGROUP))
		return -errno;
	args.cgroup = root;
	return syscall(SYS_clone3, &args, sizeof(args));
}

/* Kernel and container may refuse that for other reasons: the caller gets the
 * -EPERM that it began with. */
static int ask_from_root(const struct job *job, struct probe *v)
{
	pid_t parent = getpid(), pid = fork_into_root(&job->host);
	int status, err;

	if (pid < 0)
		return -EPERM;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		err = getppid() == parent ? ask_all(job, v) : -ESRCH;
		_exit(-err);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/* The answer: the probes. */
static int probe_all(const void *arg, struct buf *answer)
{
	const struct job *job = arg;
	struct probe *v =
		mmap(NULL, PROBE_MAX * sizeof(*v), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (v == MAP_FAILED)
		return -errno;
	err = ask_all(job, v);
	if (err == -EPERM)
		err = ask_from_root(job, v);
	return err ?: buf_add(answer, v, job->n * sizeof(*v));
}

/* ---- for the agent ------------------------------------------------------- */

int probe_check(const char *proc)
{
	_close_ int fd = cm_open(proc ?: PROC_DEFAULT);

	return fd < 0 ? fd : 0;
}

int probe_start(struct helper *h, const struct probe_host *host,
		const struct probe *v, size_t n, int ms)
{
	const struct job job = {
		{host->proc ?: PROC_DEFAULT, host->cgroup}, v, n, ms};

	if (n > PROBE_MAX)
		return -E2BIG;
	return helper_start(h, NULL, probe_all, &job, ms + HELPER_TIMEOUT_MS);
}

int probe_take(struct helper *h, struct probe *v, size_t n)
{
	_buf_ struct buf answer = {};
	int err = helper_take(h, &answer);

	return err ?: helper_copy(&answer, v, n * sizeof(*v));
}
