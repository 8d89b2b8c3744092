// SPDX-License-Identifier: Apache-2.0
/* A new check is a row below and, above, its probe function. */
#include "doctor/checks.h"

#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "doctor/fix_checks.h"
#include "doctor/hook_checks.h"
#include "doctor/kernel_checks.h"
#include "doctor/rdma_checks.h"
#include "doctor/smcr_checks.h"
#include "doctor/vendor_checks.h"
#include "node/encrypt.h"
#include "node/probe.h"

/* ---- asking ---- */

static enum check_status ask_ueid(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f)
{
	for (unsigned int i = 0; i < d->ueids.n; i++)
		buf_printf(&f->found, "%s%s", i ? ", " : "", d->ueids.v[i]);
	if (!d->ueids.n)
		buf_printf(&f->found, "the kernel has no UEID");
	return check_wrong(c, !d->ueids.n);
}

static enum check_status always_so(const struct doctor_check *c,
				   const struct doctor *d, struct finding *f)
{
	buf_printf(&f->found, "so it is in every kernel with SMC, Linux %s too",
		   d->host.release);
	return check_wrong(c, true);
}

/* Is the hook there? */
static enum check_status ask_feature(const struct doctor_check *c,
				     const struct doctor *d, enum feature hook,
				     struct finding *f)
{
	const struct feature_result *is = &d->features.v[hook];

	buf_printf(&f->found, "%s is %s%s%s", feature_text(hook)->what,
		   feature_state_word(is->state), *is->detail ? ": " : "",
		   is->detail);
	return check_wrong(c, is->state != FEATURE_PRESENT);
}

static enum check_status ask_lsm_connect(const struct doctor_check *c,
					 const struct doctor *d,
					 struct finding *f)
{
	return ask_feature(c, d, FEATURE_LSM_CONNECT, f);
}

static enum check_status ask_count(const struct doctor_check *c,
				   const struct doctor *d, struct finding *f)
{
	return ask_feature(c, d, FEATURE_SMC_COUNT, f);
}

static enum check_status ask_lsm_request(const struct doctor_check *c,
					 const struct doctor *d,
					 struct finding *f)
{
	return ask_feature(c, d, FEATURE_LSM_REQUEST, f);
}

/* Landlock has TCP rules from its ABI 4 on; its own system call tells, since
 * securityfs is often not mounted. */
static enum check_status ask_landlock(const struct doctor_check *c,
				      const struct doctor *d, struct finding *f)
{
	const unsigned int create_ruleset_version = 1;
	long abi = syscall(__NR_landlock_create_ruleset, NULL, 0,
			   create_ruleset_version);

	if (abi > 0)
		buf_printf(&f->found, "Landlock is on, ABI %ld", abi);
	return check_wrong(c, abi >= 4);
}

static enum check_status ask_selinux(const struct doctor_check *c,
				     const struct doctor *d, struct finding *f)
{
	const char *path = "/sys/fs/selinux/enforce";
	char line[8];
	int err = host_first_line(&d->host, path, line, sizeof(line));

	if (!err)
		buf_printf(&f->found, "%s is %s", path, line);
	else if (err != -ENOENT)
		buf_printf(&f->found, "%s: %s", path, strerror(-err));
	if (err && err != -ENOENT)
		return CHECK_UNKNOWN;
	return check_wrong(c, *line == '1');
}

/* Is the node switched on, and its agent silent for longer than the lease? */
static enum check_status ask_agent(const struct doctor_check *c,
				   const struct doctor *d, struct finding *f)
{
	struct smc_config config;

	if (!d->maps || datapath_config(d->maps, &config) || !config.enabled) {
		buf_printf(&f->found, "no agent of this version has switched "
				      "this node on");
		return CHECK_SKIP;
	}
	if (datapath_offers_left(&config) > 0)
		return CHECK_PASS;
	buf_printf(&f->found, "the map smc_config says that it is over");
	return check_wrong(c, true);
}

static enum check_status ask_encryption(const struct doctor_check *c,
					const struct doctor *d,
					struct finding *f)
{
	char text[ENCRYPT_TEXT_MAX];
	int got = encrypt_find(text);

	if (got > 0)
		buf_printf(&f->found, "this node has %s", text);
	else if (got < 0)
		buf_printf(&f->found,
			   "WireGuard and IPsec cannot be looked for: %s",
			   strerror(-got));
	return got < 0 ? CHECK_UNKNOWN : check_wrong(c, got);
}

/* Pods' own devices cannot be seen from here; if the host has none either, the
 * agent reports that when it arms a pod. */
static enum check_status ask_path_probes(const struct doctor_check *c,
					 const struct doctor *d,
					 struct finding *f)
{
	bool missing;

