// SPDX-License-Identifier: Apache-2.0
/*
 * user/datapath against this machine's own kernel, as root, with what is
 * private to the test: a mount namespace with a bpffs, a network namespace, a
 * cgroup. The object is loaded "idle": its hooks are attached also where the
 * kernel has no SMC, and convert nothing.
 *
 * Where the machine allows no tracing programs (some LSMs) what is said of
 * those is left out; tests/vm runs this program on a kernel that has all.
 */
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

#include "base/fault.h"
#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/pins.h"
#include "datapath/state.h"

static char bpffs[] = "/tmp/test_datapath.XXXXXX";
static char cgroup[PATH_MAX];
static char dir[PATH_MAX], link_dir[PATH_MAX];
static struct datapath_options opt = {
	.bpffs = bpffs, .cgroup = cgroup, .idle = true};

static bool has_tracing, has_smc; /* of this kernel */

static const char *const cgroup_links[] = {"flow_connect4", "flow_connect6",
					   "flow_sockops"};

/* ---- helpers ---- */

static struct datapath *open_idle(void)
{
	struct datapath *dp = NULL;

	assert_int_equal(datapath_open(&opt, &dp), 0);
	assert_non_null(dp);
	return dp;
}

static void remove_all(void)
{
	_buf_ struct buf said = {};

	assert_int_equal(datapath_remove(&opt, false, &said), 0);
	assert_int_equal(access(dir, F_OK), -1);
}

static int pin(const char *in, const char *name, enum pin_kind kind)
{
	int fd = pin_open(in, name, kind);

	if (fd < 0)
		fail_msg("%s/%s: %s", in, name, strerror(-fd));
	return fd;
}

static __u32 id_of(const char *in, const char *name, enum pin_kind kind)
{
	_close_ int fd = pin(in, name, kind);
	__u32 id;

	assert_int_equal(pin_id(fd, kind, &id), 0);
	return id;
}

static __u32 prog_of(const char *link)
{
	_close_ int fd = pin(link_dir, link, PIN_LINK);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_link_get_info_by_fd(fd, &info, &len), 0);
	return info.prog_id;
}

/* Objects go by way of a work queue: wait until the id is unknown. */
static void wait_gone(int (*by_id)(__u32), __u32 id)
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

static int count_name(const char *in, const char *name, void *arg)
{
	++*(int *)arg;
	return 0;
}

static int count_pins(const char *in)
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

static void any_plan_free(struct any_plan *p)
{
	free(p->plan.pods);
	free(p->plan.endpoints);
	free(p->plan.cidrs);
	free(p->plan.ports);
	free(p->plan.denied);
}
#define _plan_ _cleanup_(any_plan_free)

static void plan_init(struct any_plan *p, size_t pods, size_t endpoints)
{
	memset(p, 0, sizeof(*p));
	p->plan.enabled = true;
	p->config.transports = SMC_TRANSPORT_SMCD;
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
					      .transports = SMC_TRANSPORT_SMCD,
					      .uid = SMC_UID_ANY};
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

static struct datapath_changes apply(struct datapath *dp,
				     const struct any_plan *p)
{
	struct datapath_changes did;

	assert_int_equal(datapath_apply(dp, &p->plan, &p->config, &did), 0);
	return did;
}

static void assert_did(struct datapath_changes did, unsigned int added,
		       unsigned int changed, unsigned int removed,
		       unsigned int full)
{
	assert_int_equal(did.added, added);
	assert_int_equal(did.changed, changed);
	assert_int_equal(did.removed, removed);
	assert_int_equal(did.full, full);
}

static struct smc_config config_now(struct datapath *dp)
{
	struct smc_config c;
	__u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_CONFIG], &zero, &c),
			 0);
	return c;
}

static int count_pod(__u64 key, const struct smc_pod *v, void *arg)
{
	++*(int *)arg;
	return 0;
}

static int count_endpoint(const struct smc_addr *key,
			  const struct smc_endpoint *v, void *arg)
{
	++*(int *)arg;
	return 0;
}

static int endpoints_now(struct datapath *dp)
{
	int n = 0;

	assert_int_equal(datapath_each_endpoint(dp, count_endpoint, &n), 0);
	return n;
}

/* ---- open, close, open ---- */

