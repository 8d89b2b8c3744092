// SPDX-License-Identifier: Apache-2.0
/*
 * hammer: many connections, each connect() + one echoed message + close().
 *
 *   --to SPAN        where to (the span's addresses in turn)
 *   --from SPAN      bind to these addresses in turn
 *   --count N        so many connections; 0: until SIGTERM
 *   --threads N      at once
 *   --again          non-blocking sockets; connect() is called over and over
 *                    until it stops saying that it is under way
 *   --smc            open IPPROTO_SMC sockets ourselves
 *   --hold           keep the connections open until standard input ends
 *   --pace USEC      between two connections of one thread
 *   --patience SEC   after which a call that hangs is an error (30)
 *   --tell N         after each N connections a line {"so_far": K, "errors": E,
 *                    "smc": S, "tcp": T}
 *
 * Each connection that is not perfect is a line on stderr. The result is one
 * JSON object; "smc" and "tcp" is what the kernel says of each connection.
 *
 * An emulated machine whose host is busy stands still for seconds now and then.
 * Such times are counted (by root, who may ask for real-time priority):
 * "max_ms" is how long the longest connection took by the clock, "own_ms"
 * without the times in which the machine stood still, "stood_ms" all of these
 * together.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "prog.h"

#define SLOTS 4096 /* latency histogram: one slot per millisecond */
#define TICK_US 10000
#define LATE_US 1000 /* waking up may take as long */

static struct span to, from;
static bool have_from, again, smc, hold;
static unsigned long count, threads = 1, pace_us, patience_s = 30, tell;
static int *held;

static atomic_bool stop;
static atomic_ulong next, n_ok, n_error, n_smc, n_tcp, n_repeats, max_us,
	own_us;
static atomic_ulong stood_us;
static atomic_ulong slots[SLOTS];

static void note(unsigned long i, const char *what, int err)
{
	fprintf(stderr, "%.3f connection %lu: %s: %s\n",
		now_ns(CLOCK_REALTIME) / 1e9, i, what, strerror(-err));
}

/*
 * An impatient program: it does not wait for its socket, it asks again.
 * EISCONN or 0: done.
 */
static int connect_again(int fd, const struct sockaddr *a, socklen_t len)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + patience_s * 1000000000ULL;

	for (;;) {
		if (!connect(fd, a, len) || errno == EISCONN)
			break;
		if (errno != EINPROGRESS && errno != EALREADY)
			return -errno;
		if (now_ns(CLOCK_MONOTONIC) > end)
			return -ETIMEDOUT;
		atomic_fetch_add(&n_repeats, 1);
		sched_yield();
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK))
		return -errno;
	return 0;
}

static int open_one(unsigned long i, int *out)
{
	socklen_t len, from_len;
	struct sockaddr_storage a = span_at(&to, i, &len), f;
	int fd = socket(a.ss_family, SOCK_STREAM | (again ? SOCK_NONBLOCK : 0),
			smc ? IPPROTO_SMC : 0);

	if (fd < 0)
		return -errno;
	*out = fd;
	sock_timeout(fd, patience_s);
	if (have_from) {
		int one = 1;

		/* the port is chosen at connect(), knowing the destination */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
			   sizeof(one));
		f = span_at(&from, i, &from_len);
		if (bind(fd, (void *)&f, from_len))
			return -errno;
	}
	if (again)
		return connect_again(fd, (void *)&a, len);
	return connect(fd, (void *)&a, len) ? -errno : 0;
}

/*
 * Whoever is before all others on its processor and still wakes up late was
 * kept from it by the machine (or by a kernel that does not let go): that is
 * what this thread waits for.
 */
static void *watch_the_machine(void *arg)
{
	struct sched_param first = {.sched_priority = 1};

	(void)arg;
	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &first))
		return NULL;
	for (;;) {
		uint64_t before = now_ns(CLOCK_MONOTONIC), us;

		usleep(TICK_US);
		us = (now_ns(CLOCK_MONOTONIC) - before) / 1000;
		if (us > TICK_US + LATE_US)
			atomic_fetch_add(&stood_us, us - TICK_US);
	}
}

static void raise_to(atomic_ulong *most, unsigned long value)
{
	unsigned long seen = atomic_load(most);

	while (value > seen &&
	       !atomic_compare_exchange_weak(most, &seen, value))
		;
}

/*
 * @connect_us: how much of it was socket() and connect(); @stood: how long the
 * machine stood still meanwhile, microseconds.
 */
