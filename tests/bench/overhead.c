// SPDX-License-Identifier: Apache-2.0
/*
 * overhead [PAIRS [CALLS]]: what the attached programs add to a process that
 * is not armed, on the running kernel, as root.
 *
 * On a kernel without SMC the agent attaches nothing, which would measure
 * nothing. So this program attaches the very programs itself (the converter
 * and its two guards machine-wide, the flow programs at the root cgroup: all
 * that a plain TCP socket can meet), the mesh switched on and
 * a pod armed that nobody lives in: nothing is ever converted. Attached and
 * detached take turns; each pair gives one difference of medians.
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

#define MAX_LINKS 8

static void die(const char *what)
{
	perror(what);
	exit(1);
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

static double median(long long *v, long n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

/* ---- what is timed ------------------------------------------------------- */

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

static long long time_socket(void)
{
	long long start = now();
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	close(fd);
	return now() - start;
}

static long long time_connect(void)
{
	struct linger reset = {.l_onoff = 1};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	long long start, took;
	int c;

	if (fd < 0)
		die("socket");
	start = now();
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)))
		die("connect");
	took = now() - start;
	c = accept(listener, NULL, NULL);
	/* no TIME_WAIT: a million ports would run out */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	close(c);
	return took;
}

static double sample(long long (*once)(void), long long *room, long calls)
{
	for (long i = 0; i < calls / 10; i++)
		once();
	for (long i = 0; i < calls; i++)
		room[i] = once();
	return median(room, calls);
}

/* ---- attach and detach --------------------------------------------------- */

/* The mesh is on and another namespace is armed: a look-up that misses, the
 * longest way that a process of an unarmed pod can go. */
static void someone_else_is_armed(struct smcmesh_bpf *skel)
{
	struct smc_config config = {.abi_version = SMC_ABI_VERSION,
				    .enabled = 1};
	struct smc_pod pod = {.pod_id = 1, .uid = SMC_UID_ANY};
	__u64 nobody = ~0ULL;
	__u32 zero = 0;

	if (bpf_map__update_elem(skel->maps.smc_config, &zero, sizeof(zero),
				 &config, sizeof(config), BPF_ANY) ||
	    bpf_map__update_elem(skel->maps.smc_netns, &nobody, sizeof(nobody),
				 &pod, sizeof(pod), BPF_ANY))
		die("fill the maps");
}

static struct smcmesh_bpf *try_load(bool converter)
{
	struct smcmesh_bpf *skel = smcmesh_bpf__open();
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!skel)
		die("open the BPF object");
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, false);
	bpf_program__set_autoload(skel->progs.sockproto, converter);
	bpf_program__set_autoload(skel->progs.sock_refused, converter);
	bpf_program__set_autoload(skel->progs.connect_guard, converter);
	bpf_program__set_autoload(skel->progs.flow_connect4, true);
	bpf_program__set_autoload(skel->progs.flow_connect6, true);
	bpf_program__set_autoload(skel->progs.flow_sockops, true);
	bpf_object__for_each_map(map, skel->obj) if (bpf_map__type(map) ==
						     BPF_MAP_TYPE_STRUCT_OPS)
		bpf_map__set_autocreate(map, false);
	if (!smcmesh_bpf__load(skel))
		return skel;
	smcmesh_bpf__destroy(skel);
	return NULL;
}

/* A kernel may forbid BPF trampolines (lockdown, a hardened host): what can
 * be attached there is measured, and the output says what was not. */
static struct smcmesh_bpf *load(void)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct smcmesh_bpf *skel = try_load(true);

	libbpf_set_print(print);
	if (!skel)
		skel = try_load(false);
	if (!skel)
		die("load the BPF object");
	someone_else_is_armed(skel);
	return skel;
}

static int attach(struct smcmesh_bpf *skel, int cgroup, struct bpf_link **link)
{
	int n = 0;

	if (bpf_program__autoload(skel->progs.sockproto)) {
		link[n++] = bpf_program__attach(skel->progs.sock_refused);
		link[n++] = bpf_program__attach(skel->progs.connect_guard);
		link[n++] = bpf_program__attach(skel->progs.sockproto);
	}
	link[n++] =
		bpf_program__attach_cgroup(skel->progs.flow_connect4, cgroup);
	link[n++] =
		bpf_program__attach_cgroup(skel->progs.flow_connect6, cgroup);
	link[n++] =
		bpf_program__attach_cgroup(skel->progs.flow_sockops, cgroup);
	for (int i = 0; i < n; i++)
		if (!link[i])
			die("attach");
	return n;
}

static void detach(struct bpf_link **link, int n)
{
	for (int i = 0; i < n; i++)
		bpf_link__destroy(link[i]);
}

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

/* ---- the comparison ------------------------------------------------------ */

static void compare(const char *what, long long (*once)(void), int pairs,
		    long calls, struct smcmesh_bpf *skel, int cgroup)
{
	long long *room = calloc(calls, sizeof(*room));
	long long *added = calloc(pairs, sizeof(*added));
	long long *base = calloc(pairs, sizeof(*base));
	struct bpf_link *link[MAX_LINKS];
	double plain, more;

	if (!room || !added || !base)
		die("calloc");
	for (int i = 0; i < pairs; i++) {
		int n;

		base[i] = sample(once, room, calls);
		n = attach(skel, cgroup, link);
		added[i] = sample(once, room, calls) - base[i];
		detach(link, n);
	}
	plain = median(base, pairs);
	more = median(added, pairs);
	printf("{\"what\": \"%s\", \"converter\": %s, \"pairs\": %d, "
	       "\"calls\": %ld, "
	       "\"plain_ns\": %.0f, \"added_ns\": %.0f, \"added_percent\": "
	       "%.2f, \"added_min_ns\": %lld, \"added_max_ns\": %lld}\n",
	       what,
	       bpf_program__autoload(skel->progs.sockproto) ? "true" : "false",
	       pairs, calls, plain, more, 100.0 * more / plain, added[0],
	       added[pairs - 1]);
}

int main(int argc, char **argv)
{
	int pairs = argc > 1 ? atoi(argv[1]) : 15;
	long calls = argc > 2 ? atol(argv[2]) : 20000;
	struct smcmesh_bpf *skel = load();
	int cgroup = open_cgroup();

	listen_loopback();
	compare("socket+close", time_socket, pairs, calls, skel, cgroup);
	compare("connect", time_connect, pairs, calls, skel, cgroup);
	smcmesh_bpf__destroy(skel);
	return 0;
}