static void test_nothing_without_smc(void **state)
{
	struct datapath_options plain = opt;
	struct any_plan p _plan_;
	struct datapath *dp;
	int n = 0;

	plan_init(&p, 3, 10);
	if (has_smc)
		skip();
	plain.idle = false;
	assert_int_equal(datapath_open(&plain, &dp), 0);
	assert_string_equal(datapath_converter(dp), "none");
	assert_string_equal(datapath_selector(dp), "none");
	assert_null(datapath_ctrl_name(dp));
	assert_int_equal(datapath_events_fd(dp), -1);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	assert_int_equal(datapath_check(dp), 0);
	assert_int_equal(datapath_retire_selectors(dp), 0);
	assert_int_equal(datapath_forget_pod(dp, 1), 0);
	assert_int_equal(datapath_each_netns(dp, count_pod, &n), 0);
	assert_int_equal(n, 0);
	datapath_close(dp);
	assert_int_equal(access(dir, F_OK), -1);
}

static void test_open(void **state)
{
	struct datapath *dp = open_idle();
	struct stat st;

	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < MAP_MAX; i++)
		assert_true(id_of(dir, map_rows[i].name, PIN_MAP));
	for (size_t i = 0; i < array_size(cgroup_links); i++)
		assert_true(id_of(link_dir, cgroup_links[i], PIN_LINK));
	assert_true(datapath_can_mark(dp));
	assert_string_equal(datapath_cgroup(dp), cgroup);
	assert_int_equal(config_now(dp).abi_version, SMC_ABI_VERSION);
	assert_int_equal(config_now(dp).enabled, 0);
	assert_int_equal(datapath_check(dp), 0);
	datapath_close(dp);
	/* nobody holds them but their pins */
	assert_true(prog_of("flow_sockops"));
	if (has_tracing)
		assert_true(prog_of("sock_refused"));
	remove_all();
}

static void test_adopt(void **state)
{
	struct datapath *dp = open_idle();
	__u32 map = id_of(dir, "smc_endpoint", PIN_MAP);
	__u32 link = id_of(link_dir, "flow_connect4", PIN_LINK);
	__u32 prog = prog_of("flow_connect4");
	int pins = count_pins(link_dir);
	struct any_plan p _plan_;

	plan_init(&p, 2, 100);
	assert_did(apply(dp, &p), 102, 1, 0, 0);
	datapath_close(dp);

	dp = open_idle();
	assert_int_equal(id_of(dir, "smc_endpoint", PIN_MAP), map);
	assert_int_equal(endpoints_now(dp), 100);
	assert_int_equal(config_now(dp).enabled, 1);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	/* the same link with another program */
	assert_int_equal(id_of(link_dir, "flow_connect4", PIN_LINK), link);
	assert_int_not_equal(prog_of("flow_connect4"), prog);
	wait_gone(bpf_prog_get_fd_by_id, prog);
	assert_int_equal(count_pins(link_dir), pins);
	datapath_close(dp);
	remove_all();
}

static void test_adopt_tracing(void **state)
{
	struct datapath *dp = open_idle();
	__u32 link, prog;

	if (has_tracing) {
		link = id_of(link_dir, "sock_refused", PIN_LINK);
		prog = prog_of("sock_refused");
		datapath_close(dp);
		dp = open_idle();
		assert_int_not_equal(id_of(link_dir, "sock_refused", PIN_LINK),
				     link);
		wait_gone(bpf_link_get_fd_by_id, link);
		wait_gone(bpf_prog_get_fd_by_id, prog);
	}
	datapath_close(dp);
	remove_all();
	if (!has_tracing)
		skip();
}

/* A link that was pinned for another cgroup is replaced. */
static void test_other_cgroup(void **state)
{
	struct datapath_options other = opt;
	char sub[PATH_MAX + 8];
	struct datapath *dp = open_idle();
	__u32 link = id_of(link_dir, "flow_connect4", PIN_LINK);

	datapath_close(dp);
	snprintf(sub, sizeof(sub), "%s/sub", cgroup);
	assert_int_equal(mkdir(sub, 0755), 0);
	other.cgroup = sub;
	assert_int_equal(datapath_open(&other, &dp), 0);
	assert_int_not_equal(id_of(link_dir, "flow_connect4", PIN_LINK), link);
	wait_gone(bpf_link_get_fd_by_id, link);
	datapath_close(dp);
	remove_all();
	assert_int_equal(rmdir(sub), 0);
}

static void test_read(void **state)
{
	struct datapath *dp = NULL, *reader = NULL;
	struct any_plan p _plan_;

	plan_init(&p, 2, 100);
	assert_int_equal(datapath_read(&opt, &reader), -ENOENT);
	dp = open_idle();
	apply(dp, &p);
	assert_int_equal(datapath_read(&opt, &reader), 0);
	assert_int_equal(endpoints_now(reader), 100);
	datapath_close(reader);
	datapath_close(dp);
	remove_all();
}

