/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An armed pod on this machine's own kernel, where every socket is plain TCP: a
 * network namespace and a cgroup of this process, which makes connections to
 * itself under several addresses. The recorder `sockops` and the programs that
 * the agent runs are loaded, the first attached twice, as while an upgrade is
 * under way.
 */
#pragma once

#include "unit.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <mntent.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "smcmesh.skel.h"
#include <smcmesh/counters.h>
#include <smcmesh/reasons.h>

#define POD 7
#define HERE "10.1.0.1"
#define PEER "10.1.0.2"
#define STRANGER "10.1.0.3"
#define PEER6 "fd00::2"

static struct smcmesh_bpf *skel[2];
static char home[128], cgroup[256];
static struct ring_buffer *ring;

/* ---- the pod ---- */

static inline void must(int err, const char *what)
{
	if (err)
		fail_msg("%s: %s", what, strerror(errno));
}

static inline int join(const char *dir)
{
	char path[320], pid[16];
	_close_ int fd = -1;
	int n;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	n = snprintf(pid, sizeof(pid), "%d", getpid());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, pid, n) == n ? 0 : -1;
}

/* A child of the cgroup v2 root: @home is where the process goes back to. */
static inline int make_cgroup(void)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *m;

	while (f && (m = getmntent(f)))
		if (!strcmp(m->mnt_type, "cgroup2")) {
			snprintf(home, sizeof(home), "%s", m->mnt_dir);
			break;
		}
	if (f)
		endmntent(f);
	if (!home[0])
		return -1;
	snprintf(cgroup, sizeof(cgroup), "%s/smcmesh-test-%d", home, getpid());
	return mkdir(cgroup, 0755) || join(cgroup);
}

static inline int make_netns(void)
{
	return unshare(CLONE_NEWNET) ||
	       system("ip link set lo up && "
		      "ip addr add " HERE "/24 dev lo && "
		      "ip addr add " PEER "/24 dev lo && "
		      "ip addr add " STRANGER "/24 dev lo && "
		      "ip -6 addr add fd00::1/64 dev lo nodad && "
		      "ip -6 addr add " PEER6 "/64 dev lo nodad");
}

static inline __u64 netns_cookie(void)
{
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	must(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len),
	     "SO_NETNS_COOKIE");
	return cookie;
}

static inline void put(const struct bpf_map *map, const void *key,
		       const void *value)
{
	must(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY),
	     bpf_map__name(map));
}

/* @owner: of a sidecar's pod; else NULL. */
static inline void arm(__u32 flags, const struct smc_owner *owner)
{
	struct smc_pod pod = {.pod_id = POD,
			      .flags = flags,
			      .transports = SMC_TRANSPORT_SMCD};
	__u64 cookie = netns_cookie();

	if (owner)
		pod.owners[pod.n_owners++] = *owner;
	put(skel[0]->maps.smc_netns, &cookie, &pod);
}

static inline void endpoint(const char *ip)
{
	struct smc_endpoint e = {.transports = SMC_TRANSPORT_SMCD,
				 .node_id = 1};
	struct smc_addr a = addr(ip);

	put(skel[0]->maps.smc_endpoint, &a, &e);
}

/* ---- the programs ---- */

static inline bool ours(const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog);

	return !strcmp(name, "flow_sockops") || !strcmp(name, "flow_put") ||
	       !strcmp(name, "flow_drop") || !strcmp(name, "counter_add");
}

/* Only what a kernel without SMC can load; the second generation shares the
 * maps of the first. */
static inline struct smcmesh_bpf *load(struct smcmesh_bpf *before)
{
	struct smcmesh_bpf *s = smcmesh_bpf__open();
	struct bpf_program *prog;
	struct bpf_map *map, *old;

	if (!s)
		return NULL;
	bpf_object__for_each_program(prog, s->obj)
		bpf_program__set_autoload(prog, ours(prog));
	bpf_map__set_autocreate(s->maps.smcmesh_ctrl, false);
	bpf_object__for_each_map(map, s->obj)
	{
		old = before ? bpf_object__find_map_by_name(before->obj,
							    bpf_map__name(map))
			     : NULL;
		if (old && bpf_map__fd(old) >= 0)
			bpf_map__reuse_fd(map, bpf_map__fd(old));
	}
	if (smcmesh_bpf__load(s)) {
		smcmesh_bpf__destroy(s);
		return NULL;
	}
	return s;
}

