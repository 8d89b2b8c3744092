/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private world of the tests of user/datapath that need the kernel: a mount
 * namespace with a bpffs (a fresh one for every test), a network namespace, a
 * cgroup; and plans to fill maps with. As root.
 *
 * The object is loaded "idle": its hooks are attached also where the kernel has
 * no SMC, and convert nothing. Where the machine allows no tracing programs
 * (some LSMs) what is said of those is left out; tests/vm runs the same
 * programs on a kernel that has all.
 */
#pragma once

#include "unit.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "datapath/mapio.h"
#include "base/pins.h"
#include "datapath/state.h"

static char bpffs[] = "/tmp/test_datapath.XXXXXX";
static char cgroup[PATH_MAX];
/* BPFFS/smcmesh; in it the directory of our ABI, and the links there */
static char root[PATH_MAX], dir[PATH_MAX], link_dir[PATH_MAX];
static struct datapath_options opt = {
	.bpffs = bpffs, .cgroup = cgroup, .idle = true};

static bool has_tracing, has_smc; /* of this kernel */

/* Run @fn in a child; its exit status. */
static inline int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- helpers ---- */

static inline struct datapath *open_idle(void)
{
	struct datapath *dp = NULL;

	assert_int_equal(datapath_open(&opt, &dp), 0);
	assert_non_null(dp);
	return dp;
}

/* With the hooks that are there while a pod is armed. */
static inline struct datapath *open_armed(void)
{
	struct datapath *dp = open_idle();

	assert_int_equal(datapath_arm(dp), 0);
	assert_true(datapath_is_armed(dp));
	return dp;
}

/* Recorded with sockops the hooks that are there while a pod is armed are
 * these, of which a machine that allows no tracing has only the last. */
static const char *const armed_links[] __attribute__((unused)) = {
	"connect_guard", "sockproto", "flow_sockops"};

/* The datapath of a kernel that has SMC records with it unless told so. */
static inline struct datapath *open_sockops(void)
{
	struct datapath *dp = open_idle();

	assert_int_equal(datapath_record(dp, MESH_RECORDER_SOCKOPS), 0);
	assert_string_equal(datapath_recorder(dp), "sockops");
	assert_int_equal(datapath_arm(dp), 0);
	return dp;
}

static inline void remove_all(void)
{
	_buf_ struct buf said = {};

	assert_int_equal(datapath_remove(&opt, false, &said), 0);
	assert_int_equal(access(root, F_OK), -1);
}

static inline int pin(const char *in, const char *name, enum pin_kind kind)
{
	int fd = pin_open(in, name, kind);

	if (fd < 0)
		fail_msg("%s/%s: %s", in, name, strerror(-fd));
	return fd;
}

static inline __u32 id_of(const char *in, const char *name, enum pin_kind kind)
{
	_close_ int fd = pin(in, name, kind);
	__u32 id;

	assert_int_equal(pin_id(fd, kind, &id), 0);
	return id;
}

static inline __u32 prog_of(const char *link)
{
	_close_ int fd = pin(link_dir, link, PIN_LINK);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_link_get_info_by_fd(fd, &info, &len), 0);
	return info.prog_id;
}

/* Objects go by way of a work queue: wait until the id is unknown. */
static inline void wait_gone(int (*by_id)(__u32), __u32 id)
{
	struct timespec pause = {.tv_nsec = 5000000};
	int fd;

	for (int i = 0; i < 2000; i++) {
		fd = by_id(id);
		if (fd < 0) {
			assert_int_equal(fd, -ENOENT);
			return;
		}
		close(fd);
		nanosleep(&pause, NULL);
	}
	fail_msg("object %u is still there", id);
}

static inline int count_name(const char *in, const char *name, void *arg)
{
	++*(int *)arg;
	return 0;
}

static inline int count_pins(const char *in)
{
	int n = 0;

	assert_int_equal(pin_each(in, count_name, &n), 0);
	return n;
}

/* ---- plans ---- */

struct any_plan {
	struct mesh_plan plan;
	struct smc_config config;
};

static inline void any_plan_free(struct any_plan *p)
{
	free(p->plan.pods);
	free(p->plan.endpoints);
	free(p->plan.cidrs);
	free(p->plan.ports);
	free(p->plan.denied);
	free(p->plan.services);
}
#define _plan_ _cleanup_(any_plan_free)

static inline void plan_init(struct any_plan *p, size_t pods, size_t endpoints)
{
	memset(p, 0, sizeof(*p));
	p->plan.enabled = true;
	p->config.transports = SMC_TRANSPORT_SMCD;
	p->config.limits.buffers_node = MESH_BUFFERS_NODE;
	p->plan.n_pods = pods;
	p->plan.pods = calloc(pods + 1, sizeof(*p->plan.pods));
	p->plan.n_endpoints = endpoints;
	p->plan.endpoints = calloc(endpoints + 1, sizeof(*p->plan.endpoints));
	assert_true(p->plan.pods && p->plan.endpoints);
	for (size_t i = 0; i < pods; i++) {
		struct plan_pod *pod = &p->plan.pods[i];

		pod->armed = true;
		pod->pod_id = i + 1;
		pod->netns_cookie = 0xc00000 + i;
		pod->value = (struct smc_pod){.pod_id = i + 1,
					      .transports = SMC_TRANSPORT_SMCD};
	}
	for (size_t i = 0; i < endpoints; i++) {
		struct plan_endpoint *e = &p->plan.endpoints[i];
		__u32 low = htonl(0x0a000001 + i);

		e->addr.ip[10] = e->addr.ip[11] = 0xff;
		memcpy(e->addr.ip + 12, &low, sizeof(low));
		e->value = (struct smc_endpoint){
			.transports = SMC_TRANSPORT_SMCD, .node_id = 7};
	}
}

