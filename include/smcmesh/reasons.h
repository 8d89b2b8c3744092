/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Why a flow stayed TCP, and why a pod is not armed: one table.
 *
 * X(ID, label, sentence, remedy)
 *   ID        enum smc_reason SMC_REASON_ID; the number is its place in its
 *             part of the table, so a row is only ever added at the end of one
 *   label     the value of the metrics' `reason` label and of JSON
 *   sentence  what a person reads
 *   remedy    what that person can do; or it begins with "nothing" and says why
 *             nothing can, or need, be done. No \ or " in it, for the manual
 * has it as it stands
 *
 * FLOW rows are answers of the verdict function (bpf/verdict.bpf.h); POD rows
 * are answers of user/mesh about a whole pod.
 */
#pragma once

/* clang-format off */
#define SMC_REASONS_FLOW(X)                                                    \
	X(NONE, "none",                                                        \
	  "accelerated",                                                       \
	  "nothing to do")                                                     \
	X(MESH_OFF, "mesh-off",                                                \
	  "the mesh switch is off",                                            \
	  "switch it on if flows should be accelerated: spec.enabled "         \
	  "of the SmcMesh default, or spec.smcEnabled of the "                 \
	  "ASMMeshConfig default")                                             \
	X(NOT_ARMED, "not-armed",                                              \
	  "the pod is not armed",                                              \
	  "smcmesh pods on its node says why the pod is not armed")            \
	X(LOOPBACK, "loopback",                                                \
	  "both ends are in the same pod",                                     \
	  "nothing to do: connections inside one pod are never offered "       \
	  "SMC")                                                               \
	X(EXCLUDED_PORT, "excluded-port",                                      \
	  "the port is excluded",                                              \
	  "if it should be accelerated, take the port out of the "             \
	  "exclude annotations of the pod and its Namespace, and out "         \
	  "of the SmcMesh's spec.excludePorts")                                \
	X(EXCLUDED_CIDR, "excluded-cidr",                                      \
	  "the peer's address is in an excluded CIDR",                         \
	  "if it should be accelerated, take the CIDR out of the "             \
	  "SmcMesh's spec.excludeCIDRs")                                       \
	X(QUARANTINED, "quarantined",                                          \
	  "the peer misbehaved and is not offered SMC for a while",            \
	  "smcmesh quarantine says what the peer did and until when it "       \
	  "lasts; once the peer is mended: smcmesh quarantine clear "          \
	  "ADDRESS:PORT")                                                      \
	X(NOT_ENDPOINT, "not-endpoint",                                        \
	  "the peer is not an endpoint",                                       \
	  "annotate the peer's pod, too, and restart it; smcmesh "             \
	  "endpoints lists whom SMC may be offered to; for an address "        \
	  "that is no pod's of the mesh nothing can be done")                  \
	X(NO_COMMON_TRANSPORT, "no-common-transport",                          \
	  "the two ends share no transport",                                   \
	  "between nodes give both pods an RDMA device, on one node "          \
	  "use a kernel with shared memory; smcmesh pods shows what "          \
	  "each pod has, smcmesh doctor what its node lacks")                  \
	X(MIXED_SERVICE, "mixed-service",                                      \
	  "not every backend of the service is an endpoint",                   \
	  "annotate the pods of every backend of the Service, or "             \
	  "connect to the pods themselves, as with a headless Service; "       \
	  "smcmesh endpoints names the backend that is missing")               \
	X(OTHER_UID, "other-uid",                                              \
	  "the socket is not the sidecar proxy's, and only the proxy's "       \
	  "are converted",                                                     \
	  "nothing to do: beside a sidecar the proxy's own connections "       \
	  "are the ones that leave the pod")                                   \
	X(NOT_CONVERTED, "not-converted",                                      \
	  "the socket is plain TCP: opened before the pod was armed, "         \
	  "not by socket(), or a listener's beyond the ration",                \
	  "restart the pod: what its program then opens is converted; "        \
	  "sockets made by io_uring stay TCP, nothing can be done "            \
	  "about these")                                                       \
	X(MAP_FULL, "map-full",                                                \
	  "a map of the datapath is full, so the flow was not offered "        \
	  "SMC",                                                               \
	  "run fewer connections at a time on this node: nothing else "        \
	  "makes room for more")                                               \
	X(NOT_OFFERED, "not-offered",                                          \
	  "the client did not offer SMC",                                      \
	  "smcmesh flows on the client's node says why it did not "            \
	  "offer; for a client outside of the mesh nothing can be done")       \
	X(CHANGED, "changed",                                                  \
	  "the flow was judged before its peer became an endpoint, or "        \
	  "before another change that would allow it by now",                  \
	  "smcmesh reopen NAMESPACE/POD ends such flows of a pod; what "       \
	  "its program opens then is accelerated")                             \
	X(RATIONED, "rationed",                                                \
	  "the pod, or the node, has as many SMC handshakes under way "        \
	  "as it may have",                                                    \
	  "close SMC sockets that neither listen nor are connected, or "       \
	  "open fewer at a time; or raise limits.pendingPerPod and "           \
	  "pendingPerNode in the SmcMesh's spec")                              \
	X(LISTENER_BUSY, "listener-busy",                                      \
	  "the listener's accept queue is more than half full, or small",      \
	  "give listen() a larger backlog, and net.core.somaxconn in "         \
	  "the pod with it, or have the server accept faster; a "              \
	  "backlog of 1 never suffices")                                       \
	X(BUDGET, "budget",                                                    \
	  "the pod, or the node, has as many SMC connections or "              \
	  "buffers as it may have",                                            \
	  "close connections that are idle, or raise "                         \
	  "limits.connectionsPerPod and memoryPercent in the SmcMesh's "       \
	  "spec")                                                              \
	X(AGENT_SILENT, "agent-silent",                                        \
	  "the agent of this node gave no sign of life for longer than "       \
	  "the lease",                                                         \
	  "get this node's agent to run: look at its pod in the "              \
	  "namespace smcmesh-system, or at systemctl status smcmesh")          \
	X(PATH_UNPROVEN, "path-unproven",                                      \
	  "the RDMA path to the peer is not proven yet, or gave no "           \
	  "sign of life for seconds while another handshake tries one, "       \
	  "or the peer leaves handshakes unfinished",                          \
	  "wait a second, the agent probes it; if it stays so smcmesh "        \
	  "endpoints shows the path and smcmesh doctor whether paths "         \
	  "can be probed; then smcmesh reopen NAMESPACE/POD")                  \
	X(PATH_BAD, "path-bad",                                                \
	  "the RDMA path to the peer is broken, and no probe has shown "       \
	  "otherwise yet",                                                     \
	  "look after the RDMA network between the two nodes; smcmesh "        \
	  "endpoints shows the path and how long it is kept so before "        \
	  "it is probed again")
