// SPDX-License-Identifier: Apache-2.0
/*
 * overhead plain [ROUNDS [CALLS]]  what a plain TCP connection takes, as it is
 * overhead hooks [PAIRS [CALLS]]   and what BPF programs of ours add to it
 *
 * As root, in a namespace whose loopback is up. Time is CLOCK_MONOTONIC; in a
 * VM run with -icount it follows executed instructions. What the kernel has
 * learnt of 127.0.0.1 (tcp_metrics) makes connect() 170 instructions longer as
 * soon as any connection there has ended well: where two runs are compared,
 * net.ipv4.tcp_no_metrics_save is 1.
 *
 * `plain` loads nothing: it is run where an agent has attached what it
 * attaches. `hooks` attaches programs itself, row by row: one alone, or all
 * that a node has attached while a pod of it is armed. The mesh is switched on
 * and a pod is armed that nobody lives in, so nothing is ever converted.
 * Attached and detached take turns; each pair gives one difference of medians.
 * A row of which a program is not in the object, or not accepted by this kernel
 * (lockdown, a hardened host), is left out and says so.
 *
 * Output: JSON, one line for each row.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include <smcmesh/abi.h>
#include "smcmesh.skel.h"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *need(void *memory)
{
	if (!memory)
		die("calloc");
	return memory;
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* ---- what is timed ------------------------------------------------------- */

enum phase { SOCKET, CLOSE, UNUSED, CONNECT, ACCEPT, CLOSES, WHOLE, PHASES };

/* UNUSED: a socket that is opened and closed. CONNECT: with what the server's
 * end does in softirq, which runs inside on loopback. WHOLE: of one connection,
 * without what is measured of the unused socket. */
static const char *const phase_names[PHASES] = {
	[SOCKET] = "socket",   [CLOSE] = "close",   [UNUSED] = "socket+close",
	[CONNECT] = "connect", [ACCEPT] = "accept", [CLOSES] = "closes",
	[WHOLE] = "whole"};

/* Of each phase one value a round; sorted once all are there. */
struct values {
	long long *of[PHASES];
	long n;
};

static struct values values_new(long n)
{
	struct values v = {.n = n};

	for (int p = 0; p < PHASES; p++)
		v.of[p] = need(calloc(n, sizeof(*v.of[p])));
	return v;
}

static void values_free(struct values *v)
{
	for (int p = 0; p < PHASES; p++)
		free(v->of[p]);
}

static void values_sort(struct values *v)
{
	for (int p = 0; p < PHASES; p++)
		qsort(v->of[p], v->n, sizeof(*v->of[p]), by_value);
}

static void values_print(const char *name, const struct values *v, long at)
{
	printf(", \"%s\": {", name);
	for (int p = 0; p < PHASES; p++)
		printf("%s\"%s\": %lld", p ? ", " : "", phase_names[p],
		       v->of[p][at]);
	printf("}");
}

static struct sockaddr_in server;
static int listener;

static void listen_loopback(void)
{
	socklen_t len = sizeof(server);

	server.sin_family = AF_INET;
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&server, sizeof(server)) ||
	    listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&server, &len))
		die("listener");
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static void once(const struct values *v, long i)
{
	struct linger reset = {.l_onoff = 1};
	long long t[8];
	int fd, c;

	t[0] = now();
	fd = open_socket();
	t[1] = now();
	close(fd);
	t[2] = now();
	fd = open_socket();
	t[3] = now();
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)))
		die("connect");
	t[4] = now();
	c = accept(listener, NULL, NULL);
	t[5] = now();
	/* no TIME_WAIT: a million ports would run out */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	t[6] = now();
	close(fd);
	close(c);
	t[7] = now();
	v->of[SOCKET][i] = t[1] - t[0];
	v->of[CLOSE][i] = t[2] - t[1];
	v->of[UNUSED][i] = t[2] - t[0];
	v->of[CONNECT][i] = t[4] - t[3];
	v->of[ACCEPT][i] = t[5] - t[4];
	v->of[CLOSES][i] = t[7] - t[6];
	v->of[WHOLE][i] = t[5] - t[2] + t[7] - t[6];
}

/* The medians of @calls rounds become value @at of @out. */
static void sample(long calls, const struct values *out, long at)
{
	struct values v = values_new(calls);

	for (long i = 0; i < calls / 10; i++)
		once(&v, 0);
	for (long i = 0; i < calls; i++)
		once(&v, i);
	values_sort(&v);
	for (int p = 0; p < PHASES; p++)
		out->of[p][at] = v.of[p][calls / 2];
	values_free(&v);
}

