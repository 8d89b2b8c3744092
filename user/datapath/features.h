/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel can do: one table, each row probed by trying the thing,
 * never by a version number. The loader, doctor and the metrics read it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* X(ID, label, since which Linux or "", what it is, what is lost without it,
 * how to get it). Since is advice, for whoever runs an older one. */
/* clang-format off */
#define FEATURES(X)                                                            \
	X(BTF, "btf", "",                                                      \
	  "kernel type information (/sys/kernel/btf/vmlinux)",                 \
	  "no BPF program of ours can be loaded",                              \
	  "use a kernel built with CONFIG_DEBUG_INFO_BTF")                     \
	X(BPFFS, "bpffs", "",                                                  \
	  "a mounted BPF file system",                                         \
	  "nothing can be pinned, so nothing would survive the agent",         \
	  "mount -t bpf bpf /sys/fs/bpf")                                      \
	X(CGROUP2, "cgroup2", "",                                              \
	  "a mounted cgroup v2 hierarchy",                                     \
	  "no recorder sockops, and hostNetwork pods cannot be told "          \
	  "apart",                                                             \
	  "mount -t cgroup2 none /sys/fs/cgroup/unified")                      \
	X(CAPABILITIES, "capabilities", "",                                    \
	  "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_SYS_ADMIN",             \
	  "BPF programs cannot be loaded or pod namespaces not entered",       \
	  "run the agent as root or with these capabilities")                  \
	X(IPPROTO_SMC, "ipproto_smc", "6.11",                                  \
	  "sockets of protocol IPPROTO_SMC",                                   \
	  "there is nothing to convert TCP sockets to",                        \
	  "use a kernel built with CONFIG_SMC, and modprobe smc")              \
	X(SOCKPROTO, "sockproto", "6.6",                                       \
	  "the hook fmod_ret/update_socket_protocol",                          \
	  "TCP sockets cannot be converted by BPF",                            \
	  "use a kernel built with CONFIG_MPTCP and BPF tracing")              \
	X(HS_CTRL, "hs_ctrl", "6.19",                                          \
	  "BPF struct_ops smc_hs_ctrl",                                        \
	  "handshakes are selected packet by packet, on every device of a "    \
	  "pod",                                                               \
	  "use a kernel built with CONFIG_SMC_HS_CTRL_BPF")                    \
	X(LSM_CONNECT, "lsm_connect", "",                                      \
	  "BPF on security_socket_connect",                                    \
	  "a second connect() during a non-blocking one may fail",             \
	  "use a kernel with CONFIG_SECURITY_NETWORK")                         \
	X(LSM_REQUEST, "lsm_request", "",                                      \
	  "BPF on security_inet_conn_request",                                 \
	  "clients of a busy SMC listener, plain ones too, may be reset",      \
	  "use a kernel with CONFIG_SECURITY_NETWORK")                         \
	X(NO_SOCKET_LSM, "no_socket_lsm", "",                                  \
	  "no security module (selinux, apparmor, smack, tomoyo) that "        \
	  "may refuse sockets",                                                \
	  "while a pod is armed every socket() of the node runs "              \
	  "through a hook that notices refusals",                              \
	  "nothing to do; or leave them out of lsm= on the command line")      \
	X(SMC_TRACE, "smc_trace", "",                                          \
	  "BPF on the kernel's SMC functions",                                 \
	  "no recorder smc, and fall-back reasons are not recorded",           \
	  "use a kernel with CONFIG_SMC and BTF for it")                       \
	X(SMC_DIAG, "smc_diag", "",                                            \
	  "socket diagnosis of SMC",                                           \
	  "cleanup cannot tell whether SMC sockets are open",                  \
	  "modprobe smc_diag")                                                 \
	X(LOOPBACK, "smcd_loopback", "",                                       \
	  "the loopback device for SMC-D",                                     \
	  "no shared memory between pods of this node",                        \
	  "use a kernel built with CONFIG_DIBS_LO (before 6.18 "               \
	  "CONFIG_SMC_LO)")                                                    \
	X(RDMA, "rdma", "",                                                    \
	  "an RDMA device",                                                    \
	  "no SMC-R between nodes",                                            \
	  "add an RDMA NIC, or soft RoCE: rdma link add rxe0 type rxe "        \
	  "netdev eth0")                                                       \
	X(SMC_COUNT, "smc_count", "6.11",                                      \
	  "BPF on the functions by which SMC sockets come and go",             \
	  "SMC handshakes under way are not rationed: one pod, armed "         \
	  "or not, can hold up those of the whole node",                       \
	  "use a kernel built with CONFIG_SMC and BTF for it")                 \
	X(TCX, "tcx", "6.6",                                                   \
	  "BPF links on devices (tcx)",                                        \
	  "without smc_hs_ctrl no handshake can be selected",                  \
	  "use a kernel built with CONFIG_NET_SCH_INGRESS")                     \
	X(KERN_CTX, "kern_ctx", "6.2",                                         \
	  "BPF that finds a packet's namespace (bpf_cast_to_kern_ctx)",        \
	  "without smc_hs_ctrl no handshake can be selected",                  \
	  "use a kernel built with BTF")
