// SPDX-License-Identifier: Apache-2.0
#include "node/netns.h"

#include <ifaddrs.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include "base/array.h"
#include "base/fault.h"
#include "base/ipproto.h"
#include "mesh/owners.h"
#include "node/forwards.h"
#include "node/helper.h"
#include "node/selector.h"
#include "node/uidmap.h"

/* ---- facts, in the namespace --------------------------------------------- */

/* Beyond the ration (bpf/ration.bpf.h) this gives a TCP socket, which proves
 * nothing: it does not put earlier findings in doubt, and a pod that is armed
 * without this proof is disarmed by the first socket that the kernel
 * refuses. */
static int try_socket(struct netns_facts *f)
{
	int number = ipproto_smc();

	return number < 0 ? facts_fail(f, SMC_REASON_TRIAL_FAILED, number) : 0;
}

static int note_identity(struct netns_facts *f)
{
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(f->cookie);
	struct ns_id id;
	int err;

	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &f->cookie, &len))
		return -errno;
	err = ns_of_path("/proc/self/ns/net", &id);
	f->dev = id.dev;
	f->inode = id.ino;
	return err;
}

/*
 * Both need a UEID: SMC-Rv2 by its rules, SMC-D because the loopback device
 * speaks version 2 only and x86 has no system EID.
 */
static void note_transports(struct netns_facts *f,
			    const struct rdma_device *rdma, int n)
{
	struct smc_ueids ueids;

	if (smc_ueid_list(&ueids) || !ueids.n)
		return;
	if (smc_loopback_present() > 0)
		f->transports |= SMC_TRANSPORT_SMCD;
	for (int i = n - 1; i >= 0; i--) {
		if (!rdma_usable(&rdma[i]))
			continue;
		f->transports |= SMC_TRANSPORT_SMCR;
		f->rdma = rdma[i].address;
	}
}

_Static_assert(sizeof(((struct netns_facts *)0)->deaf) ==
		       sizeof(((struct rdma_device *)0)->name),
	       "a name fits");

static void note_deaf(struct netns_facts *f, const struct rdma_device *rdma,
		      int n)
{
	for (int i = 0; i < n && !*f->deaf; i++)
		if (rdma[i].deaf)
			memcpy(f->deaf, rdma[i].name, sizeof(f->deaf));
}

static int add_addresses(struct buf *to)
{
	struct smc_addr addr;
	struct ifaddrs *all;

	if (getifaddrs(&all))
		return -errno;
	for (struct ifaddrs *i = all; i; i = i->ifa_next)
		if (addr_from_sockaddr(i->ifa_addr, &addr) &&
		    addr_usable(&addr))
			buf_add(to, &addr, sizeof(addr));
	freeifaddrs(all);
	return to->err;
}

/* Where the look cannot search it assumes that something is forwarded. */
static int check_forwards(struct netns_facts *f, const struct buf *addrs)
{
	const struct mesh_addrs own = {.v = (struct smc_addr *)addrs->data,
				       .n = addrs->len /
					    sizeof(struct smc_addr)};
	char what[FORWARDS_TEXT_MAX];
	int got = forwards_find(&own, what);

	if (!got)
		return 0;
	snprintf(f->detail, sizeof(f->detail), "%s",
		 got > 0 ? what : "its rules cannot be read");
	return facts_fail(f, SMC_REASON_FORWARDS, got > 0 ? -EREMOTE : got);
}

struct prepare_job {
	const struct netns_ref *ref;
	const struct netns_use *use; /* NULL: change nothing */
	const struct netns_sidecar *sidecar;
};

static int make_safe(const struct prepare_job *job, struct netns_facts *f)
{
	const struct netns_selector *selector;
	int err;

	if (!job->use)
		return netns_selector_check(job->ref, f);
	selector = netns_selector_find(job->use->selector);
	if (!selector)
		return facts_fail(f, SMC_REASON_NO_SELECTOR, -EOPNOTSUPP);
	if (job->sidecar) {
		err = sidecar_settle(job->sidecar->hinted ? &job->sidecar->owner
							  : NULL,
				     &f->sidecar, f->detail, sizeof(f->detail));
		if (err < 0)
			return facts_fail(f, SMC_REASON_OWNER_RULE, err);
	}
	return selector->set(job->ref, job->use->ctrl, f);
}

