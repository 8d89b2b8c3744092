// SPDX-License-Identifier: Apache-2.0
/*
 * The flow programs on this machine's own kernel, where every socket is plain
 * TCP: a pod (a network namespace and a cgroup of this process) is armed, and
 * makes connections to itself under several addresses.
 *
 * The programs are attached twice, as while an upgrade is under way: nothing
 * may be counted twice for it.
 */

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

static void must(int err, const char *what)
{
	if (err)
		fail_msg("%s: %s", what, strerror(errno));
}

static int join(const char *dir)
{
	char path[300], pid[16];
	_close_ int fd = -1;
	int n;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	n = snprintf(pid, sizeof(pid), "%d", getpid());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, pid, n) == n ? 0 : -1;
}

/* A child of the cgroup v2 root: @home is where the process goes back to. */
static int make_cgroup(void)
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

static int make_netns(void)
{
	return unshare(CLONE_NEWNET) ||
	       system("ip link set lo up && "
		      "ip addr add " HERE "/24 dev lo && "
		      "ip addr add " PEER "/24 dev lo && "
		      "ip addr add " STRANGER "/24 dev lo && "
		      "ip -6 addr add fd00::1/64 dev lo nodad && "
		      "ip -6 addr add " PEER6 "/64 dev lo nodad");
}

static __u64 netns_cookie(void)
{
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	must(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len),
	     "SO_NETNS_COOKIE");
	return cookie;
}

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	must(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY),
	     bpf_map__name(map));
}

static void arm(__u32 flags, __u32 uid)
{
	struct smc_pod pod = {.pod_id = POD,
			      .flags = flags,
			      .transports = SMC_TRANSPORT_SMCD,
			      .uid = uid};
	__u64 cookie = netns_cookie();

	put(skel[0]->maps.smc_netns, &cookie, &pod);
}

static void endpoint(const char *ip)
{
	struct smc_endpoint e = {.transports = SMC_TRANSPORT_SMCD,
				 .node_id = 1};
	struct smc_addr a = addr(ip);

	put(skel[0]->maps.smc_endpoint, &a, &e);
}

/* ---- the programs ---- */

static bool ours(const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog);

	return !strcmp(name, "flow_connect4") ||
	       !strcmp(name, "flow_connect6") || !strcmp(name, "flow_sockops");
}

/* Only what a kernel without SMC can load; the second generation shares the
 * maps of the first. */
static struct smcmesh_bpf *load(struct smcmesh_bpf *before)
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

static int attach(struct smcmesh_bpf *s)
{
	_close_ int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	s->links.flow_connect4 =
		bpf_program__attach_cgroup(s->progs.flow_connect4, fd);
	s->links.flow_connect6 =
		bpf_program__attach_cgroup(s->progs.flow_connect6, fd);
	s->links.flow_sockops =
		bpf_program__attach_cgroup(s->progs.flow_sockops, fd);
	return s->links.flow_connect4 && s->links.flow_connect6 &&
			       s->links.flow_sockops
		       ? 0
		       : -1;
}

static unsigned int told[8]; /* events, by their type */

static int on_event(void *arg, void *data, size_t size)
{
	const struct smc_event *e = data;

	assert_true(size >= sizeof(*e) && e->type < 8);
	told[e->type]++;
	return 0;
}

static int setup(void **state)
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

static int teardown(void **state)
{
	ring_buffer__free(ring);
	smcmesh_bpf__destroy(skel[1]);
	smcmesh_bpf__destroy(skel[0]);
	return join(home) || rmdir(cgroup) ? -1 : 0;
}

static void clear(const struct bpf_map *map, size_t key_size)
{
	unsigned char key[64];

	assert_true(key_size <= sizeof(key));
	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		must(bpf_map_delete_elem(bpf_map__fd(map), key), "delete");
}

/* Every test begins with an armed pod, one peer, and nothing recorded. */
static int fresh(void **state)
{
	struct smc_config c = {.abi_version = SMC_ABI_VERSION, .enabled = 1};
	__u32 zero = 0;

	clear(skel[0]->maps.smc_flow, sizeof(__u64));
	clear(skel[0]->maps.smc_counter, sizeof(struct smc_counter_key));
	clear(skel[0]->maps.smc_endpoint, sizeof(struct smc_addr));
	clear(skel[0]->maps.smc_netns, sizeof(__u64));
	clear(skel[0]->maps.smc_cgroup, sizeof(__u64));
	ring_buffer__consume(ring);
	memset(told, 0, sizeof(told));
	put(skel[0]->maps.smc_config, &zero, &c);
	arm(0, SMC_UID_ANY);
	endpoint(HERE);
	endpoint(PEER);
	endpoint(PEER6);
	endpoint("fd00::1");
	return 0;
}

/* ---- connections ---- */