static void account(unsigned long i, uint64_t us, uint64_t connect_us,
		    unsigned long stood)
{
	unsigned long slot = us / 1000;

	atomic_fetch_add(&slots[slot < SLOTS ? slot : SLOTS - 1], 1);
	raise_to(&max_us, us);
	raise_to(&own_us, us > stood ? us - stood : 0);
	if (us > 1000000)
		fprintf(stderr,
			"%.3f connection %lu: %lu ms, connect %lu, stood %lu\n",
			now_ns(CLOCK_REALTIME) / 1e9, i, us / 1000,
			connect_us / 1000, stood / 1000);
}

static void tell_so_far(unsigned long i)
{
	printf("{\"so_far\": %lu, \"errors\": %lu, \"smc\": %lu, "
	       "\"tcp\": %lu}\n",
	       i, n_error, n_smc, n_tcp);
	fflush(stdout);
}

static void one(unsigned long i)
{
	unsigned long stood = atomic_load(&stood_us);
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	int fd = -1, err = open_one(i, &fd);
	uint64_t connected = now_ns(CLOCK_MONOTONIC);
	const char *what = "connect";

	if (!err) {
		what = "echo";
		err = echo_once(fd, i);
	}
	account(i, (now_ns(CLOCK_MONOTONIC) - start) / 1000,
		(connected - start) / 1000, atomic_load(&stood_us) - stood);
	if (err) {
		atomic_fetch_add(&n_error, 1);
		note(i, what, err);
	} else {
		atomic_fetch_add(sock_is_smc(fd) ? &n_smc : &n_tcp, 1);
		atomic_fetch_add(&n_ok, 1);
	}
	if (tell && i && i % tell == 0)
		tell_so_far(i);
	if (hold && !err)
		held[i] = fd;
	else if (fd >= 0)
		close(fd);
}

static void *run(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		unsigned long i = atomic_fetch_add(&next, 1);

		if (count && i >= count)
			break;
		one(i);
		if (pace_us)
			usleep(pace_us);
	}
	return NULL;
}

static void on_term(int sig)
{
	(void)sig;
	atomic_store(&stop, true);
}

static unsigned long percentile(unsigned int p)
{
	unsigned long all = 0, seen = 0, i;

	for (i = 0; i < SLOTS; i++)
		all += slots[i];
	for (i = 0; i < SLOTS; i++) {
		seen += slots[i];
		if (seen * 100 >= all * p)
			break;
	}
	return i;
}

static void options(int argc, char **argv)
{
	static const struct option table[] = {
		{"to", 1, NULL, 't'},	    {"from", 1, NULL, 'f'},
		{"count", 1, NULL, 'c'},    {"threads", 1, NULL, 'n'},
		{"again", 0, NULL, 'a'},    {"smc", 0, NULL, 's'},
		{"hold", 0, NULL, 'h'},	    {"pace", 1, NULL, 'p'},
		{"patience", 1, NULL, 'w'}, {"tell", 1, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == 't')
			span_parse(optarg, &to);
		else if (c == 'f')
			have_from = true, span_parse(optarg, &from);
		else if (c == 'c')
			count = number(optarg);
		else if (c == 'n')
			threads = number(optarg);
		else if (c == 'a')
			again = true;
		else if (c == 's')
			smc = true;
		else if (c == 'h')
			hold = true;
		else if (c == 'p')
			pace_us = number(optarg);
		else if (c == 'w')
			patience_s = number(optarg);
		else if (c == 'l')
			tell = number(optarg);
		else
			exit(2);
	}
	if (!to.n || (hold && !count)) {
		fprintf(stderr, "hammer: --to, and --count with --hold\n");
		exit(2);
	}
}

static void report(double seconds)
{
	printf("{\"connections\": %lu, \"ok\": %lu, \"errors\": %lu, "
	       "\"smc\": %lu, \"tcp\": %lu, \"repeats\": %lu, "
	       "\"p50_ms\": %lu, \"p99_ms\": %lu, \"max_ms\": %.1f, "
	       "\"own_ms\": %.1f, \"stood_ms\": %.1f, "
	       "\"seconds\": %.2f}\n",
	       n_ok + n_error, n_ok, n_error, n_smc, n_tcp, n_repeats,
	       percentile(50), percentile(99), max_us / 1000.0, own_us / 1000.0,
	       stood_us / 1000.0, seconds);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct rlimit files = {65536, 65536};
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	pthread_t *t, ticks;
	char c;

	options(argc, argv);
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGTERM, on_term);
	t = calloc(threads, sizeof(*t));
	held = calloc(count + 1, sizeof(*held));
	if (!t || !held)
		die("memory");
	if (pthread_create(&ticks, NULL, watch_the_machine, NULL))
		die("thread");
	for (unsigned long i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, run, NULL))
			die("thread %lu", i);
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	report((now_ns(CLOCK_MONOTONIC) - start) / 1e9);
	while (hold && read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
