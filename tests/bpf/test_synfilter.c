// SPDX-License-Identifier: Apache-2.0
/*
 * synfilter on this machine's own kernel, with real connections. The kernel may
 * have no SMC: a program of syncheck puts the option into the SYNs of plain TCP
 * sockets, and the listener keeps the SYN as it arrives (TCP_SAVE_SYN). One
 * namespace is both ends: at the client's the egress program is attached to lo,
 * at the server's the ingress program. A server's "yes" needs an SMC listener:
 * tests/vm.
 */
#include "flow_world.h"

#include <net/if.h>
#include <netinet/tcp.h>

#include "syncheck.skel.h"

#define SMC_EXPERIMENT 0xe2d4c3d9

static const unsigned char option[] = {254, 6, 0xe2, 0xd4, 0xc3, 0xd9};

static struct syncheck_bpf *writer;
static struct bpf_link *writer_link;

/* ---- the programs ---- */

static struct smcmesh_bpf *load_filter(void)
{
	struct smcmesh_bpf *s = smcmesh_bpf__open();
	struct bpf_program *prog;

	if (!s)
		return NULL;
	bpf_object__for_each_program(prog, s->obj) bpf_program__set_autoload(
		prog, !strncmp(bpf_program__section_name(prog), "tcx/", 4));
	bpf_map__set_autocreate(s->maps.smcmesh_ctrl, false);
	if (!smcmesh_bpf__load(s))
		return s;
	smcmesh_bpf__destroy(s);
	return NULL;
}

static int setup_filter(void **state)
{
	_close_ int fd = -1;

	if (make_cgroup() || make_netns())
		return -1;
	skel[0] = load_filter();
	writer = syncheck_bpf__open_and_load();
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!skel[0] || !writer || fd < 0)
		return -1;
	writer->bss->experiments[0] = SMC_EXPERIMENT;
	writer_link = bpf_program__attach_cgroup(writer->progs.syncheck, fd);
	return writer_link ? 0 : -1;
}

static int teardown_filter(void **state)
{
	bpf_link__destroy(writer_link);
	syncheck_bpf__destroy(writer);
	smcmesh_bpf__destroy(skel[0]);
	return join(home) || rmdir(cgroup);
}

static struct bpf_link *attach_lo(struct bpf_program *prog)
{
	struct bpf_link *link =
		bpf_program__attach_tcx(prog, if_nametoindex("lo"), NULL);

	if (!link)
		fail_msg("attach to lo: %s", strerror(errno));
	return link;
}

static void empty(const struct bpf_map *map)
{
	clear(map, bpf_map__key_size(map));
}

/* Nothing is known: no row of a pod, no endpoint, no handshake. */
static int nothing(void **state)
{
	empty(skel[0]->maps.smc_netns);
	empty(skel[0]->maps.smc_cgroup);
	empty(skel[0]->maps.smc_endpoint);
	empty(skel[0]->maps.smc_flow);
	empty(skel[0]->maps.smc_refused);
	empty(skel[0]->maps.smc_quarantine);
	clear_slot(0);
	clear_slot(POD);
	follow(false);
	return 0;
}

static unsigned long counted(__u32 counter)
{
	int n = libbpf_num_possible_cpus();
	_free_ struct smc_counters *all = calloc(n, sizeof(*all));
	__u32 slot = smc_slot(POD);
	unsigned long sum = 0;

	assert_non_null(all);
	must(bpf_map_lookup_elem(bpf_map__fd(skel[0]->maps.smc_counter), &slot,
				 all),
	     "smc_counter");
	for (int i = 0; i < n; i++)
		sum += ((__u64 *)&all[i])[counter];
	return sum;
}

/* ---- connections ---- */

static bool is_v4(const char *ip)
{
	return !strchr(ip, ':');
}

static int listener(const char *ip, int backlog)
{
	int fd = bound(ip, 0, is_v4(ip)), one = 1;

	must(setsockopt(fd, IPPROTO_TCP, TCP_SAVE_SYN, &one, sizeof(one)) ||
		     listen(fd, backlog),
	     "listen");
	return fd;
}