static inline int attach(struct smcmesh_bpf *s)
{
	_close_ int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	s->links.flow_sockops =
		bpf_program__attach_cgroup(s->progs.flow_sockops, fd);
	return s->links.flow_sockops ? 0 : -1;
}

static unsigned int told[8]; /* events, by their type */

static inline int on_event(void *arg, void *data, size_t size)
{
	const struct smc_event *e = data;

	assert_true(size >= sizeof(*e) && e->type < 8);
	told[e->type]++;
	return 0;
}

static inline int setup(void **state)
{
	if (make_cgroup() || make_netns())
		return -1;
	skel[0] = load(NULL);
	skel[1] = skel[0] ? load(skel[0]) : NULL;
	if (!skel[1] || attach(skel[0]) || attach(skel[1]))
		return -1;
	ring = ring_buffer__new(bpf_map__fd(skel[0]->maps.smc_event), on_event,
				NULL, NULL);
	return ring ? 0 : -1;
}

static inline int teardown(void **state)
{
	ring_buffer__free(ring);
	smcmesh_bpf__destroy(skel[1]);
	smcmesh_bpf__destroy(skel[0]);
	return join(home) || rmdir(cgroup) ? -1 : 0;
}

/* A slot of smc_counter and smc_usage, all zero. */
static inline void clear_slot(__u32 slot)
{
	int n = libbpf_num_possible_cpus();
	_free_ struct smc_counters *none = calloc(n, sizeof(*none));
	const struct smc_usage unused = {0};

	assert_non_null(none);
	put(skel[0]->maps.smc_counter, &slot, none);
	put(skel[0]->maps.smc_usage, &slot, &unused);
}

static inline void follow(bool followed)
{
	struct smc_config c = {.abi_version = SMC_ABI_VERSION,
			       .enabled = 1,
			       .uses = followed ? SMC_USE_FOLLOWED : 0,
			       .offers_until_ns = SMC_NO_END,
			       .limits = {.connections_pod = 1000,
					  .buffers_node = 1000,
					  .bytes_pod = 1ULL << 30,
					  .bytes_node = 1ULL << 30}};
	__u32 zero = 0;

	put(skel[0]->maps.smc_config, &zero, &c);
}

static inline void clear(const struct bpf_map *map, size_t key_size)
{
	unsigned char key[64];

	assert_true(key_size <= sizeof(key));
	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		must(bpf_map_delete_elem(bpf_map__fd(map), key), "delete");
}

static inline __u64 closed_rows(void (*fn)(const struct smc_closed *, void *),
				void *arg)
{
	int fd = bpf_map__fd(skel[0]->maps.smc_flow_closed);
	struct smc_closed row;
	__u64 n = 0;

	for (__u32 i = 0; i < SMC_FLOW_CLOSED_ENTRIES; i++) {
		must(bpf_map_lookup_elem(fd, &i, &row), "smc_flow_closed");
		n += row.serial != 0;
		if (row.serial && fn)
			fn(&row, arg);
	}
	return n;
}

/* Before smc_usage is cleared, which says how far they go. */
static inline void clear_closed(void)
{
	const struct smc_closed none = {0};
	struct smc_usage u;
	__u32 zero = 0;

	must(bpf_map_lookup_elem(bpf_map__fd(skel[0]->maps.smc_usage), &zero,
				 &u),
	     "smc_usage");
	for (__u32 i = 0; i < u.closed && i < SMC_FLOW_CLOSED_ENTRIES; i++)
		put(skel[0]->maps.smc_flow_closed, &i, &none);
}

/* Every test begins with an armed pod, one peer, and nothing recorded. */
static inline int fresh(void **state)
{
	clear(skel[0]->maps.smc_flow, sizeof(struct smc_handshake));
	clear_closed();
	clear_slot(0);
	clear_slot(POD);
	clear(skel[0]->maps.smc_endpoint, sizeof(struct smc_addr));
	clear(skel[0]->maps.smc_netns, sizeof(__u64));
	clear(skel[0]->maps.smc_cgroup, sizeof(__u64));
	ring_buffer__consume(ring);
	memset(told, 0, sizeof(told));
	follow(true);
	arm(0, NULL);
	endpoint(HERE);
	endpoint(PEER);
	endpoint(PEER6);
	endpoint("fd00::1");
	return 0;
}

/* ---- connections ---- */

static inline struct sockaddr_in6 sa(const char *ip, int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons(port)};
	struct smc_addr x = addr(ip);

	memcpy(&a.sin6_addr, x.ip, sizeof(x.ip));
	return a;
}

