// SPDX-License-Identifier: Apache-2.0
/*
 * flipper: change endpoints between a SYN (or SYN-ACK) and its repeat.
 *
 *   --map PIN            smc_endpoint
 *   --repeats syn|synack what is sent twice, because the network loses it or
 *                        its answer once per connection (the test sees to that)
 *   --flip from|to|both  whose addresses change: the server's selector asks
 *                        about the client's, and the other way round
 *   --was yes|no         what they are at first: endpoints or not
 *   --from SPAN          pair i connects from this address, port --port + i
 *   --to SPAN            to this one
 *   --port N
 *   --again              clients call connect() over and over
 *   --forget PIN         empty this map after the flip: what happens when the
 *                        selector remembers nothing?
 *
 * Every pair has addresses of its own, so every pair is a flip. They flip when
 * the tap has seen that packet of every pair; its repeat comes a second after
 * it. That it was so is checked pair by pair with the time stamps of the tap
 * ("between").
 *
 * Prints one JSON object and keeps the connections open until standard input
 * ends. All addresses are made endpoints at first and left as they are at the
 * end: the agent must be at rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "prog.h"
#include "tap.h"
#include "smcmesh/abi.h"

#define PATIENCE_NS 8000000000ULL
#define AGAIN_US 20000

enum end { FROM, TO };
enum kind { SYN, SYNACK };

/* One kind of packet of one pair. */
struct seen {
	uint64_t first_ns, repeat_ns;
	bool smc;     /* the first one carries the option */
	bool wavered; /* a repeat differs */
};

struct pair {
	struct seen seen[2]; /* by enum kind */
	pthread_t thread;
	int fd, err;
	const char *stage;
};

static struct span from, to;
static struct pair *pairs;
static unsigned int n, port = 20000;
static enum kind repeats;
static bool flips[2], was_yes, again; /* flips: by enum end */
static const char *pin, *memory_pin;

/* ---- the endpoints --------------------------------------------------------
 */

static void set_end(int map, enum end end, bool yes)
{
	static const struct smc_endpoint row = {
		.transports = SMC_TRANSPORT_SMCD, .node_id = 1};
	struct smc_addr key;
	int err;

	for (unsigned int i = 0; i < n; i++) {
		span_ip(end == FROM ? &from : &to, i, key.ip);
		err = yes ? map_put(map, &key, &row) : map_del(map, &key);
		if (err && err != -ENOENT) {
			errno = -err;
			die("change endpoint %u", i);
		}
	}
}

static void set_all(int map, bool yes)
{
	for (enum end end = FROM; end <= TO; end++)
		if (flips[end])
			set_end(map, end, yes);
}

static void forget(void)
{
	uint8_t key[256]; /* larger than any key there is */
	int map = memory_pin ? map_open(memory_pin) : -1;

	if (!memory_pin)
		return;
	if (map < 0)
		die("%s", memory_pin);
	while (!map_next(map, NULL, key))
		map_del(map, key);
}

/* ---- the clients ----------------------------------------------------------
 */

static int connect_again(int fd, const void *a, socklen_t len)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;

	while (connect(fd, a, len) && errno != EISCONN) {
		if (errno != EINPROGRESS && errno != EALREADY)
			return -errno;
		if (now_ns(CLOCK_MONOTONIC) > end)
			return -ETIMEDOUT;
		usleep(AGAIN_US);
	}
	return fcntl(fd, F_SETFL, 0) ? -errno : 0;
}

static int open_pair(unsigned int i)
{
	socklen_t len, from_len;
	struct sockaddr_storage a = span_at(&to, i, &len);
	struct sockaddr_storage f = span_at(&from, i, &from_len);
	int fd = socket(a.ss_family, SOCK_STREAM | (again ? SOCK_NONBLOCK : 0),
			0);

	if (fd < 0)
		return -errno;
	pairs[i].fd = fd;
	sock_timeout(fd, 20);
	/* the same place in both families */
	((struct sockaddr_in *)&f)->sin_port = htons(port + i);
	if (bind(fd, (void *)&f, from_len))
		return -errno;
	if (again)
		return connect_again(fd, &a, len);
	return connect(fd, (void *)&a, len) ? -errno : 0;
}

static void *client(void *arg)
{
	unsigned int i = (uintptr_t)arg;

	pairs[i].stage = "connect";
	pairs[i].err = open_pair(i);
	if (!pairs[i].err) {
		pairs[i].stage = "echo";
		pairs[i].err = echo_once(pairs[i].fd, i);
	}
	return NULL;
}

/* ---- the tap --------------------------------------------------------------
 */

/* Note SYNs sent and SYN-ACKs received; return how many pairs show their first
 * packet of the kind that is repeated. */
