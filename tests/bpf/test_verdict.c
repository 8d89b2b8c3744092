// SPDX-License-Identifier: Apache-2.0
/*
 * The verdict function, on this machine's own kernel: a table of connections
 * against maps that are filled once.
 */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>
#include <unistd.h>

#include "bpf/verdict.skel.h"
#include "verdict_case.h"
#include <smcmesh/reasons.h>

#define R SMC_TRANSPORT_SMCR
#define D SMC_TRANSPORT_SMCD
#define HOUR 3600000000000ULL

#define STRUCK SMC_QUARANTINE_STRUCK

#define POD 7

static struct verdict_bpf *skel;

static const char *const reasons[] = {
#define REASON_LABEL(id, label, sentence, remedy) [SMC_REASON_##id] = (label),
	SMC_REASONS(REASON_LABEL)
#undef REASON_LABEL
};

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static struct smc_addr_port at(const char *ip, __u16 port)
{
	struct smc_addr a = addr(ip);
	struct smc_addr_port ap = {.port = port};

	memcpy(ap.ip, a.ip, sizeof(ap.ip));
	return ap;
}

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	assert_return_code(
		bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY),
		errno);
}

static __u64 offers_until = SMC_NO_END;

static void config_limits(__u32 enabled, __u32 uses,
			  const struct smc_limits *limits)
{
	struct smc_config c = {.abi_version = SMC_ABI_VERSION,
			       .enabled = enabled,
			       .uses = uses | SMC_USE_PENDING,
			       .limits = *limits,
			       .offers_until_ns = offers_until};
	__u32 zero = 0;

	put(skel->maps.smc_config, &zero, &c);
}

/* What the rows below hold is nothing. */
static const struct smc_limits wide = {.connections_pod = 1,
				       .buffers_node = 1,
				       .bytes_pod = 1,
				       .bytes_node = 1};

static void config_uses(__u32 enabled, __u32 uses)
{
	config_limits(enabled, uses, &wide);
}

static void config(__u32 enabled)
{
	config_uses(enabled, SMC_USE_PORTS | SMC_USE_CIDRS);
}

/* What BPF itself writes when it makes a row of smc_quarantine. */
static void quarantined_until(__u64 until)
{
	struct smc_usage node = {.quarantined_until = until};
	__u32 zero = 0;

	put(skel->maps.smc_usage, &zero, &node);
}

static void endpoint(const char *ip, __u32 transports, __u32 flags)
{
	struct smc_endpoint e = {
		.transports = transports, .node_id = 1, .flags = flags};
	struct smc_addr a = addr(ip);

	put(skel->maps.smc_endpoint, &a, &e);
}

static void service(const char *ip, __u16 port, __u32 transports)
{
	struct smc_service s = {.transports = transports};
	struct smc_addr_port k = at(ip, port);

	put(skel->maps.smc_service, &k, &s);
}

/* A block: @first to @first + 2^@low - 1. */
static void exclude_ports(__u32 pod, __u32 role, __u16 first, __u32 low)
{
	struct smc_port_key k = {.prefixlen = SMC_PORT_PREFIX + 16 - low,
				 .pod_id = pod,
				 .role = role,
				 .port = {first >> 8, first & 0xff}};
	struct smc_port v = {first, first + (1 << low) - 1};

	put(skel->maps.smc_port, &k, &v);
}

static void exclude_cidr(const char *ip, __u32 prefixlen)
{
	struct smc_cidr_key k = {.prefixlen = prefixlen};
	struct smc_cidr v = {.exclude = 1};
	struct smc_addr a = addr(ip);

	memcpy(k.ip, a.ip, sizeof(k.ip));
	put(skel->maps.smc_cidr, &k, &v);
}

static void quarantine(__u32 pod, const char *ip, __u16 port, __u32 state,
		       __u64 until)
{
	struct smc_quarantine q = {
		.until_ns = until, .state = state, .strikes = 1};
	struct smc_quarantine_key k = {.pod_id = pod, .port = port};
	struct smc_addr a = addr(ip);

	memcpy(k.ip, a.ip, sizeof(k.ip));
	put(skel->maps.smc_quarantine, &k, &q);
}

