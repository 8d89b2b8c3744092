/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agents of other ABIs left, made by hand: pins, maps with rows,
 * links. Of ABI 1 by make_first(), of one that we can or cannot read by
 * make_later(). In the private world of world.h.
 */
#pragma once

#include "world.h"

struct left {
	char dir[PATH_MAX + 16], link_dir[PATH_MAX + 32];
	unsigned int abi;
};

static inline struct left left_of(unsigned int abi)
{
	char version[16] = "";
	struct left l = {.abi = abi};

	if (abi > 1)
		snprintf(version, sizeof(version), "/v%u", abi);
	snprintf(l.dir, sizeof(l.dir), "%s%s", root, version);
	snprintf(l.link_dir, sizeof(l.link_dir), "%s/links", l.dir);
	return l;
}

static inline int make_map(const struct left *l, enum bpf_map_type type,
			   const char *name, __u32 key, __u32 value,
			   __u32 entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int fd;

	if (type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_PERCPU_HASH ||
	    type == BPF_MAP_TYPE_LPM_TRIE)
		opts.map_flags = BPF_F_NO_PREALLOC;
	fd = bpf_map_create(type, name, key, value, entries, &opts);
	assert_true(fd >= 0);
	assert_int_equal(pin_put(fd, l->dir, name), 0);
	return fd;
}

static inline void make_dirs(const struct left *l)
{
	assert_int_equal(pin_dir_make(root), 0);
	assert_int_equal(pin_dir_make(l->dir), 0);
	assert_int_equal(pin_dir_make(l->link_dir), 0);
}