static struct sockaddr_in6 sa(const char *ip, int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons(port)};
	struct smc_addr x = addr(ip);

	memcpy(&a.sin6_addr, x.ip, sizeof(x.ip));
	return a;
}

/* IPv4 as a `::` socket speaks it (mapped), or as an AF_INET one. */
static int bound(const char *ip, int port, bool v4)
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

static int dial(int fd, const char *ip, int port, bool v4)
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

static struct pair open_pair(const char *from, const char *to, bool v4)
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

static void send_all(int from, int to, size_t n)
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
static void close_pair(struct pair *p)
{
	char c;

	close(p->client);
	assert_int_equal(read(p->server, &c, 1), 0);
	close(p->server);
	close(p->listener);
}

/* ---- what was recorded ---- */

static bool find(__u8 role, __u16 remote_port_or_0, struct smc_flow *out,
		 unsigned int *count)
{
	int fd = bpf_map__fd(skel[0]->maps.smc_flow);
	__u64 key, *prev = NULL;
	struct smc_flow f;

	*count = 0;
	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		must(bpf_map_lookup_elem(fd, &key, &f), "smc_flow");
		if (f.role == role &&
		    (!remote_port_or_0 || f.remote_port == remote_port_or_0)) {
			*out = f;
			(*count)++;
		}
	}
	return *count;
}

static struct smc_flow flow(__u8 role)
{
	struct smc_flow f = {0};
	unsigned int n;

	find(role, 0, &f, &n);
	assert_int_equal(n, 1);
	assert_int_equal(f.pod_id, POD);
	assert_true(f.netns_cookie == netns_cookie());
	return f;
}

static __u64 counter(__u32 id)
{
	struct smc_counter_key key = {.pod_id = POD, .counter = id};
	int n = libbpf_num_possible_cpus();
	_free_ __u64 *v = calloc(n, sizeof(*v));
	__u64 sum = 0;

	assert_non_null(v);
	if (bpf_map_lookup_elem(bpf_map__fd(skel[0]->maps.smc_counter), &key,
				v))
		return 0;
	for (int i = 0; i < n; i++)
		sum += v[i];
	return sum;
}

/* Both ends of one connection are recorded as TCP for @client and @server. */
static void expect(enum smc_reason client, enum smc_reason server)
{
	struct smc_flow c = flow(SMC_ROLE_CLIENT), s = flow(SMC_ROLE_SERVER);

	assert_int_equal(c.outcome, SMC_OUTCOME_TCP);
	assert_int_equal(s.outcome, SMC_OUTCOME_TCP);
	assert_int_equal(c.verdict, SMC_VERDICT_BYPASS);
	assert_int_equal(s.verdict, SMC_VERDICT_BYPASS);
	assert_int_equal(c.reason, client);
	assert_int_equal(s.reason, server);
	assert_memory_equal(c.local_ip, s.remote_ip, 16);
	assert_memory_equal(c.remote_ip, s.local_ip, 16);
	assert_int_equal(c.local_port, s.remote_port);
	assert_int_equal(c.remote_port, s.local_port);
	assert_true(c.opened_ns && c.decided_ns >= c.opened_ns);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 1);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_SERVER_TCP), 1);
	assert_int_equal(counter(SMC_COUNTER_REASON + client),
			 client == server ? 2 : 1);
	assert_int_equal(counter(SMC_COUNTER_REASON + server),
			 client == server ? 2 : 1);
}

/* ---- tests ---- */

static void one(const char *from, const char *to, bool v4,
		enum smc_reason client, enum smc_reason server)
{
	struct pair p = open_pair(from, to, v4);

	expect(client, server);
	close_pair(&p);
}

static void test_not_converted(void **state)
{
	struct pair p = open_pair(HERE, PEER, true);
	struct smc_flow c;

	expect(SMC_REASON_NOT_CONVERTED, SMC_REASON_NOT_CONVERTED);
	c = flow(SMC_ROLE_CLIENT);
	assert_memory_equal(c.local_ip, addr(HERE).ip, 16);
	assert_memory_equal(c.remote_ip, addr(PEER).ip, 16);
	assert_int_equal(c.transports, SMC_TRANSPORT_SMCD);
	close_pair(&p);
}

static void test_mapped(void **state)
{
	one(HERE, PEER, false, SMC_REASON_NOT_CONVERTED,
	    SMC_REASON_NOT_CONVERTED);
}

static void test_ipv6(void **state)
{
	one("fd00::1", PEER6, false, SMC_REASON_NOT_CONVERTED,
	    SMC_REASON_NOT_CONVERTED);
}

static void test_stranger(void **state)
{
	one(HERE, STRANGER, true, SMC_REASON_NOT_ENDPOINT,
	    SMC_REASON_NOT_CONVERTED);
}

static void test_loopback(void **state)
{
	one(HERE, HERE, true, SMC_REASON_LOOPBACK, SMC_REASON_LOOPBACK);
}