/* clang-format on */

/* clang-format off */
#define SMC_REASONS_POD(X)                                                     \
	X(NOT_ANNOTATED, "not-annotated",                                      \
	  "the pod is not annotated smc.asm.alibabacloud.com/enabled: "        \
	  "true",                                                              \
	  "if it should be accelerated, annotate it in its template "          \
	  "and restart it")                                                    \
	X(BAD_ANNOTATION, "bad-annotation",                                    \
	  "an annotation of the pod has a value that is not understood",       \
	  "correct the annotation: the sentence names the value and "          \
	  "what was expected")                                                 \
	X(POD_ENDED, "pod-ended",                                              \
	  "the pod has ended",                                                 \
	  "nothing to do: it has no sockets any more")                         \
	X(NO_NETNS, "no-netns",                                                \
	  "the pod's network namespace was not found",                         \
	  "wait until it has started; then see that the agent runs "           \
	  "with hostPID and the host's proc, and that kubelet and the "        \
	  "container engine use the same cgroup driver; in a file "            \
	  "source the annotation smcmesh.io/netns names it")                   \
	X(NO_CONVERTER, "no-converter",                                        \
	  "this kernel cannot make SMC sockets of TCP sockets",                \
	  "smcmesh doctor says what this kernel lacks and which kernel "       \
	  "has it")                                                            \
	X(NO_SELECTOR, "no-selector",                                          \
	  "this kernel cannot select who is offered SMC",                      \
	  "smcmesh doctor says what this kernel lacks and which kernel "       \
	  "has it")                                                            \
	X(FOREIGN_SELECTOR, "foreign-selector",                                \
	  "the namespace has an smc_hs_ctrl that is not ours",                 \
	  "if the other one is not wanted, take it away inside of the "        \
	  "namespace: echo > /proc/sys/net/smc/hs_ctrl; the agent sees "       \
	  "it within a minute")                                                \
	X(SELECTOR_FAILED, "selector-failed",                                  \
	  "the selector could not be set in the namespace",                    \
	  "the agent tries again each minute; if it stays so, see what "       \
	  "the error in the sentence says, and whether an LSM denies "         \
	  "the agent /proc/sys/net/smc/hs_ctrl")                               \
	X(TRIAL_FAILED, "trial-failed",                                        \
	  "a trial SMC socket was refused in the namespace",                   \
	  "see whether an LSM or a seccomp filter refuses SMC sockets "        \
	  "(smcmesh doctor, the audit log), or whether memory is "             \
	  "short; the agent tries again each minute")                          \
	X(REFUSED, "refused",                                                  \
	  "the kernel refused to make an SMC socket for the pod",              \
	  "let the LSM, seccomp filter or limit that refused it allow "        \
	  "SMC sockets (the audit log names it), then take the pod's "         \
	  "annotation away and set it again, or restart the pod")              \
	X(OWNER_RULE, "owner-rule",                                            \
	  "whom the sidecar's redirect lets pass cannot be told, or "          \
	  "the nftables rule that its proxy needs could not be made",          \
	  "have the sidecar's rules let its proxy pass by user or "            \
	  "group, up to four of them, in a chain that comes after "            \
	  "priority -110, or use a proxy that does; else nothing can "         \
	  "be done")                                                           \
	X(NO_CGROUP2, "no-cgroup2",                                            \
	  "a hostNetwork pod is told apart by its cgroup v2, and there "       \
	  "is none",                                                           \
	  "boot the node with systemd.unified_cgroup_hierarchy=1, or "         \
	  "give the pod a network namespace of its own")                       \
	X(NO_TRANSPORT, "no-transport",                                        \
	  "neither an RDMA device nor shared memory is usable in the "         \
	  "pod",                                                               \
	  "give the pod an RDMA device, or use a kernel with "                 \
	  "CONFIG_DIBS_LO (before 6.18 CONFIG_SMC_LO), and see that a "        \
	  "UEID is set; smcmesh doctor looks at all three")                    \
	X(NO_ADDRESS, "no-address",                                            \
	  "none of the pod's addresses is in its namespace",                   \
	  "see that the network plugin puts an address of "                    \
	  "status.podIPs into the pod's namespace; where it is "               \
	  "translated on the way nothing can be done")                         \
	X(ADDRESS_CONFLICT, "address-conflict",                                \
	  "another pod created at the same time claims the same address",      \
	  "delete one of the two pods, or give it another address")            \
	X(POD_MAP_FULL, "pod-map-full",                                        \
	  "the map of armed pods, or that of excluded ports, has no "          \
	  "room for the pod",                                                  \
	  "exclude fewer ports, or let fewer pods of this node be "            \
	  "annotated")                                                         \
	X(FORWARDS, "forwards",                                                \
	  "connections to the pod end elsewhere: in a guest, in a "            \
	  "namespace inside of it, or where rules of its own send them",       \
	  "nothing to do while it hands connections on; if the rule "          \
	  "that the sentence names is not needed, remove it and "              \
	  "restart the pod")                                                   \
	X(OTHER_PRODUCT, "other-product",                                      \
	  "the pod is annotated for the erdma-controller, too: "               \
	  "network.alibabacloud.com/erdma-smcr: true",                         \
	  "take one of the two annotations out of the pod's template, "        \
	  "and restart it: what the erdma-controller converts offers "         \
	  "SMC to every address") \
	X(BAD_CGROUP, "bad-cgroup",                                            \
	  "the cgroup of its own that a file's entry names is not there, "     \
	  "or not its own",                                                    \
	  "name in smcmesh.io/cgroup the cgroup v2 as /proc/PID/cgroup "       \
	  "has it after 0::, below the mount, of a unit that runs: one "       \
	  "entry for each, none of them above another's or the agent's")
/* clang-format on */

#define SMC_REASONS(X) SMC_REASONS_FLOW(X) SMC_REASONS_POD(X)

/* The reasons of pods begin here: so a new one of flows renumbers none. */
#define SMC_REASON_POD 100

#define SMC_REASON_ENUM(id, label, sentence, remedy) SMC_REASON_##id,
enum smc_reason {
	SMC_REASONS_FLOW(SMC_REASON_ENUM) SMC_REASON_FLOW_MAX,
	SMC_REASON_POD_BEFORE = SMC_REASON_POD - 1,
	SMC_REASONS_POD(SMC_REASON_ENUM) SMC_REASON_MAX
};
#undef SMC_REASON_ENUM