static unsigned int read_tap(int tap)
{
	unsigned int fresh = 0, i;
	struct seen *seen;
	struct syn s;

	while (tap_read(tap, &s)) {
		i = (s.ack ? s.dport : s.sport) - port;
		if (i >= n || s.sent == s.ack)
			continue;
		seen = &pairs[i].seen[s.ack ? SYNACK : SYN];
		if (!seen->first_ns) {
			seen->first_ns = s.wall_ns;
			seen->smc = s.smc;
			fresh += repeats == (s.ack ? SYNACK : SYN);
			continue;
		}
		if (!seen->repeat_ns)
			seen->repeat_ns = s.wall_ns;
		seen->wavered |= s.smc != seen->smc;
	}
	return fresh;
}

static void wait_for_first_packets(int tap)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	unsigned int seen = 0;

	while ((seen += read_tap(tap)) < n) {
		if (now_ns(CLOCK_MONOTONIC) > end) {
			errno = 0;
			die("only %u of %u first packets came", seen, n);
		}
		usleep(500);
	}
}

/* ---- the result -----------------------------------------------------------
 */

static void report(uint64_t start_ns, uint64_t end_ns)
{
	unsigned int ok = 0, smc = 0, between = 0, first = 0, wavered = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct pair *p = &pairs[i];
		struct seen *twice = &p->seen[repeats];

		first += twice->smc;
		wavered += p->seen[SYN].wavered || p->seen[SYNACK].wavered;
		between +=
			twice->first_ns < start_ns && end_ns < twice->repeat_ns;
		if (p->err) {
			fprintf(stderr, "pair %u: %s: %s\n", i, p->stage,
				strerror(-p->err));
			continue;
		}
		ok++;
		smc += sock_is_smc(p->fd);
	}
	printf("{\"pairs\": %u, \"ok\": %u, \"smc\": %u, \"tcp\": %u, "
	       "\"between\": %u, \"first_smc\": %u, \"wavered\": %u, "
	       "\"flip_ms\": %.1f}\n",
	       n, ok, smc, ok - smc, between, first, wavered,
	       (end_ns - start_ns) / 1e6);
	fflush(stdout);
}

static unsigned int choice(const char *text, const char *const *names)
{
	for (unsigned int i = 0; names[i]; i++)
		if (!strcmp(text, names[i]))
			return i;
	errno = 0;
	die("'%s' is not understood", text);
}

static void option(int c)
{
	static const char *const kinds[] = {"syn", "synack", NULL};
	static const char *const answers[] = {"no", "yes", NULL};
	static const char *const ends[] = {"from", "to", "both", NULL};
	unsigned int which;

	if (c == 'm')
		pin = optarg;
	else if (c == 'x')
		memory_pin = optarg;
	else if (c == 'l')
		repeats = choice(optarg, kinds);
	else if (c == 'w')
		was_yes = choice(optarg, answers);
	else if (c == 'f')
		span_parse(optarg, &from);
	else if (c == 't')
		span_parse(optarg, &to);
	else if (c == 'p')
		port = number(optarg);
	else if (c == 'a')
		again = true;
	else if (c == 'e') {
		which = choice(optarg, ends);
		flips[FROM] = which != TO;
		flips[TO] = which != FROM;
	} else
		exit(2);
}

static void options(int argc, char **argv)
{
	static const struct option table[] = {
		{"map", 1, NULL, 'm'},	 {"repeats", 1, NULL, 'l'},
		{"was", 1, NULL, 'w'},	 {"from", 1, NULL, 'f'},
		{"to", 1, NULL, 't'},	 {"port", 1, NULL, 'p'},
		{"again", 0, NULL, 'a'}, {"forget", 1, NULL, 'x'},
		{"flip", 1, NULL, 'e'},	 {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
		option(c);
	n = from.n;
	errno = 0;
	if (!pin || !n || to.n != n || flips[FROM] + flips[TO] == 0)
		die("--map and --flip, and --from and --to of one size");
}

int main(int argc, char **argv)
{
	uint64_t start, end;
	int map, tap;
	char c;

	options(argc, argv);
	pairs = calloc(n, sizeof(*pairs));
	map = map_open(pin);
	if (!pairs || map < 0)
		die("%s", pin);
	set_end(map, FROM, true);
	set_end(map, TO, true);
	set_all(map, was_yes);
	tap = tap_open();
	for (unsigned int i = 0; i < n; i++)
		if (pthread_create(&pairs[i].thread, NULL, client,
				   (void *)(uintptr_t)i))
			die("thread %u", i);
	wait_for_first_packets(tap);
	start = now_ns(CLOCK_REALTIME);
	set_all(map, !was_yes);
	forget();
	end = now_ns(CLOCK_REALTIME);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(pairs[i].thread, NULL);
	read_tap(tap);
	report(start, end);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
