// SPDX-License-Identifier: Apache-2.0
#include "node/helper.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/clock.h"

/* The pipe carries this, then @len bytes. */
struct answer_head {
	int32_t result; /* of the job */
	uint32_t len;
};

/* No namespace has an answer this long; a bound for a helper gone mad. */
#define ANSWER_MAX (64U << 20)

/* Our children: those that run, and killed ones that are stuck in the kernel,
 * which the agent reaps later instead of waiting for them. */
#define CHILDREN_MAX 8
#define REAP_MS 200
#define STEP_MS 50 /* of waiting */
static struct child {
	pid_t pid;   /* 0: a free place */
	bool killed; /* nobody reads its answer any more */
} children[CHILDREN_MAX];

static bool in_helper; /* this process is one */

/*
 * How long a helper's own helper had no processor, in milliseconds: the helper
 * waits for that one, so this does not count as the helper's time either. One
 * number for each place, which the helper writes and the agent reads, in memory
 * that they share.
 */
static long long *waited;
static long long *own_waited; /* in a helper: its place; NULL: there is none */

static long long now_ms(void)
{
	return clock_now() / 1000000;
}

/* ---- in the helper ------------------------------------------------------- */

/*
 * The caller's handlers must not run here: an event loop's handler would write
 * into the pipe that it shares with the caller, and the caller would act on it.
 */
static void signals_to_default(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A path may lead elsewhere by now: the kernel gives a process' number again,
 * or somebody mounts another namespace there. A descriptor stays. */
int helper_enter(const struct netns_ref *netns)
{
	_close_ int fd = -1;
	struct ns_id id;
	struct stat st;

	fd = open(netns->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	id = (struct ns_id){.dev = st.st_dev, .ino = st.st_ino};
	if (netns->id.ino && !ns_same(&netns->id, &id))
		return -ENOENT;
	if (setns(fd, CLONE_NEWNET))
		return -errno;
	return netns->cookie && netns_own_cookie() != netns->cookie ? -ENOENT
								    : 0;
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
	return 0;
}

static void __attribute__((noreturn)) helper_main(const struct netns_ref *netns,
						  helper_fn fn, const void *arg,
						  pid_t parent, int out)
{
	struct answer_head head = {};
	struct buf answer = {};

	in_helper = true;
	signals_to_default();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(1);
	/* Close all that the caller has open: a stuck helper must not hold its
	 * sockets. Kernels before 5.9 have no close_range(). */
	if (dup2(out, STDERR_FILENO + 1) < 0)
		_exit(1);
	out = STDERR_FILENO + 1;
	syscall(SYS_close_range, out + 1, ~0U, 0);

	head.result = netns ? helper_enter(netns) : 0;
	if (!head.result)
		head.result = fn(arg, &answer);
	if (answer.err && head.result >= 0)
		head.result = answer.err;
	head.len = answer.len;
	if (!write_all(out, &head, sizeof(head)))
		write_all(out, answer.data, answer.len);
	_exit(0);
}

/* ---- in the caller ------------------------------------------------------- */

static bool has_ended(pid_t pid)
{
	pid_t got = waitpid(pid, NULL, WNOHANG);

	return got == pid || (got < 0 && errno == ECHILD);
}

/* Return: a free place among the children, or -EBUSY. A child whose answer is
 * still being read keeps its number, and its place. */
static int reap(void)
{
	int place = -EBUSY;

	for (int i = 0; i < CHILDREN_MAX; i++) {
		if (children[i].killed && has_ended(children[i].pid))
			children[i] = (struct child){};
		if (!children[i].pid)
			place = i;
	}
	return place;
}

/*
 * End the helper, by its number: it is our child and not yet reaped, so the
 * number is still its own. Killing one that has answered does no harm.
 */
static void helper_end(struct helper *h)
{
	struct child *child = &children[h->place];
	_close_ int pidfd = syscall(SYS_pidfd_open, child->pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	kill(child->pid, SIGKILL);
	child->killed = true;
	if (pidfd >= 0)
		poll(&p, 1, REAP_MS);
	if (has_ended(child->pid))
		*child = (struct child){};
	close(take_fd(h->fd));
	buf_free(&h->raw);
	h->raw = (struct buf){};
}

/* ---- how long it has ----------------------------------------------------- */

/* How long it was ready to run and had no processor, in milliseconds: the
 * second number of its schedstat (Documentation/scheduler/sched-stats.rst).
 * Return: 0 also where the kernel does not tell (CONFIG_SCHED_INFO). */
static long long had_no_processor(pid_t pid)
{
	unsigned long long ran, waited;
	_fclose_ FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "re");
	return f && fscanf(f, "%llu %llu", &ran, &waited) == 2
		       ? (long long)(waited / 1000000)
		       : 0;
}

static long long excused_ms(const struct helper *h)
{
	return h->late_ms + had_no_processor(children[h->place].pid) +
	       (waited ? waited[h->place] : 0);
}

/* Return: 0: it has time left; -ETIMEDOUT; -ETIME. */
static int is_over(const struct helper *h)
{
	long long over = now_ms() - h->begun_ms - h->timeout_ms;
	long long most = (long long)h->timeout_ms * HELPER_EXCUSED;
	long long excused;

	if (over < 0)
		return 0;
	excused = excused_ms(h);
	if (excused >= most)
		return over >= most ? -ETIME : 0;
	return over >= excused ? -ETIMEDOUT : 0;
}

/* If this process did not wake up in time it had no processor either, as when
 * the whole machine stands still; so the helper had none for a while, whatever
 * the reason. */
static void wait_a_step(struct helper *h)
{
	struct pollfd p = {.fd = h->fd, .events = POLLIN};
	long long before = now_ms(), late;

	if (poll(&p, 1, STEP_MS))
		return;
	late = now_ms() - before - STEP_MS;
	if (late > STEP_MS)
		h->late_ms += late;
}

/* ---- its answer ---------------------------------------------------------- */

/* Read what has arrived. Return: 0: that was all; -EAGAIN; or another errno. */
static int read_more(struct helper *h)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = read(h->fd, chunk, sizeof(chunk));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return 0;
		if (n > 0 && buf_add(&h->raw, chunk, n))
			return h->raw.err;
		if (h->raw.len > ANSWER_MAX)
			return -EMSGSIZE;
	}
}