/* The answer: struct netns_facts, then the addresses. */
static int prepare_in_netns(const void *arg, struct buf *answer)
{
	struct netns_facts f = {};
	const struct prepare_job *job = arg;
	struct rdma_device rdma[RDMA_MAX];
	_buf_ struct buf addrs = {};
	int n, err = add_addresses(&addrs);

	if (err)
		return err;
	n = rdma_list(rdma, RDMA_MAX);
	note_transports(&f, rdma, n);
	note_deaf(&f, rdma, n);
	err = make_safe(job, &f);
	if (err == -ETIME) /* the look found out nothing */
		return err;
	if (!err && job->ref->pods)
		err = check_forwards(&f, &addrs);
	err = err ?: try_socket(&f);
	f.verified = !err;
	err = note_identity(&f);
	if (err)
		return err;
	if (f.verified && job->use && job->use->settings)
		settings_keep(job->ref, job->use->settings, f.cookie, f.inode,
			      rdma, n == -ENOENT ? 0 : n, &f.settings);
	buf_add(answer, &f, sizeof(f));
	return buf_add(answer, addrs.data, addrs.len);
}

/* ---- facts, for the agent ------------------------------------------------ */

static int take_facts(const struct buf *answer, struct netns_facts *out)
{
	size_t rest = answer->len - sizeof(*out);

	if (answer->len < sizeof(*out) || rest % sizeof(struct smc_addr))
		return -EIO;
	memcpy(out, answer->data, sizeof(*out));
	out->addrs = (struct mesh_addrs){};
	if (!rest)
		return 0;
	out->addrs.v = malloc(rest);
	if (!out->addrs.v)
		return -ENOMEM;
	memcpy(out->addrs.v, answer->data + sizeof(*out), rest);
	out->addrs.n = rest / sizeof(struct smc_addr);
	return 0;
}

static int gather(const struct prepare_job *job, struct netns_facts *out)
{
	_buf_ struct buf answer = {};
	int err = helper_run(job->ref, prepare_in_netns, job, HELPER_TIMEOUT_MS,
			     &answer);

	return err ?: take_facts(&answer, out);
}

/* A pod with an unknown proxy must not be armed: "any" would convert the
 * application's sockets, whose connections the sidecar redirects. */
static void note_owners(const struct netns_ref *ref, struct netns_facts *f)
{
	const struct sidecar_found *s = &f->sidecar;
	char text[OWNER_STRLEN];
	int err;

	memcpy(f->owners, s->owners, sizeof(f->owners));
	err = uidmap_owners(ref, f->owners, s->n_owners);
	if (!err || !f->verified)
		return;
	f->verified = false;
	snprintf(f->detail, sizeof(f->detail),
		 "the proxy (%s) is not mapped in the pod's user namespace",
		 owner_format(&s->owners[0], text));
	facts_fail(f, SMC_REASON_OWNER_RULE, err);
}

int netns_prepare(const struct netns_ref *ref, const struct netns_use *use,
		  const struct netns_sidecar *sidecar, struct netns_facts *out)
{
	struct prepare_job job = {.ref = ref, .use = use, .sidecar = sidecar};
	int err = gather(&job, out);

	if (!err)
		note_owners(ref, out);
	return err;
}

int netns_look(const struct netns_ref *ref, struct netns_facts *out)
{
	struct prepare_job job = {.ref = ref};

	return gather(&job, out);
}

bool netns_slow_here(const char *proc)
{
	const struct netns_ref own = {.path = "/proc/self/ns/net",
				      .proc = proc};
	const struct prepare_job job = {.ref = &own};
	int err = fault_look();

	if (!err)
		err = helper_run(&own, prepare_in_netns, &job,
				 HELPER_TIMEOUT_MS / 4, NULL);
	return err == -ETIMEDOUT || err == -ETIME;
}

void netns_facts_free(struct netns_facts *f)
{
	free(f->addrs.v);
	memset(f, 0, sizeof(*f));
}

/* ---- diagnosis ----------------------------------------------------------- */

/* Is SMC in this kernel? Asking must not load anything. */
static bool kernel_has_smc(void)
{
	_fclose_ FILE *f = fopen("/proc/self/net/protocols", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "SMC ", 4))
			return true;
	return false;
}

static int count_smc(void)
{
	_free_ struct diag_smc *v = NULL;

	return kernel_has_smc() ? diag_smc_list(&v) : 0;
}

static int count_in_netns(const void *arg, struct buf *answer)
{
	return count_smc();
}