/* Two at once: the agent forbids it, and it must not do harm either. */
static void test_two(void **state)
{
	struct datapath *first = open_idle(), *second = open_idle();

	assert_int_equal(datapath_check(second), 0);
	/* the pins of tracing links are the second one's now */
	assert_int_equal(datapath_check(first), has_tracing ? -EEXIST : 0);
	datapath_close(first);
	assert_int_equal(datapath_check(second), 0);
	assert_true(prog_of("flow_sockops"));
	datapath_close(second);
	remove_all();
}

/* ---- what is refused ---- */

static void assert_refused(int want)
{
	struct datapath *dp = NULL;

	assert_int_equal(datapath_open(&opt, &dp), want);
	assert_null(dp);
}

static void test_other_version(void **state)
{
	struct datapath *dp = open_idle();
	struct smc_config c = config_now(dp);
	__u32 prog = prog_of("flow_connect4"), zero = 0;
	int pins = count_pins(dir);

	c.abi_version = SMC_ABI_VERSION + 1;
	assert_int_equal(
		bpf_map_update_elem(dp->map_fd[MAP_CONFIG], &zero, &c, BPF_ANY),
		0);
	datapath_close(dp);
	assert_refused(-EPROTO);
	assert_int_equal(datapath_read(&opt, &dp), -EPROTO);
	assert_int_equal(prog_of("flow_connect4"), prog);
	assert_int_equal(count_pins(dir), pins);
	/* the way out */
	remove_all();
	dp = open_idle();
	datapath_close(dp);
	remove_all();
}

static void test_other_definition(void **state)
{
	struct datapath *dp = open_idle();
	_close_ int fd = -1;
	__u32 id, prog = prog_of("flow_connect4");

	datapath_close(dp);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "smc_port", 8, 4, 17, NULL);
	assert_true(fd >= 0);
	assert_int_equal(pin_put(fd, dir, "smc_port"), 0);
	id = id_of(dir, "smc_port", PIN_MAP);
	assert_refused(-EPROTO);
	assert_int_equal(id_of(dir, "smc_port", PIN_MAP), id);
	assert_int_equal(prog_of("flow_connect4"), prog);
	remove_all();
}

static void test_pin_of_another_kind(void **state)
{
	struct datapath *dp = open_idle();
	_close_ int fd = -1;

	fd = fcntl(dp->link_fd[links_find("flow_sockops")], F_DUPFD_CLOEXEC, 0);
	assert_true(fd >= 0);
	datapath_close(dp);
	assert_int_equal(pin_put(fd, dir, "smc_port"), 0);
	assert_refused(-EMEDIUMTYPE);
	assert_int_equal(pin_drop(dir, "smc_port"), 1);
	remove_all();
}

static void test_no_bpffs(void **state)
{
	struct datapath_options none = opt;
	struct datapath *dp = NULL;

	none.bpffs = "/proc";
	assert_int_equal(datapath_open(&none, &dp), -ENOTDIR);
	none.bpffs = "/nowhere";
	assert_int_equal(datapath_open(&none, &dp), -ENOTDIR);
	assert_null(dp);
}

static void test_no_cgroup2(void **state)
{
	struct datapath_options none = opt;
	struct datapath *dp = NULL;

	none.cgroup = "/tmp";
	assert_int_equal(datapath_open(&none, &dp), 0);
	assert_null(datapath_cgroup(dp));
	assert_false(datapath_can_mark(dp));
	assert_false(feature_present(datapath_features(dp), FEATURE_CGROUP2));
	assert_int_equal(pin_open(link_dir, "flow_sockops", PIN_LINK), -ENOENT);
	if (has_tracing)
		assert_true(prog_of("sock_refused"));
	datapath_close(dp);
	remove_all();
}

/* Run @fn in a child; its exit status. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int open_without_caps(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {};
	struct datapath *dp = NULL;

	if (syscall(SYS_capset, &head, none))
		return 1;
	return datapath_open(&opt, &dp) == -EPERM ? 0 : 2;
}

static void test_no_capabilities(void **state)
{
	assert_int_equal(in_child(open_without_caps), 0);
	assert_int_equal(access(dir, F_OK), -1);
}

/* ---- drift ---- */