static int take_answer(const struct buf *raw, struct buf *answer)
{
	struct answer_head head;
	int err;

	if (raw->len < sizeof(head))
		return -EIO;
	memcpy(&head, raw->data, sizeof(head));
	if (raw->len != sizeof(head) + head.len)
		return -EIO;
	if (answer && head.len) {
		err = buf_add(answer, raw->data + sizeof(head), head.len);
		if (err)
			return err;
	}
	return head.result;
}

/*
 * Fork without the handlers that libraries run at a fork(), for a helper may
 * have one of its own: libuv's handlers would close descriptors that it takes
 * for its own. In a helper those were closed, and our pipe has their numbers.
 * (The rest of those handlers is for locks that another thread holds; there is
 * none.)
 */
static pid_t make_helper(void)
{
	return in_helper ? _Fork() : fork();
}

/* Without memory for this a helper's helper has no more time than the helper
 * itself. */
static void begin_waited(int place)
{
	if (!waited)
		waited = mmap(NULL, CHILDREN_MAX * sizeof(*waited),
			      PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (waited == MAP_FAILED)
		waited = NULL;
	if (waited)
		waited[place] = 0;
}

/* The helper's own helpers have places of their own. */
static void end_waited(int place)
{
	own_waited = waited ? &waited[place] : NULL;
	waited = NULL;
}

int helper_start(struct helper *h, const struct netns_ref *netns, helper_fn fn,
		 const void *arg, int timeout_ms)
{
	_close_ int in = -1, out = -1;
	pid_t parent = getpid(), pid;
	int ends[2], place;

	place = reap();
	if (place < 0)
		return place;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	in = ends[0];
	out = ends[1];
	if (fcntl(in, F_SETFL, O_NONBLOCK))
		return -errno;
	begin_waited(place);
	/* A library's exit() in the helper would print the content of
	 * stdout. */
	fflush(stdout);
	pid = make_helper();
	if (pid < 0)
		return -errno;
	if (!pid) {
		end_waited(place);
		helper_main(netns, fn, arg, parent, out);
	}
	children[place].pid = pid;
	*h = (struct helper){.fd = take_fd(in),
			     .place = place,
			     .timeout_ms = timeout_ms,
			     .begun_ms = now_ms()};
	return 0;
}

int helper_take(struct helper *h, struct buf *answer)
{
	int err = read_more(h);

	if (err == -EAGAIN) {
		err = is_over(h);
		if (!err)
			return -EAGAIN;
	} else if (!err) {
		err = take_answer(&h->raw, answer);
	}
	/* The caller takes -EAGAIN for "not yet". */
	if (err == -EAGAIN)
		err = -EIO;
	helper_end(h);
	return err;
}

void helper_stop(struct helper *h)
{
	helper_end(h);
}

int helper_run(const struct netns_ref *netns, helper_fn fn, const void *arg,
	       int timeout_ms, struct buf *answer)
{
	long long before = own_waited ? *own_waited : 0;
	struct helper h;
	int err;

	err = helper_start(&h, netns, fn, arg, timeout_ms);
	if (err)
		return err;
	while ((err = helper_take(&h, answer)) == -EAGAIN) {
		wait_a_step(&h);
		if (own_waited)
			*own_waited = before +
				      had_no_processor(children[h.place].pid);
	}
	return err;
}

int helper_copy(const struct buf *answer, void *out, size_t size)
{
	if (answer->len != size)
		return -EIO;
	if (size)
		memcpy(out, answer->data, size);
	return 0;
}
