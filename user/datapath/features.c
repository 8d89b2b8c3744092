// SPDX-License-Identifier: Apache-2.0
/*
 * Probes, one per row of features.h, each trying the thing itself. If the
 * kernel refuses for want of rights the answer is UNKNOWN, never MISSING.
 */
#include "datapath/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/inet_diag.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <mntent.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/ipproto.h"
#include "base/rpm_order.h"
#include "datapath/datapath.h"
#include "datapath/kbtf.h"

#ifndef AF_SMC
#define AF_SMC 43
#endif

#ifdef SMC_WITHOUT_HS_CTRL /* make SELECTOR=synfilter */
#define HS_CTRL_BUILT false
#else
#define HS_CTRL_BUILT true
#endif

#define SYS_LSM_LIST_MODULES 461 /* Linux >= 6.8, on every architecture */

struct probe {
	const struct datapath_options *opt;
	const struct kbtf *kbtf;     /* NULL: the kernel has none */
	const struct features *seen; /* from the probes before this one */
};

/* Set the answer of a probe, and what it saw. */
__attribute__((format(printf, 3, 4))) static void
say(struct feature_result *r, enum feature_state state, const char *fmt, ...)
{
	va_list ap;

	r->state = state;
	va_start(ap, fmt);
	vsnprintf(r->detail, sizeof(r->detail), fmt, ap);
	va_end(ap);
}

static void say_errno(struct feature_result *r, int err)
{
	if (err == -EPERM || err == -EACCES)
		say(r, FEATURE_UNKNOWN,
		    "not permitted: an LSM, lockdown, or "
		    "a missing capability");
	else
		say(r, FEATURE_MISSING, "%s", strerror(-err));
}

static void probe_btf(const struct probe *p, struct feature_result *r)
{
	if (p->kbtf)
		r->state = FEATURE_PRESENT;
	else
		say(r, FEATURE_MISSING, "cannot be read");
}

