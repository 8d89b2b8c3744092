// SPDX-License-Identifier: Apache-2.0
/*
 * node/place, podspace and helper on this machine's own kernel, which gives the
 * numbers of namespaces and of processes again: a namespace that was looked up
 * is entered, or none.
 */
#include "unit.h"
#include "started.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/helper.h"
#include "node/netns.h"
#include "node/podspace.h"

#define TICK_US 20000 /* two of the clock that starts of processes count in */
#define TRIES 20
#define FILLERS 32

static char dir[] = "/tmp/test_place.XXXXXX"; /* stands for a pod's cgroup */

struct sandbox {
	pid_t pid;
	long long start;
	__u64 cookie;
	struct ns_id net;
};

/* As fork(), with the number @wanted; 0: any. */
static pid_t clone_as(pid_t wanted)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = wanted ? (__u64)(uintptr_t)&wanted : 0,
		.set_tid_size = wanted ? 1 : 0,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

static void __attribute__((noreturn)) be_sandbox(int out)
{
	__u64 cookie;

	if (unshare(CLONE_NEWNET))
		_exit(1);
	cookie = netns_own_cookie();
	if (write(out, &cookie, sizeof(cookie)) != sizeof(cookie))
		_exit(1);
	for (;;)
		pause();
}

static struct sandbox start(pid_t wanted)
{
	struct sandbox s;
	int ends[2];

	assert_return_code(pipe(ends), errno);
	s.pid = clone_as(wanted);
	assert_return_code(s.pid, errno);
	if (!s.pid)
		be_sandbox(ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &s.cookie, sizeof(s.cookie)),
			 sizeof(s.cookie));
	close(ends[0]);
	assert_int_equal(proc_ns("/proc", s.pid, "net", &s.net), 0);
	s.start = started("/proc", s.pid);
	return s;
}

static void end(const struct sandbox *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

/* One that has the process number of @old, which is ended, and the number of
 * its namespace if @net: the kernel lets go of that in its own time, and others
 * may take it meanwhile, then @old is another one. */
static struct sandbox start_again(struct sandbox *old, bool net)
{
	struct sandbox s;

	for (int i = 0; i < TRIES; i++) {
		end(old);
		usleep(TICK_US);
		for (int j = 0; j < TRIES; j++) {
			s = start(old->pid);
			if (!net || ns_same(&s.net, &old->net))
				return s;
			end(&s);
			usleep(TICK_US);
		}
		*old = start(0);
	}
	fail_msg("the kernel does not give the number again");
	return s;
}

static void list(const struct sandbox *s)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%d\n", s->pid);
	assert_int_equal(fclose(f), 0);
}

static int tell_cookie(const void *arg, struct buf *answer)
{
	const __u64 cookie = netns_own_cookie();

	return buf_add(answer, &cookie, sizeof(cookie));
}

/* Return: the cookie where a helper came to be, or a negative errno. */
static long long enter(const struct netns_ref *ref)
{
	_buf_ struct buf b = {};
	__u64 cookie;
	int err = helper_run(ref, tell_cookie, NULL, 5000, &b);

	if (err)
		return err;
	assert_int_equal(b.len, sizeof(cookie));
	memcpy(&cookie, b.data, sizeof(cookie));
	return cookie;
}

/* ---- numbers are given again --------------------------------------------- */

static void test_netns_number_is_kept_while_it_is_held(void **state)
{
	_place_ struct place held = PLACE_NONE;
	struct sandbox a = start(0), b;

	b = start_again(&a, true); /* without a descriptor it is given again */
	list(&b);
	assert_int_equal(podspace_in("/proc", dir, &held), 0);
	assert_true(ns_same(&held.id, &b.net));
	end(&b);
	for (int i = 0; i < 20; i++) {
		usleep(TICK_US);
		a = start(0);
		end(&a);
		assert_false(ns_same(&a.net, &held.id));
	}
}

static void test_proc_directory_of_a_dead_process_stays_dead(void **state)
{
	struct sandbox a = start(0), b;
	_close_ int of_a = proc_open("/proc", a.pid);

	assert_true(proc_start_of(of_a) > 0);
	b = start_again(&a, false);
	assert_int_equal(a.pid, b.pid);
	assert_int_equal(proc_start_of(of_a), -ESRCH);
	assert_true(started("/proc", b.pid) > 0);
	end(&b);
}

/* ---- from the look-up to setns() ----------------------------------------- */

/* The process ends and its number becomes that of one in another pod. */
static void test_netns_swapped_after_the_look_up_is_not_entered(void **state)
{
	_place_ struct place held = PLACE_NONE;
	struct sandbox a = start(0), b;
	struct netns_ref ref;

	list(&a);
	assert_int_equal(podspace_in("/proc", dir, &held), 0);
	ref = (struct netns_ref){.path = held.path, .id = held.id};
	assert_int_equal(enter(&ref), a.cookie);
	b = start_again(&a, false);
	assert_int_equal(enter(&ref), -ENOENT);
	/* by its path alone it would be b's */
	ref.id = (struct ns_id){};
	assert_int_equal(enter(&ref), b.cookie);
	end(&b);
}