int netns_smc_sockets(const struct netns_ref *ref)
{
	return helper_run(ref, count_in_netns, NULL, HELPER_TIMEOUT_MS, NULL);
}

/* ---- release ------------------------------------------------------------- */

typedef int (*settings_fn)(const struct netns_ref *ref, const char *run,
			   __u64 cookie, struct buf *said);

/* Do @fn to what is recorded of this namespace. Return: what it returns. */
static int settings_of(const struct netns_ref *ref, settings_fn fn,
		       struct buf *said)
{
	return ref->run ? fn(ref, ref->run, netns_own_cookie(), said) : 0;
}

/* The answer: @size bytes, then text. */
static void add_said(struct buf *answer, const void *v, size_t size,
		     const struct buf *said)
{
	buf_add(answer, v, size);
	buf_add(answer, said->data ?: "", said->len);
}

static int take_said(const struct buf *answer, void *out, size_t size,
		     struct buf *said)
{
	if (answer->len < size)
		return -EIO;
	memcpy(out, answer->data, size);
	return buf_add(said, answer->data + size, answer->len - size);
}

struct release_job {
	const struct netns_ref *ref;
	bool force;
};

static int release_rule(struct netns_released *r)
{
	int got = sidecar_remove();

	r->rule = got > 0;
	return got < 0 ? got : 0;
}

static bool has_our_selector(const struct netns_ref *ref)
{
	char name[SMC_CTRL_NAME_MAX];

	return netns_selector_left(ref, name) > 0;
}

/* The helper moves from one namespace to the next. It also visits the one in
 * which it began, by the path of another process there: the agent, or
 * process 1. */
static int visit_guarded(const struct place *at, void *arg)
{
	int n;

	if (setns(at->fd, CLONE_NEWNET))
		return -errno;
	n = has_our_selector(arg) ? count_smc() : 0;
	return n > 0 ? 1 : n;
}

static int visit_all_guarded(const void *arg, struct buf *answer)
{
	const struct netns_ref *ref = arg;

	return netns_each(ref->proc, visit_guarded, (void *)ref);
}

int netns_guarded(const char *proc, char *const *ours)
{
	const struct netns_ref ref = {.proc = proc, .ours = ours};

	return helper_run(NULL, visit_all_guarded, &ref, HELPER_ALL_TIMEOUT_MS,
			  NULL);
}

static int release_in_netns(const void *arg, struct buf *answer)
{
	const struct release_job *job = arg;
	struct netns_released r = {.smc_sockets = count_smc()};
	_buf_ struct buf said = {};
	int did = 0, err = 0;

	r.settings_err = settings_of(job->ref, settings_undo, &said);
	r.kept = r.smc_sockets && !job->force && has_our_selector(job->ref);
	if (!r.kept) {
		did = netns_selector_release(job->ref);
		r.selector = did > 0;
		err = release_rule(&r);
	}
	add_said(answer, &r, sizeof(r), &said);
	return did < 0 ? did : err;
}

int netns_release(const struct netns_ref *ref, bool force,
		  struct netns_released *out, struct buf *said)
{
	struct release_job job = {.ref = ref, .force = force};
	_buf_ struct buf answer = {};
	int err = helper_run(ref, release_in_netns, &job, HELPER_TIMEOUT_MS,
			     &answer);
	int copied;

	/* A job that fails half-way answers, too. */
	memset(out, 0, sizeof(*out));
	copied = take_said(&answer, out, sizeof(*out), said);
	return err ?: copied;
}

/* ---- what is left -------------------------------------------------------- */

static int left_in_netns(const void *ref, struct buf *answer)
{
	struct netns_left l = {};
	int got = netns_selector_left(ref, l.ctrl);
	int rule = sidecar_left(), n;
	_buf_ struct buf said = {};

	n = settings_of(ref, settings_left, &said);
	l.rule = rule > 0;
	l.settings = n > 0 ? n : 0;
	add_said(answer, &l, sizeof(l), &said);
	return got < 0 ? got : rule < 0 ? rule : n < 0 ? n : 0;
}

int netns_left(const struct netns_ref *ref, struct netns_left *out,
	       struct buf *said)
{
	_buf_ struct buf answer = {};
	int err =
		helper_run(ref, left_in_netns, ref, HELPER_TIMEOUT_MS, &answer);
	int copied;

	memset(out, 0, sizeof(*out));
	copied = take_said(&answer, out, sizeof(*out), said);
	return err ?: copied;
}