/* The world that the table below is about. */
static int setup(void **state)
{
	__u64 now = now_ns();

	skel = verdict_bpf__open_and_load();
	if (!skel)
		return -1;
	config(1);
	endpoint("10.1.0.2", R | D, 0);
	endpoint("10.1.0.3", R, 0);
	endpoint("10.1.0.4", R | D, SMC_ENDPOINT_ANSWER_ONLY); /* a node */
	endpoint("10.1.0.9", R | D, 0);	 /* in an excluded CIDR */
	endpoint("10.1.0.17", R | D, 0); /* beside it */
	endpoint("fd00::2", D, 0);
	endpoint("fd00:9::2", D, 0);	 /* in an excluded CIDR */
	endpoint("127.0.0.1", R | D, 0); /* which the agent never does */
	endpoint("::1", R | D, 0);
	endpoint("10.1.0.1", R | D, 0); /* the pod itself */
	service("10.96.0.1", 80, R);
	service("10.96.0.3", 80, 0);
	service("10.1.0.4", 8080, R | D);
	service("10.1.0.4", 8081, 0);
	/* an endpoint's own address, which a Service has as an external one */
	service("10.1.0.2", 8082, 0);
	service("fd00::2", 8082, 0);
	service("fd00:96::1", 80, D);
	exclude_cidr("10.1.0.8", 96 + 29);
	exclude_cidr("fd00:9::", 32);
	quarantine(POD, "10.1.0.2", 81, STRUCK, now + HOUR);
	quarantine(POD, "10.1.0.2", 82, STRUCK, now - 1);
	quarantine(POD, "10.96.0.1", 80, STRUCK, now - 1);
	/* as a client's port */
	quarantine(POD, "10.1.0.3", 50000, STRUCK, now + HOUR);
	quarantine(POD + 1, "10.1.0.2", 83, STRUCK, now + HOUR);
	quarantine(0, "10.1.0.2", 84, STRUCK, now + HOUR);
	quarantine(0, "10.1.0.2", 85, SMC_QUARANTINE_MARK, now + HOUR);
	quarantine(POD, "10.1.0.2", 86, SMC_QUARANTINE_MARK, now + HOUR);
	quarantine(POD, "10.1.0.2", 87, SMC_QUARANTINE_SUSPICION, now + HOUR);
	quarantined_until(now + HOUR);
	exclude_ports(0, SMC_ROLE_CLIENT, 3306, 0);
	exclude_ports(0, SMC_ROLE_SERVER, 3306, 0);
	exclude_ports(POD, SMC_ROLE_SERVER, 9090, 0);
	exclude_ports(POD, SMC_ROLE_CLIENT, 9091, 0);
	exclude_ports(POD + 1, SMC_ROLE_CLIENT, 9092, 0);
	exclude_ports(POD, SMC_ROLE_CLIENT, 8192, 8);
	exclude_ports(POD, SMC_ROLE_CLIENT, 8200, 1); /* inside of it */
	exclude_ports(0, SMC_ROLE_CLIENT, 49152, 14);
	return 0;
}

static int teardown(void **state)
{
	verdict_bpf__destroy(skel);
	return 0;
}

#define C SMC_ROLE_CLIENT
#define S SMC_ROLE_SERVER
#define NO_POD 0x80000000U /* instead of flags */
#define V4 "10.1.0.1"
#define V6 "fd00::1"
#define N4 "10.1.0.4" /* the node's */
#define G SMC_POD_CGROUP

