// SPDX-License-Identifier: Apache-2.0
#include "node/synprobe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "node/private_cgroup.h"
#include "node/synconnect.h"
#include "syncheck.skel.h"

#define RIGHTS \
	"run it as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN"

/* Shared by the child, which writes it, and its parent. */
struct answers {
	bool done;
	int err;
	char step[64]; /* which one failed, for people */
	struct syn_result v[SYNPROBE_MAX];
};

struct session {
	const struct synprobe *p;
	struct syncheck_bpf *skel;
	struct bpf_link *link;
	struct private_cgroup cgroup;
	struct answers *answers;
};

/* ---- in the child -------------------------------------------------------- */

struct asking {
	const struct session *s;
	const struct sockaddr_storage *to;
};

static int fail(const struct session *s, int err, const char *step)
{
	snprintf(s->answers->step, sizeof(s->answers->step), "%s", step);
	s->answers->err = err;
	return err;
}

static void set_experiments(struct syncheck_bpf__bss *b, enum syn_with with)
{
	static const __u32 experiments[][2] = {
		[SYN_WITH_NONE] = {0, 0},
		[SYN_WITH_SMC] = {SYN_EXPERIMENT_SMC, 0},
		[SYN_WITH_SMC_STRANGE] = {SYN_EXPERIMENT_SMC,
					  SYN_EXPERIMENT_STRANGE},
		[SYN_WITH_STRANGE_SMC] = {SYN_EXPERIMENT_STRANGE,
					  SYN_EXPERIMENT_SMC},
	};

	memset(b, 0, sizeof(*b));
	memcpy(b->experiments, experiments[with], sizeof(b->experiments));
}

/* Did the program do what it had to? Without a route there is no SYN. */
static int check_program(const struct session *s, enum syn_with with,
			 const struct syn_outcome *o)
{
	const struct syncheck_bpf__bss *b = s->skel->bss;
	bool sent = o->end != SYN_REFUSED || o->err == ECONNREFUSED;
	bool answered = o->end == SYN_ACCEPTED || o->end == SYN_CUT;

	if (b->failed)
		return fail(s, b->failed, "put the option into a SYN");
	if ((with != SYN_WITH_NONE && sent && !b->syns) ||
	    (answered && !b->synack_len))
		return fail(s, -ENOTSUP,
			    "have the kernel call the probe's program");
	return 0;
}

/* syn_ask_fn */
static int ask(enum syn_with with, struct syn_outcome *out, void *arg)
{
	const struct asking *a = arg;
	struct syncheck_bpf__bss *b = a->s->skel->bss;
	int err;

	set_experiments(b, with);
	err = syn_connect(a->to, out);
	if (err == -EPROTOTYPE)
		return fail(a->s, err, "have a TCP socket that stays one");
	if (err)
		return fail(a->s, err, "connect a socket");
	out->header_len = b->synack_len;
	memcpy(out->header, b->synack, sizeof(out->header));
	return check_program(a->s, with, out);
}

static int enter(const struct session *s)
{
	const struct synprobe *p = s->p;
	int err = private_cgroup_enter(&s->cgroup);

	if (err)
		return fail(s, err, "enter the cgroup");
	if (p->netns >= 0 && setns(p->netns, CLONE_NEWNET))
		return fail(s, -errno, "enter the network namespace");
	err = p->prepare ? p->prepare(p->arg) : 0;
	return err ? fail(s, err, "keep its sockets from being converted") : 0;
}

static void __attribute__((noreturn)) child_main(const struct session *s,
						 pid_t parent)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(1);
	err = enter(s);
	for (size_t i = 0; !err && i < s->p->n; i++) {
		struct asking asking = {s, &s->p->to[i]};

		err = syn_judge(s->p->tries, ask, &asking, &s->answers->v[i]);
	}
	s->answers->done = true;
	_exit(0);
}

/* ---- in the caller ------------------------------------------------------- */