/* A non-blocking connect() from @from to @ip, where @to listens. */
static int call(const char *from, const char *ip, int to)
{
	int fd = bound(from, 0, is_v4(from));
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);

	must(fcntl(fd, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
	must(getsockname(to, (void *)&a, &len), "getsockname");
	if (dial(fd, ip, ntohs(a.sin6_port), is_v4(ip)))
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

struct syn {
	unsigned char bytes[256]; /* from the IP header on */
	socklen_t len;
};

static bool has_option(const struct syn *s)
{
	return memmem(s->bytes, s->len, option, sizeof(option));
}

/* Accept one connection, and return the SYN that made it. */
static struct syn accept_syn(int from)
{
	struct syn s = {.len = sizeof(s.bytes)};
	_close_ int fd = accept(from, NULL, NULL);

	must(fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, s.bytes,
				  &s.len),
	     "the accepted connection");
	assert_true(s.len >= 40);
	return s;
}

/* The SYN of one connection from @from to @to, as it arrived. */
static struct syn connect_once(const char *from, const char *to)
{
	_close_ int l = listener(to, 8);
	_close_ int c = call(from, to, l);

	return accept_syn(l);
}

static bool arrives(const char *from, const char *to)
{
	const struct syn s = connect_once(from, to);

	return has_option(&s);
}

/* ---- clients ---- */

static void test_clients(void **state)
{
	struct bpf_link *link = attach_lo(skel[0]->progs.syn_egress);
	unsigned long offers = counted(SMC_COUNTER_OFFERS);

	arm(0, NULL);
	endpoint(PEER);
	endpoint(PEER6);
	assert_true(arrives(HERE, PEER));
	assert_true(arrives("fd00::1", PEER6));
	assert_int_equal(counted(SMC_COUNTER_OFFERS), offers + 2);
	/* a stranger, and itself */
	assert_false(arrives(HERE, STRANGER));
	assert_false(arrives(PEER, PEER));
	assert_false(arrives(PEER6, "fd00::1"));
	/* a disarmed pod, and one of which nothing is known */
	arm(SMC_POD_DENY, NULL);
	assert_false(arrives(HERE, PEER));
	empty(skel[0]->maps.smc_netns);
	assert_false(arrives(HERE, PEER));
	assert_int_equal(counted(SMC_COUNTER_OFFERS), offers + 2);
	bpf_link__destroy(link);
	assert_true(arrives(HERE, STRANGER)); /* it was we who took it */
}

/* In a namespace that pods share, only sockets of an armed cgroup are judged.
 */
static void test_shared_clients(void **state)
{
	struct bpf_link *link = attach_lo(skel[0]->progs.syn_egress);
	const struct smc_pod pod = {.pod_id = POD,
				    .flags = SMC_POD_CGROUP,
				    .transports = SMC_TRANSPORT_SMCD};
	struct stat st;
	__u64 id;

	arm(SMC_POD_SHARED, NULL);
	assert_true(arrives(HERE, STRANGER));
	must(stat(cgroup, &st), cgroup);
	id = st.st_ino;
	put(skel[0]->maps.smc_cgroup, &id, &pod);
	endpoint(PEER);
	assert_false(arrives(HERE, STRANGER));
	assert_true(arrives(HERE, PEER));
	bpf_link__destroy(link);
}

static unsigned int repeats(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), "TCP_INFO");
	return info.tcpi_total_retrans;
}

/* A connection whose first SYN is dropped: a full queue of the listener does
 * that. @flip: what happens before it is repeated. Return: has the repeated one
 * the option? */
static bool repeated(void (*flip)(void))
{
	const struct timespec pause = {.tv_nsec = 10000000};
	_close_ int l = listener(PEER, 0);
	_close_ int first = call(HERE, PEER, l), late = -1;
	struct syn s;

	late = call(HERE, PEER, l);
	flip();
	for (int i = 0; i < 1000 && !repeats(late); i++)
		nanosleep(&pause, NULL);
	assert_true(repeats(late) > 0);
	accept_syn(l); /* room for it, when it is repeated again */
	s = accept_syn(l);
	return has_option(&s);
}

static void now_no(void)
{
	empty(skel[0]->maps.smc_endpoint);
}

static void now_yes(void)
{
	endpoint(PEER);
}

static void test_one_verdict(void **state)
{
	struct bpf_link *link = attach_lo(skel[0]->progs.syn_egress);
	unsigned long before = counted(SMC_COUNTER_VERDICTS_REPEATED);

	arm(0, NULL);
	endpoint(PEER);
	assert_true(repeated(now_no));
	assert_true(counted(SMC_COUNTER_VERDICTS_REPEATED) > before);
	assert_false(arrives(HERE, PEER)); /* the control: it is "no" by now */
	assert_false(repeated(now_yes));
	assert_true(arrives(HERE, PEER));
	bpf_link__destroy(link);
}

/* ---- echoes ---- */