static void probe_bpffs(const struct probe *p, struct feature_result *r)
{
	struct statfs fs;

	if (statfs(p->opt->bpffs, &fs))
		say(r, FEATURE_MISSING, "%s: %s", p->opt->bpffs,
		    strerror(errno));
	else if (fs.f_type != BPF_FS_MAGIC)
		say(r, FEATURE_MISSING, "%s is no BPF file system",
		    p->opt->bpffs);
	else
		say(r, FEATURE_PRESENT, "%s", p->opt->bpffs);
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

bool features_is_cgroup_root(const char *path)
{
	char file[PATH_MAX];

	/* Only the root has no events (kernel/cgroup/cgroup.c,
	 * CFTYPE_NOT_ON_ROOT). */
	snprintf(file, sizeof(file), "%s/cgroup.events", path);
	return access(file, F_OK) != 0;
}

int features_find_cgroup2(const char *proc, char *out, size_t room)
{
	_fclose_ FILE *f = NULL;
	char path[256];
	struct mntent *m;

	snprintf(path, sizeof(path), "%s/self/mounts", proc);
	f = setmntent(path, "re");
	if (!f)
		return -errno;
	/* Hybrid hosts have it at /sys/fs/cgroup/unified, and containers may
	 * have it anywhere: the mount table tells. */
	while ((m = getmntent(f))) {
		if (strcmp(m->mnt_type, "cgroup2") || !is_cgroup2(m->mnt_dir) ||
		    !features_is_cgroup_root(m->mnt_dir))
			continue;
		if (strlen(m->mnt_dir) >= room)
			return -ENAMETOOLONG;
		strcpy(out, m->mnt_dir);
		return 0;
	}
	return -ENOENT;
}

static void probe_cgroup2(const struct probe *p, struct feature_result *r)
{
	char found[sizeof(r->detail)];
	int err;

	if (p->opt->cgroup) {
		if (is_cgroup2(p->opt->cgroup))
			say(r, FEATURE_PRESENT, "%s", p->opt->cgroup);
		else
			say(r, FEATURE_MISSING, "%s is not in a cgroup v2",
			    p->opt->cgroup);
		return;
	}
	err = features_find_cgroup2(p->opt->proc, found, sizeof(found));
	if (err)
		say(r, FEATURE_MISSING, "its root is not mounted here");
	else
		say(r, FEATURE_PRESENT, "%s", found);
}

static void probe_capabilities(const struct probe *p, struct feature_result *r)
{
	static const struct {
		unsigned int cap;
		const char *name;
	} need[] = {{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
		    {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		    {CAP_BPF, "CAP_BPF"},
		    {CAP_PERFMON, "CAP_PERFMON"}};
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {};
	size_t at = 0;

	if (syscall(SYS_capget, &head, data)) {
		say(r, FEATURE_UNKNOWN, "capget: %s", strerror(errno));
		return;
	}
	r->state = FEATURE_PRESENT;
	for (size_t i = 0; i < array_size(need); i++) {
		if (data[need[i].cap / 32].effective & 1U << need[i].cap % 32)
			continue;
		r->state = FEATURE_MISSING;
		at += snprintf(r->detail + at, sizeof(r->detail) - at, "%s%s",
			       at ? ", " : "without ", need[i].name);
	}
}

static void probe_ipproto_smc(const struct probe *p, struct feature_result *r)
{
	int number = ipproto_smc();

	if (number < 0)
		say_errno(r, number);
	else if (number == IPPROTO_SMC)
		r->state = FEATURE_PRESENT;
	else
		say(r, FEATURE_PRESENT, "its number is %d", number);
}

/* Can a program be loaded that overrides the result of @func? The probe does
 * not attach it: that would patch a function of the running kernel. */
static void try_fmod_ret(const struct probe *p, const char *func,
			 struct feature_result *r)
{
	const struct bpf_insn neutral[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = BPF_MODIFY_RETURN);
	_close_ int fd = -1;
	bool in_module;
	int id;

	if (!p->kbtf) {
		say(r, FEATURE_UNKNOWN, "needs BTF");
		return;
	}
	id = kbtf_id(p->kbtf, func, BTF_KIND_FUNC, &in_module);
	if (id < 0 || in_module) {
		say(r, FEATURE_MISSING, "no function %s", func);
		return;
	}
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "smcmesh_probe", "GPL",
			   neutral, array_size(neutral), &opts);
	if (fd >= 0)
		r->state = FEATURE_PRESENT;
	else
		say_errno(r, fd);
}

static void probe_sockproto(const struct probe *p, struct feature_result *r)
{
	try_fmod_ret(p, "update_socket_protocol", r);
}

static void probe_lsm_connect(const struct probe *p, struct feature_result *r)
{
	try_fmod_ret(p, "security_socket_connect", r);
}

static void probe_lsm_request(const struct probe *p, struct feature_result *r)
{
	try_fmod_ret(p, "security_inet_conn_request", r);
}

static void probe_hs_ctrl(const struct probe *p, struct feature_result *r)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/sys/net/smc/hs_ctrl", p->opt->proc);
	if (!HS_CTRL_BUILT)
		say(r, FEATURE_MISSING, "this build for tests leaves it out");
	else if (!p->kbtf)
		say(r, FEATURE_UNKNOWN, "needs BTF");
	else if (kbtf_id(p->kbtf, "bpf_struct_ops_smc_hs_ctrl", BTF_KIND_STRUCT,
			 NULL) < 0)
		say(r, FEATURE_MISSING, "no struct_ops smc_hs_ctrl");
	else if (access(path, F_OK))
		say(r, FEATURE_MISSING, "no sysctl net.smc.hs_ctrl");
	else
		r->state = FEATURE_PRESENT;
}

/* Devices know no such programs before: they are asked for lo's, which every
 * namespace has. */
static void probe_tcx(const struct probe *p, struct feature_result *r)
{
	const enum bpf_attach_type tcx_ingress =
		46; /* newer than some headers */
	const int lo = 1;
	LIBBPF_OPTS(bpf_prog_query_opts, q);
	int err = bpf_prog_query_opts(lo, tcx_ingress, &q);

	if (!err || err == -ENOENT)
		r->state = FEATURE_PRESENT;
	else
		say_errno(r, err);
}

static void probe_kern_ctx(const struct probe *p, struct feature_result *r)
{
	if (!p->kbtf)
		say(r, FEATURE_UNKNOWN, "needs BTF");
	else if (kbtf_id(p->kbtf, "bpf_cast_to_kern_ctx", BTF_KIND_FUNC, NULL) <
		 0)
		say(r, FEATURE_MISSING, "no function bpf_cast_to_kern_ctx");
	else
		r->state = FEATURE_PRESENT;
}

/* The names of the active security modules, separated by commas: read_lsm()
 * from the security file system, ask_lsm() by the system call, where that file
 * system is not mounted. Return: 0 or a negative errno. */
static int read_lsm(char *names, size_t room)
{
	_fclose_ FILE *f = fopen("/sys/kernel/security/lsm", "re");

	if (!f)
		return -errno;
	if (!fgets(names, room, f))
		names[0] = '\0';
	names[strcspn(names, "\n")] = '\0';
	return 0;
}

static int ask_lsm(char *names, size_t room)
{
	/* include/uapi/linux/lsm.h */
	static const struct {
		__u64 id;
		const char *name;
	} known[] = {{101, "selinux"},
		     {102, "smack"},
		     {103, "tomoyo"},
		     {104, "apparmor"}};
	__u64 ids[64];
	__u32 size = sizeof(ids);
	long n = syscall(SYS_LSM_LIST_MODULES, ids, &size, 0);
	size_t at = 0;

	names[0] = '\0';
	if (n < 0)
		return -errno;
	for (long i = 0; i < n && i < 64; i++)
		for (size_t k = 0; k < array_size(known); k++)
			if (ids[i] == known[k].id)
				at += snprintf(names + at, room - at, "%s%s",
					       at ? "," : "", known[k].name);
	return 0;
}

static void probe_no_socket_lsm(const struct probe *p, struct feature_result *r)
{
	static const char *const judges[] = {"selinux", "apparmor", "smack",
					     "tomoyo"};
	char names[256], *save = NULL, *name;
	int err;

	err = read_lsm(names, sizeof(names));
	if (err)
		err = ask_lsm(names, sizeof(names));
	/* A kernel with neither was built without security modules. */
	if (err == -ENOSYS && access("/sys/kernel/security", F_OK))
		err = 0;
	if (err) {
		say(r, FEATURE_UNKNOWN, "%s", strerror(-err));
		return;
	}
	r->state = FEATURE_PRESENT;
	for (name = strtok_r(names, ",", &save); name;
	     name = strtok_r(NULL, ",", &save))
		for (size_t i = 0; i < array_size(judges); i++)
			if (!strcmp(name, judges[i]))
				say(r, FEATURE_MISSING, "%s", name);
}

/* @hooks: ELF sections of programs that attach there. */
static void probe_hooks(const struct probe *p, const char *const *hooks,
			size_t n, struct feature_result *r)
{
	if (!p->kbtf) {
		say(r, FEATURE_UNKNOWN, "needs BTF");
		return;
	}
	r->state = FEATURE_PRESENT;
	for (size_t i = 0; i < n; i++)
		if (!kbtf_hook(p->kbtf, hooks[i]))
			say(r, FEATURE_MISSING, "no %s",
			    strchr(hooks[i], '/') + 1);
}

static void probe_smc_trace(const struct probe *p, struct feature_result *r)
{
	static const char *const hooks[] = {
		"tp_btf/smc_switch_to_fallback", "fexit/__smc_connect",
		"fexit/smc_connect_decline_fallback", "fentry/smc_listen_out",
		"fentry/smc_clcsock_release"};

	probe_hooks(p, hooks, array_size(hooks), r);
}

/* The rows of link_rows with LINK_RATION. */
static void probe_smc_count(const struct probe *p, struct feature_result *r)
{
	static const char *const hooks[] = {"tp_btf/smc_switch_to_fallback",
					    "fexit/__smc_connect",
					    "fentry/smc_listen_out",
					    "fexit/smc_inet_init_sock",
					    "fentry/smc_inet_destroy_sock",
					    "fexit/smc_create",
					    "fexit/smc_listen",
					    "fentry/smc_release"};

	probe_hooks(p, hooks, array_size(hooks), r);
}

/* Ask socket diagnosis for the SMC sockets of this namespace; the kernel loads
 * smc_diag for it, if that is a module. Return: 0 or a negative errno. */
static int ask_smc_diag(void)
{
	struct {
		struct nlmsghdr head;
		struct {
			struct sock_diag_req common;
			__u8 pad[2];
			struct inet_diag_sockid id;
		} req; /* struct smc_diag_req */
	} ask = {.head = {.nlmsg_len = sizeof(ask),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		 .req.common.sdiag_family = AF_SMC};
	const struct timeval limit = {.tv_sec = 2};
	union {
		struct nlmsghdr head;
		char bytes[8192];
	} got;
	const struct nlmsgerr *e;
	_close_ int fd = -1;
	ssize_t n;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    send(fd, &ask, sizeof(ask), 0) < 0)
		return -errno;
	n = recv(fd, &got, sizeof(got), 0);
	if (n < 0)
		return -errno;
	e = NLMSG_DATA(&got.head);
	if ((size_t)n < NLMSG_LENGTH(sizeof(*e)) ||
	    got.head.nlmsg_type != NLMSG_ERROR)
		return 0;
	return e->error;
}

static void probe_smc_diag(const struct probe *p, struct feature_result *r)
{
	int err = ask_smc_diag();

	if (err)
		say_errno(r, err);
	else
		r->state = FEATURE_PRESENT;
}

/* Has the directory @dir of sysfs an entry @only (NULL: any)? */
static void probe_class(const char *dir, const char *only,
			struct feature_result *r)
{
	_closedir_ DIR *d = opendir(dir);
	struct dirent *e;

	say(r, FEATURE_MISSING, "%s is %s", dir, d ? "empty" : "not there");
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || (only && strcmp(e->d_name, only)))
			continue;
		say(r, FEATURE_PRESENT, "%.64s", e->d_name);
		return;
	}
}