static int say(struct buf *error, int err, const char *what, const char *advice)
{
	buf_printf(error, "cannot %s: %s%s%s", what, strerror(-err),
		   advice ? ": " : "", advice ?: "");
	return err;
}

static const char *advice_on(int err)
{
	return err == -EPERM || err == -EACCES ? RIGHTS : NULL;
}

static int load(struct session *s, struct buf *error)
{
	s->skel = syncheck_bpf__open_and_load();
	return s->skel ? 0
		       : say(error, -errno, "load the probe's BPF program",
			     advice_on(-errno)
				     ?: "it needs Linux 5.10 or later, with BTF");
}

static int set_up(struct session *s, struct buf *error)
{
	int err = load(s, error);

	if (err)
		return err;
	err = private_cgroup_make("syncheck", &s->cgroup);
	if (err)
		return say(error, err, "make a cgroup", advice_on(err));
	s->link = bpf_program__attach_cgroup(s->skel->progs.syncheck,
					     s->cgroup.fd);
	if (!s->link)
		return say(error, -errno, "attach to the cgroup",
			   advice_on(-errno));
	s->answers = mmap(NULL, sizeof(*s->answers), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->answers == MAP_FAILED) {
		s->answers = NULL;
		return say(error, -errno, "share memory with a child", NULL);
	}
	return 0;
}

static void take_down(struct session *s)
{
	if (s->answers)
		munmap(s->answers, sizeof(*s->answers));
	bpf_link__destroy(s->link);
	private_cgroup_drop(&s->cgroup);
	syncheck_bpf__destroy(s->skel);
}

/* Those that would end this process. One that is ignored stays so: blocked, it
 * would be queued. */
static sigset_t ending_signals(void)
{
	static const int all[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction now;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < array_size(all); i++)
		if (!sigaction(all[i], NULL, &now) && now.sa_handler != SIG_IGN)
			sigaddset(&set, all[i]);
	return set;
}

static pid_t start(const struct session *s, const sigset_t *mask)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	sigprocmask(SIG_SETMASK, mask, NULL);
	child_main(s, parent);
}

/* @signals: blocked. Return: 0, or the signal that ended the wait; the child is
 * gone then. */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	_close_ int child = syscall(SYS_pidfd_open, pid, 0);
	_close_ int sent = signalfd(-1, signals, SFD_CLOEXEC);
	struct pollfd p[] = {{.fd = child, .events = POLLIN},
			     {.fd = sent, .events = POLLIN}};
	struct signalfd_siginfo got = {};

	while (poll(p, array_size(p), -1) < 0 && errno == EINTR)
		;
	if (p[1].revents && read(sent, &got, sizeof(got)) == sizeof(got))
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return got.ssi_signo;
}

static int take_answers(const struct session *s, struct syn_result *out,
			struct buf *error)
{
	const struct answers *a = s->answers;

	if (a->err)
		return say(error, a->err, a->step, advice_on(a->err));
	if (!a->done)
		return say(error, -EIO, "keep the probe's process alive", NULL);
	memcpy(out, a->v, s->p->n * sizeof(*out));
	return 0;
}

/* @sig: gets the signal that ended it, or 0. */
static int run(struct session *s, const sigset_t *signals, const sigset_t *mask,
	       int *sig, struct buf *error)
{
	int err = set_up(s, error);
	pid_t pid;

	if (err)
		return err;
	pid = start(s, mask);
	if (pid < 0)
		return say(error, pid, "start a process", NULL);
	*sig = wait_for(pid, signals);
	return *sig ? -EINTR : 0;
}

int synprobe_run(const struct synprobe *p, struct syn_result *out,
		 struct buf *error)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct session s = {.p = p, .cgroup = PRIVATE_CGROUP_NONE};
	const sigset_t signals = ending_signals();
	sigset_t mask;
	int err, sig = 0;

	sigprocmask(SIG_BLOCK, &signals, &mask);
	err = run(&s, &signals, &mask, &sig, error)
		      ?: take_answers(&s, out, error);
	take_down(&s);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	libbpf_set_print(print);
	if (sig) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	return err;
}