/* IPv4 as a `::` socket speaks it (mapped), or as an AF_INET one. */
static inline int bound(const char *ip, int port, bool v4)
{
	struct sockaddr_in6 a = sa(ip, port);
	struct sockaddr_in b = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1, fd;

	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)),
	     "SO_REUSEADDR");
	memcpy(&b.sin_addr, (char *)&a.sin6_addr + 12, 4);
	must(v4 ? bind(fd, (void *)&b, sizeof(b))
		: bind(fd, (void *)&a, sizeof(a)),
	     "bind");
	return fd;
}

static inline int dial(int fd, const char *ip, int port, bool v4)
{
	struct sockaddr_in6 a = sa(ip, port);
	struct sockaddr_in b = {.sin_family = AF_INET, .sin_port = htons(port)};

	memcpy(&b.sin_addr, (char *)&a.sin6_addr + 12, 4);
	return v4 ? connect(fd, (void *)&b, sizeof(b))
		  : connect(fd, (void *)&a, sizeof(a));
}

struct pair {
	int listener, client, server;
};

static inline struct pair open_pair(const char *from, const char *to, bool v4)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	struct pair p;

	p.listener = bound(to, 0, v4);
	must(listen(p.listener, 8), "listen");
	must(getsockname(p.listener, (void *)&a, &len), "getsockname");
	p.client = bound(from, 0, v4);
	must(dial(p.client, to, ntohs(a.sin6_port), v4), "connect");
	p.server = accept4(p.listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(p.server >= 0);
	return p;
}

static inline void send_all(int from, int to, size_t n)
{
	char buf[1024] = "";
	ssize_t got;

	for (size_t left = n; left; left -= got) {
		size_t now = left < sizeof(buf) ? left : sizeof(buf);

		assert_int_equal(write(from, buf, now), now);
		got = recv(to, buf, now, MSG_WAITALL);
		assert_int_equal(got, now);
	}
}

/* Close both ends and wait for both to be over. */
static inline void close_pair(struct pair *p)
{
	char c;

	close(p->client);
	assert_int_equal(read(p->server, &c, 1), 0);
	close(p->server);
	close(p->listener);
}

/* ---- what was recorded ---- */

static inline void find_in(const struct bpf_map *map, __u8 role,
			   struct smc_flow *out, unsigned int *count)
{
	struct smc_handshake key, *prev = NULL;
	int fd = bpf_map__fd(map);
	struct smc_flow f;

	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		must(bpf_map_lookup_elem(fd, &key, &f), bpf_map__name(map));
		if (f.role == role) {
			*out = f;
			(*count)++;
		}
	}
}

struct wanted {
	__u8 role;
	struct smc_flow *out;
	unsigned int *count;
};

static inline void find_closed(const struct smc_closed *row, void *arg)
{
	struct wanted *w = arg;

	if (row->flow.role != w->role)
		return;
	*w->out = row->flow;
	(*w->count)++;
}

/* Open or closed. */
static inline bool find(__u8 role, struct smc_flow *out, unsigned int *count)
{
	struct wanted w = {role, out, count};

	*count = 0;
	find_in(skel[0]->maps.smc_flow, role, out, count);
	closed_rows(find_closed, &w);
	return *count;
}

static inline __u32 open_flows(__u32 slot)
{
	struct smc_usage u;

	must(bpf_map_lookup_elem(bpf_map__fd(skel[0]->maps.smc_usage), &slot,
				 &u),
	     "smc_usage");
	return u.flows;
}

static inline unsigned int rows(const struct bpf_map *map)
{
	struct smc_handshake key, *prev = NULL;
	unsigned int n = 0;

	for (; !bpf_map_get_next_key(bpf_map__fd(map), prev, &key); prev = &key)
		n++;
	return n;
}

static inline struct smc_flow flow(__u8 role)
{
	struct smc_flow f = {0};
	unsigned int n;

	find(role, &f, &n);
	assert_int_equal(n, 1);
	assert_int_equal(f.pod_id, POD);
	assert_true(f.netns_cookie == netns_cookie());
	return f;
}

static inline __u64 counter(__u32 id)
{
	int n = libbpf_num_possible_cpus();
	_free_ struct smc_counters *v = calloc(n, sizeof(*v));
	__u32 slot = smc_slot(POD);
	__u64 sum = 0;

	assert_non_null(v);
	must(bpf_map_lookup_elem(bpf_map__fd(skel[0]->maps.smc_counter), &slot,
				 v),
	     "smc_counter");
	for (int i = 0; i < n; i++)
		sum += ((__u64 *)&v[i])[id];
	return sum;
}