	if (!d->n_rdma) {
		buf_printf(&f->found, "the host has no RDMA device");
		return CHECK_SKIP;
	}
	missing = probe_check(d->proc) == -ENODEV;
	if (missing)
		buf_printf(&f->found, "there is no /dev/infiniband/rdma_cm");
	return check_wrong(c, missing);
}

static enum check_status ask_inotify(const struct doctor_check *c,
				     const struct doctor *d, struct finding *f)
{
	_close_ int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0)
		buf_printf(&f->found, "inotify_init1: %s", strerror(errno));
	return check_wrong(c, fd < 0);
}

/* ---- the rows ---- */

static const enum feature smc[] = {FEATURE_IPPROTO_SMC, FEATURE_MAX};

/* clang-format off */
const struct doctor_check doctor_checks[] = {
	{"kernel", CHECK_FAIL, NULL, ask_kernel,
	 "No connection of this node can be SMC, whatever pods are annotated: all stay TCP.",
	 NULL},
	{"smc-module", CHECK_FAIL, NULL, ask_smc_module,
	 "There are no SMC sockets until the module smc is loaded: all stays TCP.",
	 "modprobe smc; and for the next boot name it in a file of /etc/modules-load.d."},
	{"smc-blacklisted", CHECK_FAIL, NULL, ask_smc_blocked,
	 "The kernel may not load the module smc when an SMC socket is asked for: all stays TCP.",
	 "Remove that line, or load the module by name before the agent starts."},
	{"smc-vendor", CHECK_WARN, NULL, ask_smc_vendor,
	 "The module smc is not this kernel's own, as drivers of network cards bring one along: it may lack IPPROTO_SMC and smc_hs_ctrl, and answers as if SMC were not there.",
	 "Take net/smc out of the package or driver container that brings it, then depmod -a, and load the kernel's own."},
	{"smc-refused", CHECK_FAIL, NULL, ask_smc_refused,
	 "An LSM or a seccomp filter refuses SMC sockets to whoever asked here: if it does the same in pods, these are disarmed (reason refused) or not armed (trial-failed), and stay TCP.",
	 "See the audit log for who refused it, and allow family 2, type 1, protocol 256, or in SELinux the class of such sockets."},
	{"ipproto-number", CHECK_WARN, NULL, ask_ipproto_number,
	 "SMC sockets have another protocol number here than mainline Linux gives them: a seccomp filter or an LSM that knows only 256 may refuse them.",
	 "Let such filters allow family 2, type 1, protocol 263."},
	{"smc-fixes", CHECK_WARN, NULL, ask_fixes,
	 "Known faults of the kernel's SMC are not mended in it: by some of them a pod's program, or a peer, may crash the node or get at its memory.",
	 NULL},
	{"ueid", CHECK_WARN, smc, ask_ueid,
	 "On x86 every SMC handshake falls back to TCP without a UEID.",
	 "The agent adds the configured one when it runs."},
	{"ueid-mesh", CHECK_WARN, NULL, ask_ueid_mesh,
	 "Nodes without the UEID of the mesh are another fabric: connections to their pods stay TCP, reason not-endpoint.",
	 "Set the same spec.ueid for all of them; smcmesh doctor there says which the kernel has (check ueid)."},
	{"signal-during-connect", CHECK_WARN,
	 smc, always_so,
	 "A signal that interrupts a blocking connect() of an SMC socket can break that connection, to any destination: a bug of the kernel's SMC.",
	 "Programs whose signal handlers run during connect() should not be annotated."},
	{"second-connect", CHECK_WARN, smc, ask_lsm_connect,
	 "A second connect() call during a non-blocking one may fail on SMC sockets: the hook that prevents it is missing.",
	 NULL},
	{"handshake-rations", CHECK_WARN, smc, ask_count,
	 "SMC handshakes under way cannot be counted: a pod that opens very many connections to addresses that do not answer, armed or not, holds up every SMC listener of the node.",
	 NULL},
	{"busy-listener", CHECK_WARN, smc, ask_lsm_request,
	 "Clients of a listener in an annotated pod whose accept queue is full, plain TCP ones too, may be reset: the hook that lets their SYNs wait is missing.",
	 NULL},
	{"landlock", CHECK_WARN, smc, ask_landlock,
	 "Landlock's TCP rules do not see SMC sockets: programs in annotated pods that confine themselves so are not confined.",
	 NULL},
	{"selinux", CHECK_WARN, smc, ask_selinux,
	 "SELinux enforces, and sees SMC sockets as raw IP sockets: a policy may refuse them (the pod is then disarmed, reason refused), and where it lets a domain use them, its rules on which ports may be connected to (name_connect) do not hold for the sockets of annotated pods.",
	 NULL},
	{"other-hooks", CHECK_WARN, smc,
	 ask_other_hooks, "Another BPF program decides which protocol sockets get, as mptcpify does: sockets of annotated pods that it decides on may stay what it makes of them.", "Take that program away, or have it leave annotated pods alone: bpftool prog show id ID names who made it."},
	{"foreign-selector", CHECK_WARN, smc, ask_foreign_selector,
	 "A pod in such a namespace is not armed (reason foreign-selector): somebody else selects its handshakes.",
	 "If nobody needs it, clear it there: nsenter --net=PATH sysctl -w net.smc.hs_ctrl= ."},
	{"sockmap", CHECK_WARN, smc, ask_sockmap,
	 "A program of type sock_ops may put sockets of pods below that cgroup in a map, and take over their data: with the TCP sockets inside of SMC ones that breaks connections.",
	 "Do not annotate pods there, or take that program away: bpftool prog show id ID names who made it."},
	{"synproxy", CHECK_WARN, NULL, ask_synproxy,
	 "Connections to which that rule answers in the place of the server stay TCP: it answers without the SMC option (fall-back peer-no-smc).",
	 "Leave connections between pods out of that rule."},
	{"memory-budget", CHECK_WARN, NULL, ask_memory_budget,
	 "When the limit is reached new connections are TCP (reason budget) until others have ended.",
	 "Raise spec.limits.memoryPercent of SmcMesh, or annotate fewer pods."},
	{"agent-silent", CHECK_FAIL, NULL, ask_agent,
	 "The agent of this node gave no sign of life for longer than the lease (SmcMesh spec.lease), or heard nothing of who is an endpoint: clients of armed pods open plain TCP connections until it does. Open SMC connections go on, and offers are answered.",
	 "Look at its pod in the namespace smcmesh-system, or at systemctl status smcmesh."},
	{"encryption", CHECK_WARN, smc, ask_encryption,
	 "Data over RDMA would pass by what encrypts the traffic between nodes: there is no smcr, unless SmcMesh's spec.allowUnencrypted is true.",
	 NULL},
	{"rdma-type", CHECK_WARN, NULL, ask_rdma_type,
	 "Linux' own SMC takes RoCE devices alone: no iWARP, which eRDMA may be, and no InfiniBand link layer. There is no SMC-R over this one.",
	 "Use it in a RoCE v2 mode, if its driver has one, or another NIC."},
	{"rdma-port", CHECK_WARN, NULL, ask_rdma_port,
	 "There is no SMC-R over a port until it is active.",
	 "See its cable, the switch, and ip link."},
	{"rdma-gid", CHECK_WARN, NULL, ask_rdma_gid,
	 "Without such a GID there is no SMC-Rv2 over this port; SMC-Rv1 takes a GID of RoCE v1, and only peers of the same IPv4 prefix (else 0x03070000).",
	 "Give its netdev an IPv4 address: smcmesh node setup, or ip addr add."},
	{"rdma-netns", CHECK_WARN, NULL, ask_rdma_netns,
	 "In exclusive mode a pod can use an RDMA device only if that was moved into its namespace: there is no smcr between other pods.",
	 "rdma system set netns shared, while there is no network namespace but the host's: early in the boot, or by the option netns_mode=1 of the module ib_core."},
	{"soft-roce", CHECK_WARN, NULL, ask_soft_roce,
	 "Soft RoCE (rdma_rxe) of this kernel sends and receives in the host's namespace alone: a device made in a pod's is shown as active and carries nothing. There is no smcr for that pod.",
	 "Have such pods use the host's network, or take a newer kernel: 7.3 has soft RoCE in each namespace."},
	{"auxiliary-nic", CHECK_WARN, NULL, ask_auxiliary_nic,
	 "The NIC of an RDMA device belongs to a CNI or a pod: smcmesh node setup leaves it alone, and the host's other pods have no SMC-R over it.",
	 "Where it is Terway, do the guide's step: put the NIC on Terway's ENI white list, so that it does not manage it; then smcmesh node setup."},
	{"smcr-subnet", CHECK_WARN, smc, ask_smcr_subnet,
	 "SMC-Rv2 takes a connection only if its own address is in a subnet of the RDMA netdev and its route leads over that: others are TCP (0x03030002, 0x030e0000).",
	 "Give the RDMA netdev in the pod an address of the pod's subnet, and route to the peers by it."},
	{"pnet", CHECK_WARN, smc, ask_pnet,
	 "A netdev with a PNET id has SMC-R by the RDMA devices of that id alone: by none, or another one, its connections are TCP (0x03030002).",
	 "Give both the same id, or take it away; with smc-tools: smc_pnet -d ID, smc_pnet -a ID -D DEVICE."},
	{"reserved-ports", CHECK_WARN, NULL, ask_reserved_ports,
	 "Alibaba Cloud's kernels keep 16 TCP ports of each namespace for eRDMA: while a program has one there may be no SMC-R, and afterwards no program gets one.",
	 "Move those programs to other ports, and add the ports to the sysctl net.ipv4.ip_local_reserved_ports."},
	{"path-probes", CHECK_FAIL, smc, ask_path_probes,
	 "No RDMA path can be probed, and none is used (reason path-unproven).",
	 "modprobe rdma_ucm."},
	{"held-device", CHECK_WARN, NULL, ask_held_device,
	 "The kernel could not let go of the network device of a deleted pod for that long: the pod stays Terminating meanwhile, and while such a line comes every ten seconds no other namespace can be taken down either.",
	 "On Alibaba Cloud Linux 5.10.134-16.3 see the check alinux-hotfix. Elsewhere restart what still has sockets of that pod, or reboot, and update the kernel."},
	{"alinux-16.3", CHECK_FAIL, NULL, ask_alinux_older,
	 "Alibaba Cloud's guide takes this kernel for too old for SMC between pods of a mesh.",
	 "Update the kernel (yum update kernel) to 5.10.134-17.3 or later, and reboot."},
	{"alinux-17.3", CHECK_WARN, NULL, ask_alinux_newer,
	 "Alibaba Cloud's newer guide (ASM 1.23 and later) takes this kernel for too old for SMC between pods of a mesh; the older one (ASM 1.21) is content with 5.10.134-16.3.",
	 "Update the kernel (yum update kernel) to 5.10.134-17.3 or later, and reboot."},
	{"alinux-tcp2smc", CHECK_WARN, NULL, ask_tcp2smc,
	 "Alibaba Cloud Linux 4 has the sysctl no more: pods that ask the erdma-controller for it (network.alibabacloud.com/erdma-smcr) do not start here. smcmesh does not use it.",
	 "Annotate such pods smc.asm.alibabacloud.com/enabled in its place."},
	{"alinux-hotfix", CHECK_WARN, NULL, ask_alinux_hotfix,
	 "With this kernel the device of a deleted pod that spoke SMC may never become free (check held-device), and the pod stays Terminating.",
	 "yum install kernel-hotfix-16664924-5.10.134-16.3, or update the kernel to 5.10.134-17.3 or later and reboot."},
	{"inotify", CHECK_WARN, NULL, ask_inotify,
	 "No inotify instance is left for this user: the agent finds pods seconds after they start, and what they open before that is late.",
	 "Raise the sysctl fs.inotify.max_user_instances; an agent that runs notices."},
	{},
};
/* clang-format on */