static const struct row {
	const char *what;
	__u32 role;
	const char *local;
	__u16 local_port;
	const char *remote;
	__u16 remote_port;
	__u32 flags, transports; /* of the pod */
	__u32 reason, common;
} rows[] = {
	{"client to an endpoint", C, V4, 50000, "10.1.0.2", 80, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"server, offer by an endpoint", S, V4, 80, "10.1.0.2", 50000, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"IPv4 written as mapped", C, "::ffff:10.1.0.1", 50000,
	 "::ffff:10.1.0.2", 80, 0, R | D, SMC_REASON_NONE, R | D},
	{"IPv6", C, V6, 50000, "fd00::2", 80, 0, R | D, SMC_REASON_NONE, D},
	{"IPv6, server", S, V6, 80, "fd00::2", 50000, 0, R | D, SMC_REASON_NONE,
	 D},
	{"one transport in common", C, V4, 50000, "10.1.0.3", 80, 0, R | D,
	 SMC_REASON_NONE, R},
	{"no transport in common", C, V4, 50000, "10.1.0.3", 80, 0, D,
	 SMC_REASON_NO_COMMON_TRANSPORT, 0},
	{"no transport in common, server", S, V4, 80, "10.1.0.3", 50000, 0, D,
	 SMC_REASON_NO_COMMON_TRANSPORT, 0},
	{"a sidecar pod is a pod", C, V4, 50000, "10.1.0.2", 80,
	 SMC_POD_SIDECAR, D, SMC_REASON_NONE, D},

	{"client to a stranger", C, V4, 50000, "10.1.0.5", 80, 0, R | D,
	 SMC_REASON_NOT_ENDPOINT, 0},
	{"offer by a stranger", S, V4, 80, "10.1.0.5", 50000, 0, R | D,
	 SMC_REASON_NOT_ENDPOINT, 0},
	{"IPv6 stranger", C, V6, 50000, "fd00::5", 80, 0, R | D,
	 SMC_REASON_NOT_ENDPOINT, 0},
	{"not mapped: another address", C, V6, 50000, "::10.1.0.2", 80, 0,
	 R | D, SMC_REASON_NOT_ENDPOINT, 0},

	{"no pod", C, V4, 50000, "10.1.0.2", 80, NO_POD, 0,
	 SMC_REASON_NOT_ARMED, 0},
	{"disarmed pod", C, V4, 50000, "10.1.0.2", 80, SMC_POD_DENY, R | D,
	 SMC_REASON_NOT_ARMED, 0},
	{"disarmed pod, server", S, V4, 80, "10.1.0.2", 50000, SMC_POD_DENY,
	 R | D, SMC_REASON_NOT_ARMED, 0},
	{"refused pod", S, V4, 80, "10.1.0.2", 50000, SMC_POD_REFUSED, R | D,
	 SMC_REASON_NOT_ARMED, 0},
	{"the row of a shared namespace", C, V4, 50000, "10.1.0.2", 80,
	 SMC_POD_SHARED, R | D, SMC_REASON_NOT_ARMED, 0},

	{"excluded for all, out", C, V4, 50000, "10.1.0.2", 3306, 0, R | D,
	 SMC_REASON_EXCLUDED_PORT, 0},
	{"excluded for all, in", S, V4, 3306, "10.1.0.2", 50000, 0, R | D,
	 SMC_REASON_EXCLUDED_PORT, 0},
	{"the server's port is not the client's", S, V4, 80, "10.1.0.2", 3306,
	 0, R | D, SMC_REASON_NONE, R | D},
	{"the client's port is not the server's", C, V4, 3306, "10.1.0.2", 80,
	 0, R | D, SMC_REASON_NONE, R | D},
	{"the pod's, in", S, V4, 9090, "10.1.0.2", 50000, 0, R | D,
	 SMC_REASON_EXCLUDED_PORT, 0},
	{"the pod's inbound one, out", C, V4, 50000, "10.1.0.2", 9090, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"the pod's, out", C, V4, 50000, "10.1.0.2", 9091, 0, R | D,
	 SMC_REASON_EXCLUDED_PORT, 0},
	{"the pod's outbound one, in", S, V4, 9091, "10.1.0.2", 50000, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"another pod's", C, V4, 50000, "10.1.0.2", 9092, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"a block's first", C, V4, 50000, "10.1.0.2", 8192, 0, R | D,
	 SMC_REASON_EXCLUDED_PORT, 0},
	{"a block's last", C, V4, 50000, "10.1.0.2", 8447, 0, R | D,
	 SMC_REASON_EXCLUDED_PORT, 0},
	{"before a block", C, V4, 50000, "10.1.0.2", 8191, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"after a block", C, V4, 50000, "10.1.0.2", 8448, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"a block in a block", C, V4, 50000, "10.1.0.2", 8201, 0, R | D,
	 SMC_REASON_EXCLUDED_PORT, 0},
	{"a block of the other direction", S, V4, 8192, "10.1.0.2", 50000, 0,
	 R | D, SMC_REASON_NONE, R | D},
	{"the last port of all, in a block for all", C, V4, 50000, "10.1.0.2",
	 65535, 0, R | D, SMC_REASON_EXCLUDED_PORT, 0},
	{"before the block for all", C, V4, 50000, "10.1.0.2", 49151, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"exclusion wins over a stranger", C, V4, 50000, "10.1.0.5", 3306, 0,
	 R | D, SMC_REASON_EXCLUDED_PORT, 0},

	{"excluded CIDR, out", C, V4, 50000, "10.1.0.9", 80, 0, R | D,
	 SMC_REASON_EXCLUDED_CIDR, 0},
	{"excluded CIDR, in", S, V4, 80, "10.1.0.9", 50000, 0, R | D,
	 SMC_REASON_EXCLUDED_CIDR, 0},
	{"excluded CIDR, a stranger", C, V4, 50000, "10.1.0.15", 80, 0, R | D,
	 SMC_REASON_EXCLUDED_CIDR, 0},
	{"beside the CIDR", C, V4, 50000, "10.1.0.17", 80, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"excluded CIDR, IPv6", C, V6, 50000, "fd00:9::2", 80, 0, R | D,
	 SMC_REASON_EXCLUDED_CIDR, 0},
	{"an IPv4 CIDR is not IPv6's", C, V6, 50000, "fd00::2", 80, 0, D,
	 SMC_REASON_NONE, D},

	{"127.0.0.1", C, "127.0.0.1", 50000, "127.0.0.1", 80, 0, R | D,
	 SMC_REASON_LOOPBACK, 0},
	{"127.0.0.6 to the own address", C, "127.0.0.6", 50000, V4, 80, 0,
	 R | D, SMC_REASON_LOOPBACK, 0},
	{"the own address", S, V4, 80, V4, 50000, 0, R | D, SMC_REASON_LOOPBACK,
	 0},
	{"redirected to 127.0.0.1", S, "127.0.0.1", 15001, V4, 50000, 0, R | D,
	 SMC_REASON_LOOPBACK, 0},
	{"::1", C, "::1", 50000, "::1", 80, 0, R | D, SMC_REASON_LOOPBACK, 0},
	{"to ::1", C, V6, 50000, "::1", 80, 0, R | D, SMC_REASON_LOOPBACK, 0},

	/* Told by its cgroup: the machine's address is not only its own. */
	{"own address, a listed port", C, N4, 50000, N4, 8080, G, R | D,
	 SMC_REASON_NONE, R | D},
	{"own address, a port without transport", C, N4, 50000, N4, 8081, G,
	 R | D, SMC_REASON_NOT_ENDPOINT, 0},
	{"own address, another port", C, N4, 50000, N4, 22, G, R | D,
	 SMC_REASON_NOT_ENDPOINT, 0},
	{"own address, no endpoint", C, "10.1.0.5", 50000, "10.1.0.5", 8080, G,
	 R | D, SMC_REASON_NOT_ENDPOINT, 0},
	{"own address, offered", S, N4, 80, N4, 50000, G, R | D,
	 SMC_REASON_NONE, R | D},
	{"own address, offered, no endpoint", S, "10.1.0.5", 80, "10.1.0.5",
	 50000, G, R | D, SMC_REASON_NOT_ENDPOINT, 0},
	{"own address, denied", C, N4, 50000, N4, 8080, G | SMC_POD_DENY, R | D,
	 SMC_REASON_NOT_ARMED, 0},
	{"own address, a pod's", C, N4, 50000, N4, 8080, 0, R | D,
	 SMC_REASON_LOOPBACK, 0},
	{"127.0.0.1 of a cgroup", C, "127.0.0.1", 50000, "127.0.0.1", 80, G,
	 R | D, SMC_REASON_LOOPBACK, 0},
	{"own address to 127.0.0.1 of a cgroup", C, N4, 50000, "127.0.0.1", 80,
	 G, R | D, SMC_REASON_LOOPBACK, 0},
	{"redirected to 127.0.0.1 of a cgroup", S, "127.0.0.1", 15001, N4,
	 50000, G, R | D, SMC_REASON_LOOPBACK, 0},
	{"::1 of a cgroup", C, "::1", 50000, "::1", 80, G, R | D,
	 SMC_REASON_LOOPBACK, 0},

	{"in quarantine", C, V4, 50000, "10.1.0.2", 81, 0, R | D,
	 SMC_REASON_QUARANTINED, 0},
	{"no longer in quarantine", C, V4, 50000, "10.1.0.2", 82, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"in quarantine of another pod", C, V4, 50000, "10.1.0.2", 83, 0, R | D,
	 SMC_REASON_NONE, R | D},
	{"in quarantine of the node", C, V4, 50000, "10.1.0.2", 84, 0, R | D,
	 SMC_REASON_QUARANTINED, 0},
	{"in quarantine of one pod, maybe of all", C, V4, 50000, "10.1.0.2", 85,
	 0, R | D, SMC_REASON_NONE, R | D},
	{"marked", C, V4, 50000, "10.1.0.2", 86, 0, R | D, SMC_REASON_NONE,
	 R | D},
	{"suspected", C, V4, 50000, "10.1.0.2", 87, 0, R | D,
	 SMC_REASON_QUARANTINED, 0},
	{"quarantine is not for clients", S, V4, 80, "10.1.0.3", 50000, 0, R,
	 SMC_REASON_NONE, R},

	{"service", C, V4, 50000, "10.96.0.1", 80, 0, R | D, SMC_REASON_NONE,
	 R},
	{"IPv6 service", C, V6, 50000, "fd00:96::1", 80, 0, D, SMC_REASON_NONE,
	 D},
	{"service, transport", C, V4, 50000, "10.96.0.1", 80, 0, D,
	 SMC_REASON_NO_COMMON_TRANSPORT, 0},
	{"service, another port", C, V4, 50000, "10.96.0.1", 81, 0, R | D,
	 SMC_REASON_NOT_ENDPOINT, 0},
	{"service, nothing shared", C, V4, 50000, "10.96.0.3", 80, 0, R | D,
	 SMC_REASON_MIXED_SERVICE, 0},
	{"endpoint's address, a service's port", C, V4, 50000, "10.1.0.2", 8082,
	 0, R | D, SMC_REASON_MIXED_SERVICE, 0},
	{"endpoint's address, a service's port, IPv6", C, V6, 50000, "fd00::2",
	 8082, 0, R | D, SMC_REASON_MIXED_SERVICE, 0},
	{"endpoint's address, beside a service's port", C, V4, 50000,
	 "10.1.0.2", 8083, 0, R | D, SMC_REASON_NONE, R | D},
	{"offer from a service's port of an endpoint", S, V4, 80, "10.1.0.2",
	 8082, 0, R | D, SMC_REASON_NONE, R | D},
	{"a service offers nothing", S, V4, 80, "10.96.0.1", 80, 0, R | D,
	 SMC_REASON_NOT_ENDPOINT, 0},

	{"node's address, listed port", C, V4, 50000, "10.1.0.4", 8080, 0,
	 R | D, SMC_REASON_NONE, R | D},
	{"node's address, port without transport", C, V4, 50000, "10.1.0.4",
	 8081, 0, R | D, SMC_REASON_NOT_ENDPOINT, 0},
	{"node's address, another port", C, V4, 50000, "10.1.0.4", 22, 0, R | D,
	 SMC_REASON_NOT_ENDPOINT, 0},
	{"offer by a node's address", S, V4, 80, "10.1.0.4", 50000, 0, R | D,
	 SMC_REASON_NONE, R | D},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct verdict_case judge(const struct row *r)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct verdict_case v = {
		.pod = {.pod_id = POD,
			.flags = r->flags & ~NO_POD,
			.transports = r->transports},
		.has_pod = !(r->flags & NO_POD),
		.role = r->role,
	};
	char frame[64] = "";
	__u32 zero = 0;

	v.local = at(r->local, r->local_port);
	v.remote = at(r->remote, r->remote_port);
	put(skel->maps.verdict_case, &zero, &v);
	opts.data_in = frame;
	opts.data_size_in = sizeof(frame);
	assert_return_code(bpf_prog_test_run_opts(
				   bpf_program__fd(skel->progs.verdict), &opts),
			   errno);
	assert_int_equal(opts.retval, 0);
	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(skel->maps.verdict_case), &zero,
				    &v),
		errno);
	return v;
}