/* Long after: nothing is held, both numbers are given again; the cookie says
 * that it is another one. */
static void test_netns_of_reused_numbers_is_told_by_its_cookie(void **state)
{
	_place_ struct place now = PLACE_NONE;
	struct sandbox a = start(0), b;
	struct place_mark mark;
	struct netns_ref ref;
	char path[64];

	b = start_again(&a, true);
	mark = (struct place_mark){a.net, {a.pid, a.start}};
	snprintf(path, sizeof(path), "/proc/%d/ns/net", b.pid);
	list(&b);
	ref = (struct netns_ref){.path = path, .cookie = a.cookie};
	assert_int_equal(enter(&ref), -ENOENT);
	ref.cookie = b.cookie;
	assert_int_equal(enter(&ref), b.cookie);
	/* And whoever is told of it sees that it is news. */
	assert_int_equal(podspace_in("/proc", dir, &now), 0);
	assert_true(ns_same(&now.id, &mark.id));
	assert_false(place_is_marked(&now, &mark));
	mark = place_mark(&now);
	assert_true(place_is_marked(&now, &mark));
	end(&b);
}

/* ---- all of them --------------------------------------------------------- */

struct walk {
	struct sandbox a, c;
	pid_t b; /* in the same namespace as we, when the walk begins */
	int to_b, from_b;
	struct ns_id net; /* b's, since c was visited */
	bool seen_a, seen_b, seen_c;
};

/* Have b make itself a namespace. It has the last one while it does so, then
 * two numbers change places: one of them is a's, if that is to be had. */
static void renew(struct walk *w)
{
	char byte = 0;

	usleep(TICK_US);
	assert_int_equal(write(w->to_b, &byte, 1), 1);
	assert_int_equal(read(w->from_b, &byte, 1), 1);
	assert_int_equal(proc_ns("/proc", w->b, "net", &w->net), 0);
}

/* The walk comes to a, then to c, then to b. */
static int visit(const struct place *place, void *arg)
{
	struct walk *w = arg;

	if (ns_same(&place->id, &w->a.net) && !w->seen_c) {
		w->seen_a = true;
		end(&w->a);
	}
	w->seen_b |= w->seen_c && ns_same(&place->id, &w->net);
	if (!ns_same(&place->id, &w->c.net))
		return 0;
	w->seen_c = true;
	for (int i = 0; i < TRIES; i++) {
		renew(w);
		if (ns_same(&w->net, &w->a.net))
			break;
	}
	return 0;
}

static void __attribute__((noreturn)) be_b(int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1)
		if (unshare(CLONE_NEWNET) || write(out, &byte, 1) != 1)
			_exit(1);
	_exit(0);
}

/* One that is gone while they are gone through hides none that is still to
 * come. */
static void test_netns_that_goes_during_the_walk_hides_no_other(void **state)
{
	struct walk w = {.a = start(0), .c = start(0)};
	int to[2], from[2];

	assert_return_code(pipe(to), errno);
	assert_return_code(pipe(from), errno);
	w.b = fork();
	assert_return_code(w.b, errno);
	if (!w.b) {
		close(to[1]);
		be_b(to[0], from[1]);
	}
	w.to_b = to[1];
	w.from_b = from[0];
	assert_true(w.a.pid < w.c.pid && w.c.pid < w.b);
	assert_int_equal(netns_each("/proc", visit, &w), 0);
	assert_true(w.seen_a);
	assert_true(w.seen_b);
	end(&w.c);
	close(to[1]);
	close(from[0]);
	close(to[0]);
	close(from[1]);
	waitpid(w.b, NULL, 0);
}

/* They take the lowest numbers that are free, so that what a test lets go is
 * the next to be given. */
static struct sandbox fillers[FILLERS];

static int up(void **state)
{
	for (int i = 0; i < FILLERS; i++)
		fillers[i] = start(0);
	return mkdtemp(dir) ? 0 : -1;
}

static int down(void **state)
{
	char path[128];

	for (int i = 0; i < FILLERS; i++)
		end(&fillers[i]);
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_netns_number_is_kept_while_it_is_held),
		cmocka_unit_test(
			test_proc_directory_of_a_dead_process_stays_dead),
		cmocka_unit_test(
			test_netns_swapped_after_the_look_up_is_not_entered),
		cmocka_unit_test(
			test_netns_of_reused_numbers_is_told_by_its_cookie),
		cmocka_unit_test(
			test_netns_that_goes_during_the_walk_hides_no_other),
	};

	return cmocka_run_group_tests(tests, up, down);
}