static void test_heal_pins(void **state)
{
	struct datapath *dp = open_idle();
	__u32 map = id_of(dir, "smc_netns", PIN_MAP);
	__u32 link = id_of(link_dir, "flow_connect6", PIN_LINK);
	int maps = count_pins(dir), links = count_pins(link_dir);

	assert_int_equal(pin_drop(dir, "smc_netns"), 1);
	assert_int_equal(pin_drop(link_dir, "flow_connect6"), 1);
	assert_int_equal(datapath_check(dp), 2);
	assert_int_equal(id_of(dir, "smc_netns", PIN_MAP), map);
	assert_int_equal(id_of(link_dir, "flow_connect6", PIN_LINK), link);
	assert_int_equal(datapath_check(dp), 0);
	/* all of it, directories too */
	remove_all();
	assert_true(datapath_check(dp) > 0);
	assert_int_equal(datapath_check(dp), 0);
	assert_int_equal(count_pins(dir), maps);
	assert_int_equal(count_pins(link_dir), links);
	datapath_close(dp);
	remove_all();
}

static void test_heal_detached(void **state)
{
	struct datapath *dp = open_idle();
	__u32 link = id_of(link_dir, "flow_connect6", PIN_LINK);
	_close_ int fd = pin(link_dir, "flow_connect6", PIN_LINK);

	assert_int_equal(bpf_link_detach(fd), 0);
	assert_int_equal(datapath_check(dp), 1);
	assert_int_not_equal(id_of(link_dir, "flow_connect6", PIN_LINK), link);
	assert_int_equal(datapath_check(dp), 0);
	datapath_close(dp);
	remove_all();
}

/* What an agent left that died between attaching and renaming, and what is
 * somebody else's. */
static void test_sweep(void **state)
{
	struct datapath *dp = open_idle();
	_close_ int fd = -1;

	fd = bpf_link_create(bpf_program__fd(bpf_object__find_program_by_name(
				     dp->obj, "flow_sockops")),
			     dp->cgroup_fd, BPF_CGROUP_SOCK_OPS, NULL);
	assert_true(fd >= 0);
	assert_int_equal(pin_put(fd, link_dir, "flow_sockops_new"), 0);
	assert_int_equal(pin_put(fd, link_dir, "somebody_elses"), 0);
	datapath_close(dp);
	dp = open_idle();
	assert_int_equal(pin_open(link_dir, "flow_sockops_new", PIN_LINK),
			 -ENOENT);
	assert_true(id_of(link_dir, "somebody_elses", PIN_LINK));
	assert_true(prog_of("flow_sockops"));
	datapath_close(dp);
	assert_int_equal(pin_drop(link_dir, "somebody_elses"), 1);
	remove_all();
}

/* ---- maps ---- */

static void test_apply(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;

	plan_init(&p, 3, 20);
	p.plan.n_cidrs = 2;
	p.plan.cidrs = calloc(2, sizeof(*p.plan.cidrs));
	cidr_parse("10.9.0.0/16", &p.plan.cidrs[0]);
	cidr_parse("fd00::/8", &p.plan.cidrs[1]);
	p.plan.n_ports = 1;
	p.plan.ports = calloc(1, sizeof(*p.plan.ports));
	p.plan.ports[0].key.port = 3306;
	p.plan.ports[0].value.exclude_out = 1;
	/* 3 pods, 20 endpoints, 2 prefixes, 1 port; and the configuration */
	assert_did(apply(dp, &p), 26, 1, 0, 0);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	assert_int_equal(config_now(dp).transports, SMC_TRANSPORT_SMCD);
	p.plan.endpoints[4].value.transports = SMC_TRANSPORT_SMCR;
	p.plan.n_endpoints = 15;
	p.plan.n_cidrs = 1;
	p.plan.pods[1].armed = false;
	assert_did(apply(dp, &p), 0, 1, 7, 0);
	assert_int_equal(endpoints_now(dp), 15);
	p.plan.enabled = false;
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	assert_int_equal(config_now(dp).enabled, 0);
	datapath_close(dp);
	remove_all();
}

static struct smc_pod row_of(struct datapath *dp, enum map_id map, __u64 key)
{
	struct smc_pod v;

	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[map], &key, &v), 0);
	return v;
}

static void test_refused_is_kept(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	struct smc_pod v;
	__u64 key;

	plan_init(&p, 1, 0);
	apply(dp, &p);
	key = p.plan.pods[0].netns_cookie;
	v = row_of(dp, MAP_NETNS, key);
	v.flags |= SMC_POD_REFUSED; /* as BPF does */
	assert_int_equal(
		bpf_map_update_elem(dp->map_fd[MAP_NETNS], &key, &v, BPF_ANY),
		0);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	p.plan.pods[0].value.transports = SMC_TRANSPORT_SMCR;
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	v = row_of(dp, MAP_NETNS, key);
	assert_int_equal(v.flags, SMC_POD_REFUSED);
	assert_int_equal(v.transports, SMC_TRANSPORT_SMCR);
	p.plan.pods[0].value.pod_id = 99;
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	assert_int_equal(row_of(dp, MAP_NETNS, key).flags, 0);
	datapath_close(dp);
	remove_all();
}