static void test_every_row_has_its_verdict(void **state)
{
	bool asked[SMC_REASON_MAX] = {false};

	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];
		struct verdict_case v = judge(r);

		if (v.reason != r->reason || v.transports != r->common)
			fail_msg("%s: %s, transports %u; expected %s, %u",
				 r->what, reasons[v.reason], v.transports,
				 reasons[r->reason], r->common);
		assert_int_equal(v.verdict, r->reason ? SMC_VERDICT_BYPASS
						      : SMC_VERDICT_ACCELERATE);
		asked[r->reason] = true;
	}
	/* Every answer that the function has, but for the switch: below. */
	for (int i = SMC_REASON_NOT_ARMED; i <= SMC_REASON_MIXED_SERVICE; i++)
		if (!asked[i])
			fail_msg("no row expects \"%s\"", reasons[i]);
}

static void test_mesh_off_bypasses_every_row(void **state)
{
	config(0);
	for (size_t i = 0; i < N_ROWS; i++)
		if (judge(&rows[i]).reason != SMC_REASON_MESH_OFF)
			fail_msg("%s: the mesh is off", rows[i].what);
	config(1);
}

/* What a client may not be told again by its agent it does not offer, whatever
 * it is; servers, who answer what others offer, go by their rows. */
static void test_lease_that_ended_silences_clients_alone(void **state)
{
	__u64 now = now_ns();
	const struct {
		__u64 until;
		bool over;
	} cases[] = {
		{0, true},
		{1, true},
		{now, true},
		{now + HOUR, false},
		{SMC_NO_END - 1, false},
		{SMC_NO_END, false},
	};

	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		offers_until = cases[k].until;
		config(1);
		for (size_t i = 0; i < N_ROWS; i++) {
			const struct row *r = &rows[i];
			bool silent = r->role == C && cases[k].over;
			__u32 want =
				silent ? SMC_REASON_AGENT_SILENT : r->reason;

			if (judge(r).reason != want)
				fail_msg("%s, lease %zu: expected %s", r->what,
					 k, reasons[want]);
		}
	}
	/* the switch is the first to be asked */
	offers_until = 0;
	config(0);
	assert_int_equal(judge(&rows[0]).reason, SMC_REASON_MESH_OFF);
	offers_until = SMC_NO_END;
	config(1);
}