/* clang-format on */

#define FEATURE_ENUM(id, label, since, what, loss, how) FEATURE_##id,
enum feature { FEATURES(FEATURE_ENUM) FEATURE_MAX };
#undef FEATURE_ENUM

enum feature_state {
	FEATURE_UNKNOWN = 0, /* the probe could not try: see detail */
	FEATURE_MISSING,
	FEATURE_PRESENT,
};

struct feature_result {
	enum feature_state state;
	char detail[96]; /* "" or what it saw: a path, an errno's text */
};

struct features {
	struct feature_result v[FEATURE_MAX];
};

struct feature_text {
	const char *label, *since, *what, *loss, *how;
};

/* feature_text - The row of @f in the table. */
const struct feature_text *feature_text(enum feature f);

/* feature_state_word - "unknown", "missing", "present". */
const char *feature_state_word(enum feature_state state);

#define FEATURE_HOW_MAX 128

/*
 * feature_how - How to get it on the machine that runs @release (uname's, e.g.
 * "6.8.0-52-generic"): names the version that first had it only to whoever runs
 * an older one. Return: @text.
 */
const char *feature_how(enum feature f, const char *release,
			char text[FEATURE_HOW_MAX]);

/* features_probe - Try them all. Nothing of that outlives the call, but the
 * kernel may load its own modules smc and smc_diag. */
struct datapath_options;
void features_probe(const struct datapath_options *opt, struct features *out);

/* features_renew - Try those of @fs again that come and go while a kernel runs:
 * mounts and devices. */
void features_renew(const struct datapath_options *opt, struct features *fs);

/* features_is_cgroup_root - Is it the root of the cgroup v2 hierarchy, not a
 * part that a cgroup namespace shows? Programs attached to a part do not see
 * the pods outside it. */
bool features_is_cgroup_root(const char *path);

/* features_find_cgroup2 - The first mount of the root of the cgroup v2
 * hierarchy, by the mount table below @proc. Return: 0, -ENOENT or another
 * negative errno. */
int features_find_cgroup2(const char *proc, char *out, size_t room);

static inline bool feature_present(const struct features *fs, enum feature f)
{
	return fs->v[f].state == FEATURE_PRESENT;
}

/* features_have - Are all of @needs present? @needs: ended by FEATURE_MAX. */
bool features_have(const struct features *fs, const enum feature *needs);

/* features_lack - Is one of @needs missing? One that could not be tried is
 * not. */
bool features_lack(const struct features *fs, const enum feature *needs);

/* ---- methods.c: what follows for converters, selectors and recorders ---- */

/* features_converter, features_selector - The name of the one that a datapath
 * with these features would take, or "none". */
const char *features_converter(const struct features *fs);
const char *features_selector(const struct features *fs);

/*
 * features_capable - Can this kernel make connections SMC? PRESENT: it has a
 * converter and a selector. MISSING: every pair of them lacks something,
 * whatever the features are that could not be tried. UNKNOWN: those decide.
 */
enum feature_state features_capable(const struct features *fs);

/*
 * features_say - Append the same in words: the converter and selector, and what
 * they cannot do; or what each lacks.
 */
struct buf;
void features_say(const struct features *fs, struct buf *out);

/* features_decides - Does the converter or the selector that would be taken
 * need it, or, where none can be, any? */
bool features_decides(const struct features *fs, enum feature f);