/* The SYN-ACK that echoes the SYN @s, as the client's device gets it. */
static size_t echo_of(const struct syn *s, unsigned char *frame)
{
	unsigned char *ip = frame + 14, *tcp = ip + 20;
	__u32 seq;

	assert_int_equal(s->bytes[0], 0x45);
	memset(frame, 0, 12);
	memcpy(frame + 12, "\x08\x00", 2);
	memcpy(ip, s->bytes, s->len);
	memcpy(ip + 12, s->bytes + 16, 4);
	memcpy(ip + 16, s->bytes + 12, 4);
	memcpy(tcp, s->bytes + 22, 2);
	memcpy(tcp + 2, s->bytes + 20, 2);
	memcpy(&seq, tcp + 4, 4);
	seq = htonl(ntohl(seq) + 1);
	memcpy(tcp + 8, &seq, 4);
	tcp[12] = 7 << 4; /* SMC's option, and two NOPs */
	tcp[13] = 0x12;
	memcpy(tcp + 20, option, sizeof(option));
	memset(tcp + 20 + sizeof(option), 1, 2);
	return 14 + 20 + 28;
}

/* Does the option of that SYN-ACK pass? */
static bool echo_passes(const struct syn *s)
{
	unsigned char frame[512], after[512];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_out = after,
		    .data_size_out = sizeof(after));

	run.data_size_in = echo_of(s, frame);
	must(bpf_prog_test_run_opts(bpf_program__fd(skel[0]->progs.syn_ingress),
				    &run),
	     "syn_ingress");
	return memmem(after, run.data_size_out, option, sizeof(option));
}

static unsigned int struck(void)
{
	const struct bpf_map *map = skel[0]->maps.smc_quarantine;
	struct smc_quarantine_key key, *last = NULL;
	struct smc_quarantine row;
	unsigned int n = 0;

	for (; !bpf_map__get_next_key(map, last, &key, sizeof(key));
	     last = &key) {
		must(bpf_map__lookup_elem(map, &key, sizeof(key), &row,
					  sizeof(row), 0),
		     "smc_quarantine");
		n += key.pod_id == POD && row.state == SMC_QUARANTINE_STRUCK;
	}
	return n;
}

static void test_echoes(void **state)
{
	struct bpf_link *link = attach_lo(skel[0]->progs.syn_egress);
	struct syn s;

	arm(0, NULL);
	s = connect_once(HERE, STRANGER);
	assert_false(has_option(&s));
	assert_false(echo_passes(&s));
	assert_int_equal(struck(), 1);
	/* a memory that is lost breaks nobody who keeps to the rules */
	empty(skel[0]->maps.smc_refused);
	assert_true(echo_passes(&s));
	/* an answer to an offer */
	endpoint(PEER);
	s = connect_once(HERE, PEER);
	assert_true(has_option(&s));
	assert_true(echo_passes(&s));
	assert_int_equal(struck(), 1);
	bpf_link__destroy(link);
}

/* ---- servers ---- */

/* No listener here is SMC's: in a pod's own namespace none gets an option. */
static void test_servers(void **state)
{
	struct bpf_link *link = attach_lo(skel[0]->progs.syn_ingress);

	assert_false(arrives(HERE, PEER));
	arm(0, NULL);
	assert_false(arrives(HERE, PEER));
	endpoint(HERE);
	assert_false(arrives(HERE, PEER));
	assert_false(arrives("fd00::1", PEER6));
	bpf_link__destroy(link);
}

static void test_shared_servers(void **state)
{
	struct bpf_link *link = attach_lo(skel[0]->progs.syn_ingress);
	const struct smc_pod pod = {.pod_id = POD, .flags = SMC_POD_CGROUP};
	struct stat st;
	__u64 id;

	arm(SMC_POD_SHARED, NULL);
	assert_true(arrives(HERE, PEER));
	assert_true(arrives("fd00::1", PEER6));
	must(stat(cgroup, &st), cgroup);
	id = st.st_ino;
	put(skel[0]->maps.smc_cgroup, &id, &pod);
	assert_false(arrives(HERE, PEER));
	bpf_link__destroy(link);
}

#define TEST(fn) cmocka_unit_test_setup(fn, nothing)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clients),	TEST(test_shared_clients),
		TEST(test_one_verdict), TEST(test_echoes),
		TEST(test_servers),	TEST(test_shared_servers),
	};

	return cmocka_run_group_tests_name("synfilter", tests, setup_filter,
					   teardown_filter);
}
