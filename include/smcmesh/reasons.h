/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Why a flow stayed TCP, and why a pod is not armed: one table.
 *
 * X(ID, label, sentence)
 *   ID        enum smc_reason SMC_REASON_ID; the number is its place in its
 *             part of the table, so a row is only ever added at the end of one
 *   label     the value of the metrics' `reason` label and of JSON
 *   sentence  what a person reads
 *
 * FLOW rows are answers of the verdict function (bpf/verdict.bpf.h); POD rows
 * are answers of user/mesh about a whole pod.
 */
#pragma once

/* clang-format off */
#define SMC_REASONS_FLOW(X)                                                    \
	X(NONE, "none", "accelerated")                                         \
	X(MESH_OFF, "mesh-off", "the mesh switch is off")                      \
	X(NOT_ARMED, "not-armed", "the pod is not armed")                      \
	X(LOOPBACK, "loopback", "both ends are in the same pod")               \
	X(EXCLUDED_PORT, "excluded-port", "the port is excluded")              \
	X(EXCLUDED_CIDR, "excluded-cidr",                                      \
	  "the peer's address is in an excluded CIDR")                         \
	X(QUARANTINED, "quarantined",                                          \
	  "the peer misbehaved and is not offered SMC for a while")            \
	X(NOT_ENDPOINT, "not-endpoint", "the peer is not an endpoint")         \
	X(NO_COMMON_TRANSPORT, "no-common-transport",                          \
	  "the two ends share no transport")                                   \
	X(MIXED_SERVICE, "mixed-service",                                      \
	  "not every backend of the service is an endpoint")                   \
	X(OTHER_UID, "other-uid",                                              \
	  "the socket is not the sidecar proxy's, and only the proxy's are "   \
	  "converted")                                                         \
	X(NOT_CONVERTED, "not-converted",                                      \
	  "the socket is plain TCP: opened before the pod was armed, not by "  \
	  "socket(), or a listener's beyond the ration")                                                       \
	X(MAP_FULL, "map-full",                                                \
	  "a map of the datapath is full, so the flow was not offered SMC")    \
	X(NOT_OFFERED, "not-offered", "the client did not offer SMC")          \
	X(CHANGED, "changed",                                                  \
	  "the flow was judged before its peer became an endpoint, or before " \
	  "another change that would allow it by now")                         \
	X(RATIONED, "rationed",                                                \
	  "the pod, or the node, has as many SMC handshakes under way as it "  \
	  "may have")                                                          \
	X(LISTENER_BUSY, "listener-busy",                                      \
	  "the listener's accept queue is more than half full, or small")      \
	X(BUDGET, "budget",                                                    \
	  "the pod, or the node, has as many SMC connections or buffers as it "\
	  "may have")                                                          \
	X(AGENT_SILENT, "agent-silent",                                        \
	  "the agent of this node gave no sign of life for longer than the "   \
	  "lease")                                                             \
	X(PATH_UNPROVEN, "path-unproven",                                      \
	  "the RDMA path to the peer is not proven yet, or gave no sign of "   \
	  "life for seconds while another handshake tries one, or the peer "   \
	  "leaves handshakes unfinished")                                      \
	X(PATH_BAD, "path-bad",                                                \
	  "the RDMA path to the peer is broken, and no probe has shown "       \
	  "otherwise yet")
/* clang-format on */

/* clang-format off */
#define SMC_REASONS_POD(X)                                                     \
	X(NOT_ANNOTATED, "not-annotated",                                      \
	  "the pod is not annotated smc.asm.alibabacloud.com/enabled: true")   \
	X(BAD_ANNOTATION, "bad-annotation",                                    \
	  "an annotation of the pod has a value that is not understood")       \
	X(POD_ENDED, "pod-ended", "the pod has ended")                         \
	X(NO_NETNS, "no-netns", "the pod's network namespace was not found")   \
	X(NO_CONVERTER, "no-converter",                                        \
	  "this kernel cannot make SMC sockets of TCP sockets")                \
	X(NO_SELECTOR, "no-selector",                                          \
	  "this kernel cannot select who is offered SMC")                      \
	X(FOREIGN_SELECTOR, "foreign-selector",                                \
	  "the namespace has an smc_hs_ctrl that is not ours")                 \
	X(SELECTOR_FAILED, "selector-failed",                                  \
	  "the selector could not be set in the namespace")                    \
	X(TRIAL_FAILED, "trial-failed",                                        \
	  "a trial SMC socket was refused in the namespace")                   \
	X(REFUSED, "refused",                                                  \
	  "the kernel refused to make an SMC socket for the pod")              \
	X(OWNER_RULE, "owner-rule",                                            \
	  "whom the sidecar's redirect lets pass cannot be told, or the "       \
	  "nftables rule that its proxy needs could not be made")               \
	X(NO_CGROUP2, "no-cgroup2",                                            \
	  "a hostNetwork pod is told apart by its cgroup v2, and there is none")\
	X(NO_TRANSPORT, "no-transport",                                        \
	  "neither an RDMA device nor shared memory is usable in the pod")     \
	X(NO_ADDRESS, "no-address",                                            \
	  "none of the pod's addresses is in its namespace")                   \
	X(ADDRESS_CONFLICT, "address-conflict",                                \
	  "another pod created at the same time claims the same address")      \
	X(POD_MAP_FULL, "pod-map-full",                                        \
	  "the map of armed pods, or that of excluded ports, has no room for "  \
	  "the pod")                                                           \
	X(FORWARDS, "forwards",                                                \
	  "connections to the pod end elsewhere: in a guest, in a namespace "  \
	  "inside of it, or where rules of its own send them")
/* clang-format on */

#define SMC_REASONS(X) SMC_REASONS_FLOW(X) SMC_REASONS_POD(X)

/* The reasons of pods begin here: so a new one of flows renumbers none. */
#define SMC_REASON_POD 100

#define SMC_REASON_ENUM(id, label, sentence) SMC_REASON_##id,
enum smc_reason {
	SMC_REASONS_FLOW(SMC_REASON_ENUM) SMC_REASON_FLOW_MAX,
	SMC_REASON_POD_BEFORE = SMC_REASON_POD - 1,
	SMC_REASONS_POD(SMC_REASON_ENUM) SMC_REASON_MAX
};
#undef SMC_REASON_ENUM