static void plain(long rounds, long calls)
{
	struct values v = values_new(rounds);

	for (long i = 0; i < rounds; i++)
		sample(calls, &v, i);
	values_sort(&v);
	printf("{\"row\": \"plain\", \"rounds\": %ld, \"calls\": %ld", rounds,
	       calls);
	values_print("plain", &v, rounds / 2);
	values_print("min", &v, 0);
	values_print("max", &v, rounds - 1);
	printf("}\n");
	values_free(&v);
}

/* ---- the rows ------------------------------------------------------------ */

#define MAX_PROGRAMS 20
/* what only SMC's own sockets run through: attached while an agent runs */
#define OWN                                                                  \
	"smc_fallback", "smc_connected", "smc_declined", "smc_accepted",     \
		"smc_closed", "sock_made", "sock_undone", "sock_made_af",    \
		"sock_listens", "sock_gone", "smc_link_down", "smc_link_up", \
		"smc_link_gone"

/* What a process that is not armed runs through while a pod is: each program
 * alone, then what is attached together. */
static const struct row {
	const char *name;
	const char *programs[MAX_PROGRAMS];
} rows[] = {
	{"SMC's own functions", {OWN}},
	{"connect_guard", {"connect_guard"}},
	{"sockproto", {"sockproto"}},
	{"syn_waits", {"syn_waits"}},
	{"flow_passive", {"flow_passive"}},
	{"sock_refused", {"sock_refused"}},
	{"flow_sockops", {"flow_sockops"}},
	{"recorder smc", {"connect_guard", "sockproto", "flow_passive", OWN}},
	{"recorder smc, a listener",
	 {"connect_guard", "syn_waits", "sockproto", "flow_passive", OWN}},
	{"recorder sockops",
	 {"connect_guard", "sockproto", "flow_sockops", OWN}},
	{"recorder smc, MAC LSM",
	 {"connect_guard", "sock_refused", "sockproto", "flow_passive", OWN}},
};

#define ROWS (sizeof(rows) / sizeof(*rows))
#define EACH_PROGRAM(row, i) \
	for (int i = 0; i < MAX_PROGRAMS && (row)->programs[i]; i++)

static bool is_in_a_row(const char *name)
{
	for (size_t r = 0; r < ROWS; r++)
		EACH_PROGRAM(&rows[r], i)
	if (!strcmp(rows[r].programs[i], name))
		return true;
	return false;
}

/* ---- loading ------------------------------------------------------------- */

static struct bpf_object *object_open(void)
{
	struct bpf_object *obj;
	struct bpf_map *map;
	const void *elf;
	size_t size;

	elf = smcmesh_bpf__elf_bytes(&size);
	obj = bpf_object__open_mem(elf, size, NULL);
	if (!obj)
		die("open the BPF object");
	bpf_object__for_each_map(map, obj) if (bpf_map__type(map) ==
					       BPF_MAP_TYPE_STRUCT_OPS)
		bpf_map__set_autocreate(map, false);
	return obj;
}

/* Does this kernel accept the program? */
static bool loads(const char *name)
{
	struct bpf_object *obj = object_open();
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, obj) bpf_program__set_autoload(
		prog, !strcmp(bpf_program__name(prog), name));
	err = bpf_object__load(obj);
	bpf_object__close(obj);
	return !err;
}

/* bpf_object__load() is all or nothing, so each program is tried alone if all
 * are not accepted. */
static struct bpf_object *load_rows(bool each)
{
	struct bpf_object *obj = object_open();
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, obj)
	{
		const char *name = bpf_program__name(prog);

		bpf_program__set_autoload(prog, is_in_a_row(name) &&
							(!each || loads(name)));
	}
	err = bpf_object__load(obj);
	if (!err)
		return obj;
	bpf_object__close(obj);
	return NULL;
}

static void put(struct bpf_object *obj, const char *name, const void *key,
		size_t key_size, const void *value, size_t size)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);

	if (!map ||
	    bpf_map__update_elem(map, key, key_size, value, size, BPF_ANY))
		die(name);
}

/* The mesh is on and another namespace is armed: a look-up that misses, the
 * longest way that a process of an unarmed pod can go. */
static void someone_else_is_armed(struct bpf_object *obj)
{
	struct smc_config config = {.abi_version = SMC_ABI_VERSION,
				    .enabled = 1};
	struct smc_pod pod = {.pod_id = 1};
	__u64 nobody = ~0ULL;
	__u32 zero = 0;

	put(obj, "smc_config", &zero, sizeof(zero), &config, sizeof(config));
	put(obj, "smc_netns", &nobody, sizeof(nobody), &pod, sizeof(pod));
}