static void probe_loopback(const struct probe *p, struct feature_result *r)
{
	/* "lo" of the class dibs (drivers/dibs/dibs_loopback.c). Before dibs
	 * SMC had its own loopback device (net/smc/smc_loopback.c) and showed
	 * it only in its netlink. */
	if (feature_present(p->seen, FEATURE_IPPROTO_SMC) &&
	    access("/sys/class/dibs", F_OK))
		say(r, FEATURE_UNKNOWN, "no dibs: only SMC's netlink tells");
	else
		probe_class("/sys/class/dibs", "lo", r);
}

static void probe_rdma(const struct probe *p, struct feature_result *r)
{
	probe_class("/sys/class/infiniband", NULL, r);
}

static const struct feature_text texts[] = {
#define FEATURE_TEXT(id, label, since, what, loss, how) \
	[FEATURE_##id] = {label, since, what, loss, how},
	FEATURES(FEATURE_TEXT)
#undef FEATURE_TEXT
};

static void (*const probes[])(const struct probe *p,
			      struct feature_result *r) = {
	[FEATURE_BTF] = probe_btf,
	[FEATURE_BPFFS] = probe_bpffs,
	[FEATURE_CGROUP2] = probe_cgroup2,
	[FEATURE_CAPABILITIES] = probe_capabilities,
	[FEATURE_IPPROTO_SMC] = probe_ipproto_smc,
	[FEATURE_SOCKPROTO] = probe_sockproto,
	[FEATURE_HS_CTRL] = probe_hs_ctrl,
	[FEATURE_LSM_CONNECT] = probe_lsm_connect,
	[FEATURE_LSM_REQUEST] = probe_lsm_request,
	[FEATURE_NO_SOCKET_LSM] = probe_no_socket_lsm,
	[FEATURE_SMC_TRACE] = probe_smc_trace,
	[FEATURE_SMC_DIAG] = probe_smc_diag,
	[FEATURE_LOOPBACK] = probe_loopback,
	[FEATURE_RDMA] = probe_rdma,
	[FEATURE_SMC_COUNT] = probe_smc_count,
	[FEATURE_TCX] = probe_tcx,
	[FEATURE_KERN_CTX] = probe_kern_ctx,
};
_Static_assert(array_size(probes) == FEATURE_MAX, "a probe for every row");

const struct feature_text *feature_text(enum feature f)
{
	return &texts[f];
}

const char *feature_state_word(enum feature_state state)
{
	static const char *const words[] = {[FEATURE_UNKNOWN] = "unknown",
					    [FEATURE_MISSING] = "missing",
					    [FEATURE_PRESENT] = "present"};

	return words[state];
}

const char *feature_how(enum feature f, const char *release,
			char text[FEATURE_HOW_MAX])
{
	const struct feature_text *t = feature_text(f);

	if (rpm_order(release, t->since) < 0)
		snprintf(text, FEATURE_HOW_MAX, "Linux >= %s is needed: %s",
			 t->since, t->how);
	else
		snprintf(text, FEATURE_HOW_MAX, "%s", t->how);
	return text;
}

bool features_have(const struct features *fs, const enum feature *needs)
{
	for (; *needs != FEATURE_MAX; needs++)
		if (fs->v[*needs].state != FEATURE_PRESENT)
			return false;
	return true;
}

bool features_lack(const struct features *fs, const enum feature *needs)
{
	for (; *needs != FEATURE_MAX; needs++)
		if (fs->v[*needs].state == FEATURE_MISSING)
			return true;
	return false;
}

static struct datapath_options with_defaults(const struct datapath_options *opt)
{
	return (struct datapath_options){
		.bpffs = opt->bpffs ? opt->bpffs : DATAPATH_BPFFS,
		.cgroup = opt->cgroup,
		.proc = opt->proc ? opt->proc : DATAPATH_PROC,
	};
}

void features_probe(const struct datapath_options *opt, struct features *out)
{
	const struct datapath_options o = with_defaults(opt);
	struct probe p = {.opt = &o, .seen = out};
	_kbtf_ struct kbtf *kbtf = NULL;

	memset(out, 0, sizeof(*out));
	/* libbpf warns much about what a kernel lacks. */
	libbpf_set_print(NULL);
	/* First, because it loads the module, which brings its own BTF. */
	probe_ipproto_smc(&p, &out->v[FEATURE_IPPROTO_SMC]);
	kbtf = kbtf_open();
	p.kbtf = kbtf;
	for (size_t i = 0; i < FEATURE_MAX; i++)
		if (i != FEATURE_IPPROTO_SMC)
			probes[i](&p, &out->v[i]);
}

void features_renew(const struct datapath_options *opt, struct features *fs)
{
	static const enum feature these[] = {FEATURE_BPFFS, FEATURE_CGROUP2,
					     FEATURE_LOOPBACK, FEATURE_RDMA};
	const struct datapath_options o = with_defaults(opt);
	const struct probe p = {.opt = &o, .seen = fs};

	for (size_t i = 0; i < array_size(these); i++) {
		enum feature f = these[i];

		fs->v[f] = (struct feature_result){};
		probes[f](&p, &fs->v[f]);
	}
}