/* ---- saying ---- */

const char *check_status_word(enum check_status status)
{
	static const char *const words[] = {
		[CHECK_SKIP] = "skip",	     [CHECK_PASS] = "pass",
		[CHECK_WARN] = "warn",	     [CHECK_FAIL] = "fail",
		[CHECK_UNKNOWN] = "unknown",
	};

	return words[status];
}

const char *check_meaning(const char *id)
{
	for (const struct doctor_check *c = doctor_checks; c->id; c++)
		if (!strcmp(c->id, id))
			return c->means;
	for (int f = 0; f < FEATURE_MAX; f++)
		if (!strcmp(feature_text(f)->label, id))
			return feature_text(f)->loss;
	return NULL;
}

void finding_free(struct finding *f)
{
	buf_free(&f->found);
	buf_free(&f->means);
	buf_free(&f->fix);
}

/* Return: are all there? */
static bool has_needs(const struct doctor_check *c, const struct doctor *d,
		      struct finding *f)
{
	for (const enum feature *n = c->needs; n && *n != FEATURE_MAX; n++) {
		if (feature_present(&d->features, *n))
			continue;
		buf_printf(&f->found, "%s: %s", feature_text(*n)->label,
			   feature_state_word(d->features.v[*n].state));
		return false;
	}
	return true;
}

void doctor_ask(const struct doctor_check *c, const struct doctor *d,
		struct finding *out)
{
	if (!has_needs(c, d, out))
		return;
	out->status = c->probe(c, d, out);
	if (out->status == CHECK_PASS || out->status == CHECK_SKIP)
		return;
	if (!out->means.len)
		buf_printf(&out->means, "%s", c->means);
	if (!out->fix.len && c->fix)
		buf_printf(&out->fix, "%s", c->fix);
}