static const struct row *row_of(const char *what)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (!strcmp(rows[i].what, what))
			return &rows[i];
	fail_msg("no row \"%s\"", what);
	return NULL;
}

/* Maps that nobody has put a row into are not looked at: each by its own bit,
 * so that what uses one map does not pay for the others. */
static void test_maps_without_rows_are_not_looked_at(void **state)
{
	const struct {
		const char *what;
		__u32 uses;
		__u64 until; /* smc_usage.quarantined_until */
		__u32 reason;
	} cases[] = {
		{"excluded for all, out", 0, 1, SMC_REASON_NONE},
		{"excluded for all, out", SMC_USE_CIDRS, 1, SMC_REASON_NONE},
		{"excluded for all, out", SMC_USE_PORTS, 0,
		 SMC_REASON_EXCLUDED_PORT},
		{"excluded CIDR, in", SMC_USE_PORTS, 1, SMC_REASON_NONE},
		{"excluded CIDR, in", SMC_USE_CIDRS, 0,
		 SMC_REASON_EXCLUDED_CIDR},
		{"in quarantine", SMC_USE_PORTS | SMC_USE_CIDRS, 0,
		 SMC_REASON_NONE},
		{"in quarantine", 0, 1, SMC_REASON_NONE},
		{"in quarantine", 0, -1ULL, SMC_REASON_QUARANTINED},
		{"in quarantine of the node", 0, -1ULL, SMC_REASON_QUARANTINED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config_uses(1, cases[i].uses);
		quarantined_until(cases[i].until);
		assert_string_equal(
			reasons[judge(row_of(cases[i].what)).reason],
			reasons[cases[i].reason]);
	}
	config(1);
	quarantined_until(-1ULL);
}

#define MUCH (1LL << 40) /* more than 32 bits */

/* What a pod and its node hold, against what they may. */
static void test_pod_or_node_over_its_budget_bypasses(void **state)
{
	const struct {
		struct smc_limits limits;
		struct smc_usage pod, node;
		bool over;
	} cases[] = {
#define LIMITS(pod, node, bytes_pod, bytes_node) \
	{0, 0, pod, node, bytes_pod, bytes_node}
		{LIMITS(9, 99, 99, 99), {.connections = 8}, {}, false},
		{LIMITS(9, 99, 99, 99), {.connections = 9}, {}, true},
		/* its own bound is the lower one, or counts for nothing */
		{LIMITS(9, 99, 99, 99),
		 {.connections = 3, .connections_max = 4},
		 {},
		 false},
		{LIMITS(9, 99, 99, 99),
		 {.connections = 4, .connections_max = 4},
		 {},
		 true},
		{LIMITS(9, 99, 99, 99),
		 {.connections = 9, .connections_max = 99},
		 {},
		 true},
		{LIMITS(9, 10, 99, 99), {}, {.connections = 9}, false},
		{LIMITS(9, 10, 99, 99), {}, {.connections = 10}, true},
		{LIMITS(9, 9, MUCH, 2 * MUCH), {.bytes = MUCH - 1}, {}, false},
		{LIMITS(9, 9, MUCH, 2 * MUCH), {.bytes = MUCH}, {}, true},
		{LIMITS(9, 9, MUCH, MUCH), {}, {.bytes = MUCH - 1}, false},
		{LIMITS(9, 9, MUCH, MUCH), {}, {.bytes = MUCH}, true},
		/* given back before it was taken: for a moment */
		{LIMITS(9, 9, 9, 9), {.bytes = -4096}, {.bytes = -4096}, false},
		/* no limit that was never written is a permission */
		{LIMITS(0, 9, 9, 9), {}, {}, true},
		{LIMITS(9, 0, 9, 9), {}, {}, true},
		{LIMITS(9, 9, 0, 9), {}, {}, true},
		{LIMITS(9, 9, 9, 0), {}, {}, true},
#undef LIMITS
	};
	const struct smc_usage none = {0};
	__u32 slot = smc_slot(POD);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct smc_usage node = cases[i].node;
		__u32 zero = SMC_SLOT_NODE;

		config_limits(1, 0, &cases[i].limits);
		put(skel->maps.smc_usage, &slot, &cases[i].pod);
		put(skel->maps.smc_usage, &zero, &node);
		for (int role = 0; role < 2; role++)
			if ((judge(&rows[role]).reason == SMC_REASON_BUDGET) !=
			    cases[i].over)
				fail_msg("case %zu, role %d", i, role);
	}
	/* nobody is told of a budget who would not be SMC anyway */
	assert_int_equal(judge(row_of("client to a stranger")).reason,
			 SMC_REASON_NOT_ENDPOINT);
	put(skel->maps.smc_usage, &slot, &none);
	quarantined_until(-1ULL);
	config(1);
}