static void test_cgroups(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	int n = 0;

	plan_init(&p, 1, 0);
	p.plan.pods[0].netns_cookie = 0;
	p.plan.pods[0].cgroup_id = 4242;
	p.plan.shared_netns = 1;
	assert_did(apply(dp, &p), 2, 1, 0, 0);
	assert_int_equal(row_of(dp, MAP_NETNS, 1).flags, SMC_POD_SHARED);
	assert_int_equal(row_of(dp, MAP_CGROUP, 4242).flags, 0);
	/* no pod, so nobody is told of it */
	assert_int_equal(datapath_each_netns(dp, count_pod, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(datapath_each_cgroup(dp, count_pod, &n), 0);
	assert_int_equal(n, 1);

	p.plan.pods[0].armed = false;
	p.plan.n_denied = 1;
	p.plan.denied = calloc(1, sizeof(*p.plan.denied));
	p.plan.denied[0].cgroup_id = 4242;
	p.plan.denied[0].value = (struct smc_pod){
		.pod_id = 1, .flags = SMC_POD_DENY, .uid = SMC_UID_ANY};
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	assert_int_equal(row_of(dp, MAP_CGROUP, 4242).flags, SMC_POD_DENY);

	p.plan.n_denied = 0;
	p.plan.shared_netns = 0;
	assert_did(apply(dp, &p), 0, 0, 1, 0);
	assert_int_equal(row_of(dp, MAP_NETNS, 1).flags, SMC_POD_SHARED);
	datapath_close(dp);
	remove_all();
}

static void test_full(void **state)
{
	struct datapath *dp = open_idle();
	const struct bpf_map *map =
		bpf_object__find_map_by_name(dp->obj, "smc_netns");
	size_t most = bpf_map__max_entries(map);
	struct any_plan some _plan_, more _plan_;
	int n = 0;

	plan_init(&some, most - 10, 5);
	plan_init(&more, most + 7, 5);
	assert_did(apply(dp, &some), most - 10 + 5, 1, 0, 0);
	/* the seven with the highest cookies find no room */
	more.plan.pods[0].value.uid = 1337;
	assert_did(apply(dp, &more), 10, 1, 0, 7);
	assert_int_equal(datapath_each_netns(dp, count_pod, &n), 0);
	assert_int_equal(n, most);
	for (size_t i = 0; i < most - 10; i++)
		row_of(dp, MAP_NETNS, some.plan.pods[i].netns_cookie);
	assert_int_equal(
		row_of(dp, MAP_NETNS, more.plan.pods[0].netns_cookie).uid,
		1337);
	/* again: still no room, nothing else happens */
	assert_did(apply(dp, &more), 0, 0, 0, 7);
	assert_did(apply(dp, &some), 0, 1, 10, 0);
	datapath_close(dp);
	remove_all();
}

/* CPU time, because others use this machine too; on an emulated CPU there is
 * no limit to keep. */
static void assert_under_a_second(clock_t start, const char *what)
{
	double spent = (double)(clock() - start) / CLOCKS_PER_SEC;

	print_message("# 150,000 endpoints, %s: %.3f s CPU\n", what, spent);
	if (!getenv("SMCMESH_EMULATED"))
		assert_true(spent < 1);
}

static void test_150000(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	clock_t start;

	plan_init(&p, 1, 150000);
	start = clock();
	assert_did(apply(dp, &p), 150001, 1, 0, 0);
	assert_under_a_second(start, "all new");
	start = clock();
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	assert_under_a_second(start, "nothing to do");
	p.plan.n_endpoints = 10;
	assert_did(apply(dp, &p), 0, 0, 149990, 0);
	assert_int_equal(endpoints_now(dp), 10);
	datapath_close(dp);
	remove_all();
}

/* A map type without batches, and one with crowded buckets. */
static void test_read_map(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, no_prealloc,
		    .map_flags = BPF_F_NO_PREALLOC);
	static const struct {
		enum bpf_map_type type;
		__u32 room;
		int n;
	} kinds[] = {{BPF_MAP_TYPE_HASH, 20000, 20000},
		     {BPF_MAP_TYPE_LRU_HASH, 20000, 10000},
		     {BPF_MAP_TYPE_LPM_TRIE, 20000, 20000},
		     {BPF_MAP_TYPE_ARRAY, 300, 300}};

	for (size_t k = 0; k < array_size(kinds); k++) {
		bool trie = kinds[k].type == BPF_MAP_TYPE_LPM_TRIE;
		bool array = kinds[k].type == BPF_MAP_TYPE_ARRAY;
		_cleanup_(rows_free) struct rows r = {.key_size = array ? 4 : 8,
						      .value_size = 4};
		unsigned int full = 0;
		_close_ int fd = -1;
		int err = 0;

		fd = bpf_map_create(kinds[k].type, "test", r.key_size, 4,
				    kinds[k].room, trie ? &no_prealloc : NULL);
		assert_true(fd >= 0);
		for (__u32 i = 0; i < (__u32)kinds[k].n; i++) {
			__u32 key[2] = {array ? i : 32, i};

			assert_int_equal(rows_add(&r, key, &i), 0);
		}
		assert_int_equal(map_write(fd, &r, 0, r.n, &full, &err), r.n);
		assert_int_equal(err, 0);
		r.n = 0;
		assert_int_equal(map_read(fd, &r), 0);
		assert_int_equal(r.n, kinds[k].n);
		for (size_t i = 0; i < r.n; i++)
			assert_memory_equal((char *)rows_key(&r, i) +
						    r.key_size - 4,
					    rows_value(&r, i), 4);
		if (array)
			continue;
		assert_int_equal(map_delete(fd, &r, &err), kinds[k].n);
		assert_int_equal(err, 0);
		assert_int_equal(map_delete(fd, &r, &err), 0);
		assert_int_equal(err, 0);
		assert_int_equal(map_read(fd, &r), 0);
		assert_int_equal(r.n, 0);
	}
}

struct sums {
	__u64 by_pod[4];
	int rows;
};

static int add_counter(const struct smc_counter_key *key, __u64 value,
		       void *arg)
{
	struct sums *s = arg;

	s->by_pod[key->pod_id] += value;
	s->rows++;
	return 0;
}

static void test_counters(void **state)
{
	struct datapath *dp = open_idle();
	int cpus = libbpf_num_possible_cpus();
	struct sums s = {};
	__u64 *slots = calloc(cpus, sizeof(*slots));

	for (__u32 pod = 1; pod <= 3; pod++)
		for (__u32 c = 0; c < 5; c++) {
			struct smc_counter_key key = {pod, c};

			for (int i = 0; i < cpus; i++)
				slots[i] = pod * 100 + i;
			assert_int_equal(
				bpf_map_update_elem(dp->map_fd[MAP_COUNTER],
						    &key, slots, BPF_ANY),
				0);
		}
	free(slots);
	assert_int_equal(datapath_each_counter(dp, add_counter, &s), 0);
	assert_int_equal(s.rows, 15);
	for (__u32 pod = 1; pod <= 3; pod++)
		assert_int_equal(s.by_pod[pod], 5 * (pod * 100 * cpus +
						     cpus * (cpus - 1) / 2));
	assert_int_equal(datapath_forget_pod(dp, 2), 0);
	memset(&s, 0, sizeof(s));
	assert_int_equal(datapath_each_counter(dp, add_counter, &s), 0);
	assert_int_equal(s.rows, 10);
	assert_int_equal(s.by_pod[2], 0);
	datapath_close(dp);
	remove_all();
}

static int stop_at_third(__u64 key, const struct smc_pod *v, void *arg)
{
	return ++*(int *)arg == 3 ? -ECANCELED : 0;
}

static void test_each_stops(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	int n = 0;

	plan_init(&p, 10, 0);
	apply(dp, &p);
	assert_int_equal(datapath_each_netns(dp, stop_at_third, &n),
			 -ECANCELED);
	assert_int_equal(n, 3);
	datapath_close(dp);
	remove_all();
}

/* ---- events: a TCP connection of an armed namespace ---- */

static __u64 own_cookie(void)
{
	_close_ int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(__u64);
	__u64 cookie = 0;

	assert_int_equal(
		getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len), 0);
	return cookie;
}