/* A program that does nothing, attached to our cgroup and pinned. */
static inline void make_link(const struct left *l, const char *name)
{
	const struct bpf_insn yes[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	_close_ int at = open(cgroup, O_RDONLY | O_DIRECTORY);
	_close_ int prog = bpf_prog_load(BPF_PROG_TYPE_SOCK_OPS, name, "GPL",
					 yes, array_size(yes), NULL);
	_close_ int link = -1;

	assert_true(at >= 0 && prog >= 0);
	link = bpf_link_create(prog, at, BPF_CGROUP_SOCK_OPS, NULL);
	assert_true(link >= 0);
	assert_int_equal(pin_put(link, l->link_dir, name), 0);
}

/* An excluded port, as ABI 1 has it and as later ones do. */
static inline void make_excluded(const struct left *l)
{
	const struct smc_port_key later = {.prefixlen = SMC_PORT_PREFIX + 16,
					   .role = SMC_ROLE_CLIENT,
					   .port = {3306 >> 8, 3306 & 0xff}};
	const struct smc_port block = {3306, 3306};
	const struct {
		__u32 pod;
		__u16 port, _pad;
	} first = {.port = 3306};
	const __u8 in_out[4] = {0, 1};
	_close_ int fd =
		l->abi == 1
			? make_map(l, BPF_MAP_TYPE_HASH, "smc_port", 8, 4, 9)
			: make_map(l, BPF_MAP_TYPE_LPM_TRIE, "smc_port",
				   sizeof(later), sizeof(block), 9);

	if (l->abi == 1)
		must_put(fd, &first, in_out);
	else
		must_put(fd, &later, &block);
}

/* What connections are judged by: three endpoints, an excluded port. */
static inline void make_judged(const struct left *l)
{
	_close_ int endpoint =
		make_map(l, BPF_MAP_TYPE_HASH, "smc_endpoint", 16, 16, 1000);
	const struct smc_endpoint e = {.node_id = 7};

	for (__u8 i = 0; i < 3; i++) {
		const struct smc_addr a = {{[15] = i}};

		must_put(endpoint, &a, &e);
	}
	make_excluded(l);
}

/* The first words of a pod's row are the same in every ABI; then ABI 1 has the
 * user that a sidecar's proxy is, ours its owners. */
static inline void put_pod(const struct left *l, int fd, __u64 key, __u32 id,
			   __u32 flags, __u32 uid)
{
	const __u32 first[] = {id, flags, 0, uid};
	struct smc_pod pod = {.pod_id = id, .flags = flags};

	if (uid != SMC_ID_ANY)
		pod.owners[pod.n_owners++] =
			(struct smc_owner){uid, SMC_ID_ANY};
	must_put(fd, &key, l->abi == 1 ? (const void *)first : &pod);
}

/* A sidecar's pod, one that was refused, a shared namespace, and a cgroup that
 * denies. */
static inline void make_rows(const struct left *l)
{
	const __u32 size = l->abi == 1 ? 16 : sizeof(struct smc_pod);
	_close_ int netns =
		make_map(l, BPF_MAP_TYPE_HASH, "smc_netns", 8, size, 4096);
	_close_ int group =
		make_map(l, BPF_MAP_TYPE_HASH, "smc_cgroup", 8, size, 4096);

	put_pod(l, netns, 0xc00000, 5, SMC_POD_SIDECAR, 1337);
	put_pod(l, netns, 0xc00001, 6, SMC_POD_REFUSED, SMC_ID_ANY);
	put_pod(l, netns, 0xc00002, 0, SMC_POD_SHARED, SMC_ID_ANY);
	put_pod(l, group, 4242, 7, SMC_POD_DENY, SMC_ID_ANY);
	make_judged(l);
}

/* Of ABI 1: the peer alone, and until, strikes, reason. */
static inline void make_first_quarantine(const struct left *l)
{
	_close_ int fd = make_map(l, BPF_MAP_TYPE_LRU_HASH, "smc_quarantine",
				  20, 16, 4096);
	const struct {
		__u64 until_ns;
		__u32 strikes, reason;
	} q = {77, 3, -ETIMEDOUT};
	const struct smc_addr_port peer = {.port = 80};

	must_put(fd, &peer, &q);
}

static inline void make_later_quarantine(const struct left *l)
{
	_close_ int fd = make_map(l, BPF_MAP_TYPE_LRU_HASH, "smc_quarantine",
				  24, 40, 4096);
	const struct smc_quarantine q = {.until_ns = 77,
					 .state = SMC_QUARANTINE_STRUCK,
					 .strikes = 3,
					 .reason = -ETIMEDOUT};
	const struct smc_quarantine_key peer = {.port = 80};

	must_put(fd, &peer, &q);
}

/* Of both kinds the same: two pods with counters, four flows. */
#define COUNTED 3 /* SMC_COUNTER_*, and the reason of another */
#define FLOWS 4

static const __u8 outcomes[FLOWS]
	__attribute__((unused)) = {SMC_OUTCOME_SMCD, SMC_OUTCOME_TCP,
				   SMC_OUTCOME_PENDING, SMC_OUTCOME_SMCD};

struct first_flow {
	__u8 ips[32];
	__u16 local_port, remote_port;
	__u32 pod_id;
	__u8 role, verdict, outcome, closed;
	__u32 reason, kernel_code, transports;
	__u64 times[3], rx_bytes, tx_bytes, netns_cookie;
};

static inline void make_first_counters(const struct left *l)
{
	_close_ int fd = make_map(l, BPF_MAP_TYPE_PERCPU_HASH, "smc_counter", 8,
				  8, 32768);
	int cpus = libbpf_num_possible_cpus();
	__u64 *each = calloc(cpus, sizeof(*each));

	assert_non_null(each);
	for (__u32 pod = 5; pod <= 6; pod++) {
		/* the last one has no name */
		const __u32 keys[][2] = {{pod, COUNTED},
					 {pod, 1000 + SMC_REASON_LOOPBACK},
					 {pod, 4000}};

		for (size_t i = 0; i < array_size(keys); i++) {
			each[0] = 10 * pod + i;
			must_put(fd, keys[i], each);
		}
	}
	free(each);
}

static inline void make_first(void)
{
	struct left l = left_of(1);
	const __u32 config[6] = {1, 1, SMC_TRANSPORT_SMCD, 0x100, 0xff00, 9};
	struct first_flow f = {
		.pod_id = 5, .role = SMC_ROLE_CLIENT, .netns_cookie = 0xc00000};

	make_dirs(&l);
	make_rows(&l);
	make_first_quarantine(&l);
	make_first_counters(&l);
	make_link(&l, "sockproto");
	make_link(&l, "flow_connect4");
	_close_ int flow =
		make_map(&l, BPF_MAP_TYPE_LRU_HASH, "smc_flow", 8, 104, 65536);
	_close_ int c =
		make_map(&l, BPF_MAP_TYPE_ARRAY, "smc_config", 4, 24, 1);
	_close_ int other =
		make_map(&l, BPF_MAP_TYPE_LRU_HASH, "smc_answered", 32, 8, 100);
	assert_true(other >= 0);
	assert_int_equal(sizeof(f), 104);
	must_put(c, &(__u32){0}, config);
	for (__u64 i = 0; i < FLOWS; i++) {
		__u64 cookie = 0x123456789000 + i;

		f.outcome = outcomes[i];
		f.closed = i == 3;
		f.local_port = 1000 + i;
		must_put(flow, &cookie, &f);
	}
}

static inline void make_later(unsigned int abi, unsigned int readable)
{
	struct left l = left_of(abi);
	const struct smc_config config = {.abi_version = abi,
					  .abi_readable = readable,
					  .enabled = 1,
					  .node_id = 9};
	struct smc_handshake key = {.kind = SMC_ROLE_CLIENT};
	struct smc_flow f = {
		.pod_id = 5, .role = SMC_ROLE_CLIENT, .netns_cookie = 0xc00000};

	make_dirs(&l);
	make_rows(&l);
	make_later_quarantine(&l);
	make_link(&l, "sockproto");
	make_link(&l, "another_hook");
	_close_ int counter =
		make_map(&l, BPF_MAP_TYPE_PERCPU_ARRAY, "smc_counter", 4,
			 sizeof(struct smc_counters), 100);
	_close_ int flow = make_map(&l, BPF_MAP_TYPE_HASH, "smc_flow",
				    sizeof(key), sizeof(f), 1000);
	_close_ int c = make_map(&l, BPF_MAP_TYPE_ARRAY, "smc_config", 4,
				 sizeof(config) + 64, 1);
	unsigned char grown[sizeof(config) + 64] = {};

	memcpy(grown, &config, sizeof(config));
	must_put(c, &(__u32){0}, grown);
	for (__u32 pod = 5; pod <= 6; pod++) {
		put_counter(counter, pod, COUNTED, 10 * pod);
		put_counter(counter, pod,
			    SMC_COUNTER_REASON + SMC_REASON_LOOPBACK,
			    10 * pod + 1);
	}
	for (__u32 i = 0; i < FLOWS; i++) {
		key.isn = i;
		f.outcome = outcomes[i];
		f.closed = i == 3;
		f.local_port = 1000 + i;
		must_put(flow, &key, &f);
	}
}