/* This process's UID is not the one that a sidecar's proxy has. */
static void test_other_uid(void **state)
{
	arm(SMC_POD_SIDECAR, 1337);
	one(HERE, PEER, true, SMC_REASON_OTHER_UID, SMC_REASON_OTHER_UID);
}

static void test_disarmed(void **state)
{
	arm(SMC_POD_DENY, SMC_UID_ANY);
	one(HERE, PEER, true, SMC_REASON_NOT_ARMED, SMC_REASON_NOT_ARMED);
}

static void test_shared_namespace(void **state)
{
	struct smc_pod pod = {.pod_id = POD,
			      .transports = SMC_TRANSPORT_SMCD,
			      .uid = SMC_UID_ANY};
	struct pair p;
	struct stat st;
	__u64 id;

	arm(SMC_POD_SHARED, SMC_UID_ANY);
	p = open_pair(HERE, PEER, true);
	close_pair(&p);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 0);
	/* the cgroup of this process: a file's inode number is its id */
	must(stat(cgroup, &st), cgroup);
	id = st.st_ino;
	put(skel[0]->maps.smc_cgroup, &id, &pod);
	one(HERE, PEER, true, SMC_REASON_NOT_CONVERTED,
	    SMC_REASON_NOT_CONVERTED);
}

/* A pod is also found by a cgroup above the socket's. */
static void test_cgroup_below(void **state)
{
	char below[300];

	snprintf(below, sizeof(below), "%s/container", cgroup);
	must(mkdir(below, 0755) || join(below), below);
	test_shared_namespace(state);
	must(join(cgroup) || rmdir(below), below);
}

static void test_nobody_else(void **state)
{
	struct pair p;

	clear(skel[0]->maps.smc_netns, sizeof(__u64));
	p = open_pair(HERE, PEER, true);
	send_all(p.client, p.server, 10);
	close_pair(&p);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED], 0);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 0);
}

/* A connect() that finds nobody is no connection. */
static void test_refused(void **state)
{
	_close_ int fd = bound(HERE, 0, true);
	struct smc_flow f;
	unsigned int n;

	assert_int_equal(dial(fd, PEER, 9, true), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_false(find(SMC_ROLE_CLIENT, 0, &f, &n));
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 0);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED] + told[SMC_EVENT_CLOSED], 0);
}

/* Payload, without what SYN and FIN add to TCP's own counts. */
static void test_bytes_and_events(void **state)
{
	struct pair p = open_pair(HERE, PEER, true);
	struct smc_flow c, s;

	send_all(p.client, p.server, 100000);
	send_all(p.server, p.client, 7);
	close_pair(&p);
	c = flow(SMC_ROLE_CLIENT);
	s = flow(SMC_ROLE_SERVER);
	assert_int_equal(c.closed, 1);
	assert_int_equal(s.closed, 1);
	assert_true(c.closed_ns >= c.decided_ns);
	assert_int_equal(c.tx_bytes, 100000);
	assert_int_equal(s.rx_bytes, 100000);
	assert_int_equal(c.rx_bytes, 7);
	assert_int_equal(s.tx_bytes, 7);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED], 2);
	assert_int_equal(told[SMC_EVENT_CLOSED], 2);
	assert_int_equal(told[SMC_EVENT_UPGRADED], 0);
}

static void test_many(void **state)
{
	enum { N = 500 };

	for (int i = 0; i < N; i++) {
		struct pair p = open_pair(HERE, PEER, i % 2);

		close_pair(&p);
	}
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), N);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_SERVER_TCP), N);
	assert_int_equal(counter(SMC_COUNTER_REASON + SMC_REASON_NOT_CONVERTED),
			 2 * N);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_LOST), 0);
}

/* Nobody reads: the events that have no room are counted, and nothing else
 * happens. 1 MiB holds fewer than 8000. */
static void test_full_ring(void **state)
{
	struct pair p;

	for (int i = 0; i < 2100; i++) {
		p = open_pair(HERE, PEER, true);
		close_pair(&p);
	}
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 2100);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED] + told[SMC_EVENT_CLOSED] +
				 counter(SMC_COUNTER_EVENTS_LOST),
			 4 * 2100);
	assert_true(counter(SMC_COUNTER_EVENTS_LOST) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
	const struct CMUnitTest tests[] = {
		TEST(test_not_converted), TEST(test_mapped),
		TEST(test_ipv6),	  TEST(test_stranger),
		TEST(test_loopback),	  TEST(test_other_uid),
		TEST(test_disarmed),	  TEST(test_shared_namespace),
		TEST(test_cgroup_below),  TEST(test_nobody_else),
		TEST(test_refused),	  TEST(test_bytes_and_events),
		TEST(test_many),	  TEST(test_full_ring),
	};

	return cmocka_run_group_tests_name("flows", tests, setup, teardown);
}