static void connect_once(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(to);
	_close_ int listener = socket(AF_INET, SOCK_STREAM, 0);
	_close_ int client = socket(AF_INET, SOCK_STREAM, 0);
	_close_ int server = -1;

	assert_int_equal(bind(listener, (void *)&to, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (void *)&to, &len), 0);
	assert_int_equal(connect(client, (void *)&to, len), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
}

static void on_event(const struct smc_event *e, void *arg)
{
	++((int *)arg)[e->type];
}

static int count_flow(__u64 cookie, const struct smc_flow *v, void *arg)
{
	++*(int *)arg;
	return 0;
}

static void test_events(void **state)
{
	struct datapath *dp = open_idle();
	struct pollfd p = {.fd = datapath_events_fd(dp), .events = POLLIN};
	int seen[SMC_EVENT_REFUSED + 1] = {}, flows = 0;
	struct any_plan plan _plan_;

	plan_init(&plan, 1, 0);
	plan.plan.pods[0].netns_cookie = own_cookie();
	apply(dp, &plan);
	assert_int_equal(datapath_events_read(dp, on_event, seen), 0);
	/* more than are handed over at once */
	for (int i = 0; i < 1000; i++)
		connect_once();
	while (poll(&p, 1, 0) == 1)
		assert_in_range(datapath_events_read(dp, on_event, seen), 1,
				1024);
	assert_int_equal(seen[SMC_EVENT_OPENED], 2000);
	assert_int_equal(datapath_each_flow(dp, count_flow, &flows), 0);
	assert_int_equal(flows, 2000);
	datapath_close(dp);
	remove_all();
}

/* ---- death at every step ---- */

#ifdef SMCMESH_FAULTS
static char fault[64];
static struct any_plan fault_plan;

static int open_and_apply(void)
{
	struct datapath_changes did;
	struct datapath *dp = NULL;

	setenv("SMCMESH_FAULT", fault, 1);
	if (datapath_open(&opt, &dp))
		return 1;
	return datapath_apply(dp, &fault_plan.plan, &fault_plan.config, &did)
		       ? 2
		       : 0;
}

static void die_at(const char *point, int passage, bool from_scratch)
{
	struct datapath *dp;

	dp = from_scratch ? NULL : open_idle();
	datapath_close(dp);
	snprintf(fault, sizeof(fault), "%s:%d", point, passage);
	assert_int_equal(in_child(open_and_apply), -SIGKILL);
	/* what was attached before still is */
	for (size_t i = 0; !from_scratch && i < array_size(cgroup_links); i++)
		assert_true(prog_of(cgroup_links[i]));
	if (!from_scratch && has_tracing)
		assert_true(prog_of("sock_refused"));
	dp = open_idle();
	assert_int_equal(datapath_check(dp), 0);
	apply(dp, &fault_plan);
	assert_did(apply(dp, &fault_plan), 0, 0, 0, 0);
	assert_int_equal(endpoints_now(dp), fault_plan.plan.n_endpoints);
	datapath_close(dp);
	remove_all();
}

static void test_death(void **state)
{
	static const char *const always[] = {"attach:flow_connect4",
					     "attach:flow_connect6",
					     "attach:flow_sockops",
					     "maps:quarter",
					     "maps:half",
					     "maps:three-quarters"};
	static const char *const tracing[] = {"attach:sock_refused",
					      "attach:connect_guard",
					      "attach:sockproto"};

	plan_init(&fault_plan, 3, 1000);
	for (int scratch = 0; scratch < 2; scratch++) {
		for (size_t i = 0; i < array_size(always); i++)
			die_at(always[i], 1, scratch);
		die_at("attach:flow_sockops", 2, scratch);
		for (size_t i = 0; has_tracing && i < array_size(tracing);
		     i++) {
			die_at(tracing[i], 1, scratch);
			die_at(tracing[i], 2, scratch);
		}
	}
	any_plan_free(&fault_plan);
}
#else
static void test_death(void **state)
{
	print_message("# only with FAULTS=1\n");
	skip();
}
#endif

/* ---- remove ---- */

static void test_remove(void **state)
{
	struct datapath *dp = open_idle();
	__u32 prog = prog_of("flow_connect6"), map;
	__u32 link = id_of(link_dir, "flow_sockops", PIN_LINK);
	_buf_ struct buf said = {}, again = {};

	map = id_of(dir, "smc_endpoint", PIN_MAP);
	datapath_close(dp);
	assert_int_equal(datapath_remove(&opt, false, &said), 0);
	if (has_tracing)
		assert_says(said.data, "removed converter sockproto\n");
	assert_says(said.data, "removed link flow_sockops\n");
	assert_says(said.data, "removed map smc_endpoint\n");
	assert_null(strstr(said.data, "left"));
	assert_int_equal(access(dir, F_OK), -1);
	wait_gone(bpf_link_get_fd_by_id, link);
	wait_gone(bpf_prog_get_fd_by_id, prog);
	wait_gone(bpf_map_get_fd_by_id, map);
	assert_int_equal(datapath_remove(&opt, false, &again), 0);
	assert_int_equal(again.len, 0);
}

static void test_remove_leaves_others(void **state)
{
	struct datapath *dp = open_idle();
	_close_ int map =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 4, 1, NULL);
	_buf_ struct buf said = {};

	assert_true(map >= 0);
	assert_int_equal(pin_put(map, dir, "my_map"), 0);
	assert_int_equal(pin_put(dp->link_fd[links_find("flow_connect6")],
				 link_dir, "my_link"),
			 0);
	datapath_close(dp);
	assert_int_equal(datapath_remove(&opt, false, &said), 0);
	assert_says(said.data, "my_map: not made by smcmesh\n");
	assert_says(said.data, "my_link: not made by smcmesh\n");
	assert_int_equal(count_pins(dir), 1);
	assert_int_equal(count_pins(link_dir), 1);
	assert_int_equal(pin_drop(dir, "my_map"), 1);
	assert_int_equal(pin_drop(link_dir, "my_link"), 1);
	remove_all();
}