static struct bpf_object *load(void)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct bpf_object *obj = load_rows(false);

	if (!obj)
		obj = load_rows(true);
	libbpf_set_print(print);
	if (!obj)
		die("load the BPF object");
	someone_else_is_armed(obj);
	return obj;
}

/* ---- attach and detach --------------------------------------------------- */

static int open_cgroup(void)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified",
					     "/sys/fs/cgroup"};

	for (int i = 0; i < 2; i++) {
		char file[64];

		snprintf(file, sizeof(file), "%s/cgroup.procs", mounts[i]);
		if (!access(file, F_OK))
			return open(mounts[i], O_RDONLY | O_DIRECTORY);
	}
	die("no cgroup v2 mount");
	return -1;
}

struct attached {
	struct bpf_link *link[MAX_PROGRAMS];
	int n;
};

static void detach(struct attached *a)
{
	while (a->n)
		bpf_link__destroy(a->link[--a->n]);
}

static bool attach(struct attached *a, const struct row *row,
		   struct bpf_object *obj, int cgroup)
{
	EACH_PROGRAM(row, i)
	{
		struct bpf_program *prog =
			bpf_object__find_program_by_name(obj, row->programs[i]);
		bool on_cgroup =
			bpf_program__type(prog) == BPF_PROG_TYPE_SOCK_OPS;
		struct bpf_link *link =
			on_cgroup ? bpf_program__attach_cgroup(prog, cgroup)
				  : bpf_program__attach(prog);

		if (!link) {
			detach(a);
			return false;
		}
		a->link[a->n++] = link;
	}
	return true;
}

/* ---- the comparison ------------------------------------------------------ */

static void compare(const struct row *row, int pairs, long calls,
		    struct bpf_object *obj, int cgroup)
{
	struct values base = values_new(pairs), added = values_new(pairs);
	struct attached a = {};

	for (int i = 0; i < pairs; i++) {
		sample(calls, &base, i);
		if (!attach(&a, row, obj, cgroup)) {
			printf(", \"error\": \"cannot be attached\"");
			goto out;
		}
		sample(calls, &added, i);
		detach(&a);
		for (int p = 0; p < PHASES; p++)
			added.of[p][i] -= base.of[p][i];
	}
	values_sort(&base);
	values_sort(&added);
	printf(", \"pairs\": %d, \"calls\": %ld", pairs, calls);
	values_print("plain", &base, pairs / 2);
	values_print("added", &added, pairs / 2);
	values_print("min", &added, 0);
	values_print("max", &added, pairs - 1);
out:
	values_free(&base);
	values_free(&added);
}

static bool is_refused(const struct bpf_program *prog)
{
	return prog && bpf_program__fd(prog) < 0;
}

static bool is_missing(const struct bpf_program *prog)
{
	return !prog;
}

/* Print those programs of @row of which @is is true. Return: how many. */
static int print_those(const char *name, const struct row *row,
		       struct bpf_object *obj,
		       bool (*is)(const struct bpf_program *prog))
{
	int n = 0;

	printf(", \"%s\": [", name);
	EACH_PROGRAM(row, i)
	if (is(bpf_object__find_program_by_name(obj, row->programs[i])))
		printf("%s\"%s\"", n++ ? ", " : "", row->programs[i]);
	printf("]");
	return n;
}

static void measure(const struct row *row, int pairs, long calls,
		    struct bpf_object *obj, int cgroup)
{
	int left_out;

	printf("{\"row\": \"%s\"", row->name);
	left_out = print_those("missing", row, obj, is_missing);
	left_out += print_those("refused", row, obj, is_refused);
	if (!left_out)
		compare(row, pairs, calls, obj, cgroup);
	printf("}\n");
	fflush(stdout);
}

static void hooks(int pairs, long calls)
{
	struct bpf_object *obj = load();
	int cgroup = open_cgroup();

	for (size_t r = 0; r < ROWS; r++)
		measure(&rows[r], pairs, calls, obj, cgroup);
	close(cgroup);
	bpf_object__close(obj);
}

int main(int argc, char **argv)
{
	long rounds = argc > 2 ? atol(argv[2]) : 15;
	long calls = argc > 3 ? atol(argv[3]) : 5000;

	if (argc < 2 || rounds < 1 || calls < 1 ||
	    (strcmp(argv[1], "plain") && strcmp(argv[1], "hooks"))) {
		fprintf(stderr, "usage: overhead plain [ROUNDS [CALLS]]\n"
				"       overhead hooks [PAIRS [CALLS]]\n");
		return 2;
	}
	listen_loopback();
	if (!strcmp(argv[1], "hooks"))
		hooks(rounds, calls);
	else
		plain(rounds, calls);
	return 0;
}