static inline int count_endpoint(const struct smc_addr *key,
				 const struct smc_endpoint *v, void *arg)
{
	++*(int *)arg;
	return 0;
}

static inline int endpoints_now(struct datapath *dp)
{
	int n = 0;

	assert_int_equal(datapath_each_endpoint(dp, count_endpoint, &n), 0);
	return n;
}

static inline struct datapath_changes apply(struct datapath *dp,
					    const struct any_plan *p)
{
	struct datapath_changes did;

	assert_int_equal(datapath_apply(dp, &p->plan, &p->config, &did), 0);
	assert_int_equal(did.endpoints, endpoints_now(dp));
	return did;
}

static inline void assert_did(struct datapath_changes did, unsigned int added,
			      unsigned int changed, unsigned int removed,
			      unsigned int full)
{
	assert_int_equal(did.added, added);
	assert_int_equal(did.changed, changed);
	assert_int_equal(did.removed, removed);
	assert_int_equal(did.full, full);
}

/* Return: number of repairs. */
static inline int heal(struct datapath *dp)
{
	unsigned int repairs;

	assert_int_equal(datapath_check(dp, &repairs), 0);
	return repairs;
}

static inline struct smc_config config_now(struct datapath *dp)
{
	struct smc_config c;
	__u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_CONFIG], &zero, &c),
			 0);
	return c;
}

static inline int count_pod(__u64 key, const struct smc_pod *v, void *arg)
{
	++*(int *)arg;
	return 0;
}

/* ---- rows by hand ---- */

static inline void must_put(int fd, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
}

static inline void put_counter(int fd, __u32 slot, __u32 counter, __u64 value)
{
	int cpus = libbpf_num_possible_cpus();
	struct smc_counters *each = calloc(cpus, sizeof(*each));

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, each), 0);
	((__u64 *)&each[0])[counter] = value;
	must_put(fd, &slot, each);
	free(each);
}

static inline __u64 counter_of(struct datapath *dp, __u32 slot, __u32 counter)
{
	struct smc_counters c;

	assert_int_equal(counters_read(dp->map_fd[MAP_COUNTER], slot, &c), 0);
	return ((__u64 *)&c)[counter];
}

/* ---- the private world ---- */

static inline void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
}

static inline void join_cgroup(void)
{
	char path[PATH_MAX + 16];
	_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fprintf(f, "%d\n", getpid()) > 0);
}

static inline int fresh_bpffs(void **state)
{
	return mount("bpf", bpffs, "bpf", 0, NULL);
}

static inline int drop_bpffs(void **state)
{
	return umount2(bpffs, MNT_DETACH);
}

static inline int setup(void **state)
{
	struct features fs;

	char top[PATH_MAX - 64];

	log_level_set(LOG_WARN);
	assert_int_equal(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
	/* in a chroot / is no mount point, and what it has is its maker's */
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		assert_int_equal(errno, EINVAL);
	assert_non_null(mkdtemp(bpffs));
	snprintf(root, sizeof(root), "%s/%s", bpffs, SMC_PIN_DIR);
	snprintf(dir, sizeof(dir), "%s/%s/v%u", bpffs, SMC_PIN_DIR,
		 SMC_ABI_VERSION);
	snprintf(link_dir, sizeof(link_dir), "%s/%s/v%u/links", bpffs,
		 SMC_PIN_DIR, SMC_ABI_VERSION);
	assert_int_equal(features_find_cgroup2("/proc", top, sizeof(top)), 0);
	snprintf(cgroup, sizeof(cgroup), "%s/test_datapath.%d", top, getpid());
	assert_int_equal(mkdir(cgroup, 0755), 0);
	join_cgroup();
	loopback_up();
	features_probe(&opt, &fs);
	has_smc = feature_present(&fs, FEATURE_IPPROTO_SMC);
	has_tracing = feature_present(&fs, FEATURE_SOCKPROTO);
	return 0;
}

static inline int teardown(void **state)
{
	char procs[PATH_MAX];
	_fclose_ FILE *f = NULL;

	snprintf(procs, sizeof(procs), "%s", cgroup);
	strcpy(strrchr(procs, '/'), "/cgroup.procs");
	f = fopen(procs, "w");
	if (f) {
		fprintf(f, "%d\n", getpid());
		fflush(f);
	}
	/* of a test that failed half-way */
	strcat(strcpy(procs, cgroup), "/sub");
	rmdir(procs);
	return rmdir(bpffs) | rmdir(cgroup);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh_bpffs, drop_bpffs)