/* ---- features ---- */

static void test_features(void **state)
{
	struct datapath_method methods[8];
	char top[PATH_MAX];
	struct features fs;
	size_t n;

	features_probe(&opt, &fs);
	assert_true(feature_present(&fs, FEATURE_BTF));
	assert_true(feature_present(&fs, FEATURE_BPFFS));
	assert_true(feature_present(&fs, FEATURE_CGROUP2));
	assert_true(feature_present(&fs, FEATURE_CAPABILITIES));
	for (int i = 0; i < FEATURE_MAX; i++)
		print_message("# %s: %s %s\n", feature_text(i)->label,
			      fs.v[i].state == FEATURE_PRESENT	 ? "yes"
			      : fs.v[i].state == FEATURE_MISSING ? "no"
								 : "unknown",
			      fs.v[i].detail);
	assert_int_equal(features_find_cgroup2("/proc", top, sizeof(top)), 0);
	assert_true(features_is_cgroup_root(top));
	assert_false(features_is_cgroup_root(cgroup));
	if (!feature_present(&fs, FEATURE_IPPROTO_SMC))
		assert_false(feature_present(&fs, FEATURE_HS_CTRL));
	n = datapath_methods(&fs, methods, array_size(methods));
	assert_int_equal(n, 2);
	assert_string_equal(methods[0].name, "sockproto");
	assert_string_equal(methods[1].name, "hs_ctrl");
	assert_int_equal(methods[1].possible,
			 feature_present(&fs, FEATURE_HS_CTRL));
	features_probe(&(struct datapath_options){.cgroup = "/proc"}, &fs);
	assert_int_equal(fs.v[FEATURE_CGROUP2].state, FEATURE_MISSING);
}