/* What can only go over RDMA goes over proven paths, once somebody probes; what
 * has shared memory, or no chance at all, does not care. */
static void test_rdma_alone_needs_a_proven_path(void **state)
{
	const __u64 now = now_ns();
	const struct {
		struct smc_path_key key;
		struct smc_path path;
		__u32 endpoint, service; /* reasons */
	} cases[] = {
		{{{10, 1, 0, 1}, {10, 1, 0, 3}},
		 {.proven_until_ns = now + HOUR},
		 SMC_REASON_NONE,
		 SMC_REASON_PATH_UNPROVEN},
		{{{10, 1, 0, 1}, {10, 96, 0, 1}},
		 {.proven_until_ns = now + HOUR},
		 SMC_REASON_PATH_UNPROVEN,
		 SMC_REASON_NONE},
		{{{10, 1, 0, 1}, {10, 1, 0, 3}},
		 {.proven_until_ns = now - 1},
		 SMC_REASON_PATH_UNPROVEN,
		 SMC_REASON_PATH_UNPROVEN},
		{{{10, 1, 0, 1}, {10, 1, 0, 3}},
		 {.wished_ns = now, .used_ns = now, .seen_ns = now},
		 SMC_REASON_PATH_UNPROVEN,
		 SMC_REASON_PATH_UNPROVEN},
		/* its time is over, and no probe has said so */
		{{{10, 1, 0, 1}, {10, 1, 0, 3}},
		 {.proven_until_ns = now + HOUR, .bad_ns = 1},
		 SMC_REASON_PATH_BAD,
		 SMC_REASON_PATH_UNPROVEN},
		/* somebody else's, and the other way round */
		{{{10, 1, 0, 9}, {10, 1, 0, 3}},
		 {.proven_until_ns = now + HOUR},
		 SMC_REASON_PATH_UNPROVEN,
		 SMC_REASON_PATH_UNPROVEN},
		{{{10, 1, 0, 3}, {10, 1, 0, 1}},
		 {.proven_until_ns = now + HOUR},
		 SMC_REASON_PATH_UNPROVEN,
		 SMC_REASON_PATH_UNPROVEN},
	};
	const struct row *only_rdma = row_of("one transport in common");
	struct row server = *only_rdma, to_service = *only_rdma;
	int fd = bpf_map__fd(skel->maps.smc_path);

	server.role = S;
	to_service.remote = "10.96.0.1";
	assert_int_equal(judge(only_rdma).reason, SMC_REASON_NONE);
	config_uses(1, SMC_USE_PATHS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(skel->maps.smc_path, &cases[i].key, &cases[i].path);
		assert_string_equal(reasons[judge(only_rdma).reason],
				    reasons[cases[i].endpoint]);
		assert_string_equal(reasons[judge(&server).reason],
				    reasons[cases[i].endpoint]);
		assert_string_equal(reasons[judge(&to_service).reason],
				    reasons[cases[i].service]);
		assert_int_equal(judge(&rows[0]).reason, SMC_REASON_NONE);
		assert_int_equal(judge(row_of("no transport in common")).reason,
				 SMC_REASON_NO_COMMON_TRANSPORT);
		bpf_map_delete_elem(fd, &cases[i].key);
	}
	config(1);
}

/* A row that goes takes its verdict along at once. */
static void test_endpoint_that_goes_takes_its_verdict_along(void **state)
{
	struct smc_addr a = addr("10.1.0.2");

	assert_int_equal(judge(&rows[0]).reason, SMC_REASON_NONE);
	assert_return_code(
		bpf_map_delete_elem(bpf_map__fd(skel->maps.smc_endpoint), &a),
		errno);
	assert_int_equal(judge(&rows[0]).reason, SMC_REASON_NOT_ENDPOINT);
	endpoint("10.1.0.2", R | D, 0);
	assert_int_equal(judge(&rows[0]).reason, SMC_REASON_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_has_its_verdict),
		cmocka_unit_test(test_mesh_off_bypasses_every_row),
		cmocka_unit_test(test_maps_without_rows_are_not_looked_at),
		cmocka_unit_test(test_lease_that_ended_silences_clients_alone),
		cmocka_unit_test(test_pod_or_node_over_its_budget_bypasses),
		cmocka_unit_test(test_rdma_alone_needs_a_proven_path),
		cmocka_unit_test(
			test_endpoint_that_goes_takes_its_verdict_along),
	};

	return cmocka_run_group_tests_name("verdict", tests, setup, teardown);
}