/* ---- the private world ---- */

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
}

static void join_cgroup(void)
{
	char path[PATH_MAX + 16];
	_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fprintf(f, "%d\n", getpid()) > 0);
}

static int fresh_bpffs(void **state)
{
	return mount("bpf", bpffs, "bpf", 0, NULL);
}

static int drop_bpffs(void **state)
{
	return umount2(bpffs, MNT_DETACH);
}

static int setup(void **state)
{
	struct features fs;

	char top[PATH_MAX - 64];

	log_level_set(LOG_WARN);
	assert_int_equal(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
	assert_int_equal(mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_non_null(mkdtemp(bpffs));
	snprintf(dir, sizeof(dir), "%s/%s", bpffs, SMC_PIN_DIR);
	snprintf(link_dir, sizeof(link_dir), "%s/%s/links", bpffs, SMC_PIN_DIR);
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

static int teardown(void **state)
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
	return rmdir(bpffs) | rmdir(cgroup);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh_bpffs, drop_bpffs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_features),
		TEST(test_nothing_without_smc),
		TEST(test_open),
		TEST(test_adopt),
		TEST(test_adopt_tracing),
		TEST(test_other_cgroup),
		TEST(test_read),
		TEST(test_two),
		TEST(test_other_version),
		TEST(test_other_definition),
		TEST(test_pin_of_another_kind),
		TEST(test_no_bpffs),
		TEST(test_no_cgroup2),
		TEST(test_no_capabilities),
		TEST(test_heal_pins),
		TEST(test_heal_detached),
		TEST(test_sweep),
		TEST(test_apply),
		TEST(test_refused_is_kept),
		TEST(test_cgroups),
		TEST(test_full),
		TEST(test_150000),
		TEST(test_read_map),
		TEST(test_counters),
		TEST(test_each_stops),
		TEST(test_events),
		TEST(test_death),
		TEST(test_remove),
		TEST(test_remove_leaves_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
