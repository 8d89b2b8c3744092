/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the kernel gave up SMC for one connection: SMC_CLC_DECL_* of
 * net/smc/smc_clc.h, and the negative errnos that end a handshake without a
 * fall-back (a connect() whose peer agreed to SMC and then failed).
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>

/* X(ID as in smc_clc.h, code, label, sentence, remedy): the last as in
 * smcmesh/reasons.h. */
/* clang-format off */
#define FALLBACKS(X)                                                           \
	X(MEM, 0x01010000, "no-memory",                                        \
	  "the kernel had no memory for the connection",                       \
	  "look for what fills the node's memory; RDMA devices also "          \
	  "need locked pages")                                                 \
	X(TIMEOUT_CL, 0x02010000, "confirm-link-timeout",                      \
	  "the RDMA link was not confirmed in time",                           \
	  "look after the RDMA network between the two nodes; smcmesh "        \
	  "endpoints shows the path")                                          \
	X(TIMEOUT_AL, 0x02020000, "add-link-timeout",                          \
	  "a second RDMA link was not added in time",                          \
	  "nothing to do: the connection has one link; if it is to "           \
	  "have two, look after the second RDMA port's network")               \
	X(CNFERR, 0x03000000, "configuration-error",                           \
	  "SMC is configured in a way that cannot work",                       \
	  "compare smcmesh doctor on both nodes; nothing else is known "       \
	  "of this one")                                                       \
	X(PEERNOSMC, 0x03010000, "peer-no-smc",                                \
	  "the option was not sent or not answered: the peer is not an "       \
	  "endpoint, or its listener is plain TCP",                            \
	  "smcmesh pods on the peer's node: a pod that is not armed "          \
	  "says why there, and a late listener is accelerated once its "       \
	  "pod is restarted")                                                  \
	X(IPSEC, 0x03020000, "ipsec",                                          \
	  "an IPsec policy covers the connection",                             \
	  "nothing to do: what IPsec covers stays TCP; exclude its "           \
	  "addresses to save the attempt")                                     \
	X(NOSMCDEV, 0x03030000, "no-device",                                   \
	  "no SMC device of either kind can carry the connection",             \
	  "give the pods an RDMA device, or shared memory on one node; "       \
	  "smcmesh doctor looks at both")                                      \
	X(NOSMCDDEV, 0x03030001, "no-smcd-device",                             \
	  "no SMC-D device can carry the connection",                          \
	  "use a kernel with shared memory (CONFIG_DIBS_LO, before "           \
	  "6.18 CONFIG_SMC_LO); smcmesh doctor looks")                         \
	X(NOSMCRDEV, 0x03030002, "no-smcr-device",                             \
	  "no RDMA device can carry the connection",                           \
	  "give the pod an RDMA device in its own network namespace, "         \
	  "with a GID of the pod's address, or a pnet id that its eth0 "       \
	  "and the device share (smc_pnet)")                                   \
	X(NOISM2SUPP, 0x03030003, "no-ism-v2",                                 \
	  "the shared-memory device cannot do version 2",                      \
	  "nothing can be done: it is the device's")                           \
	X(NOV2EXT, 0x03030004, "no-v2-extension",                              \
	  "the peer's proposal has no version 2 part",                         \
	  "see that both nodes have the same UEID (smcmesh doctor), and "      \
	  "RDMA devices that can do RoCEv2")                                   \
	X(NOV2DEXT, 0x03030005, "no-v2-smcd-extension",                        \
	  "the peer's proposal has no SMC-D version 2 part",                   \
	  "see that both ends have shared memory on the same node "            \
	  "(smcmesh doctor)")                                                  \
	X(NOSEID, 0x03030006, "no-seid",                                       \
	  "the two hosts share no system EID",                                 \
	  "nothing can be done on this hardware; with an equal UEID on "       \
	  "both nodes none is needed")                                         \
	X(NOSMCD2DEV, 0x03030007, "no-smcd-v2-device",                         \
	  "no SMC-D version 2 device can carry the connection",                \
	  "use a kernel with shared memory (CONFIG_DIBS_LO, before "           \
	  "6.18 CONFIG_SMC_LO); smcmesh doctor looks")                         \
	X(NOUEID, 0x03030008, "no-ueid",                                       \
	  "the two hosts share no UEID",                                       \
	  "give both nodes the same UEID: the SmcMesh's spec.ueid, or "        \
	  "smcd ueid add")                                                     \
	X(RELEASEERR, 0x03030009, "release-mismatch",                          \
	  "the two ends found no common SMC release",                          \
	  "run kernels on both nodes that are nearer in age")                  \
	X(MAXCONNERR, 0x0303000a, "max-connections-mismatch",                  \
	  "the two ends did not agree on connections per link group",          \
	  "set net.smc.smcr_max_conns_per_lgr alike on both ends")             \
	X(MAXLINKERR, 0x0303000b, "max-links-mismatch",                        \
	  "the two ends did not agree on links per link group",                \
	  "set net.smc.smcr_max_links_per_lgr alike on both ends")             \
	X(MODEUNSUPP, 0x03040000, "mode-mismatch",                             \
	  "one end offers RDMA only, the other shared memory only",            \
	  "give both pods the same kind of device: RDMA between nodes, "       \
	  "shared memory on one")                                              \
	X(RMBE_EC, 0x03050000, "eyecatcher",                                   \
	  "the peer writes eye catchers into its buffers",                     \
	  "nothing can be done: such peers are no Linux")                      \
	X(OPTUNSUPP, 0x03060000, "socket-option",                              \
	  "the program set a socket option that SMC lacks (TCP fast "          \
	  "open)",                                                             \
	  "switch TCP Fast Open off in the program, or take its "              \
	  "annotation away")                                                   \
	X(DIFFPREFIX, 0x03070000, "other-subnet",                              \
	  "the two ends are in different subnets (SMC-R version 1)",           \
	  "put both pods' devices into one subnet, or give both nodes "        \
	  "the same UEID and RoCEv2 GIDs: version 2 needs no common "          \
	  "subnet")                                                            \
	X(GETVLANERR, 0x03080000, "vlan-unknown",                              \
	  "the VLAN of the connection could not be found out",                 \
	  "nothing to do if it is rare: the route of the connection "          \
	  "went while it was made")                                            \
	X(ISMVLANERR, 0x03090000, "vlan-refused",                              \
	  "the VLAN could not be registered with the device",                  \
	  "let the device join the VLAN where it is administered")             \
	X(NOACTLINK, 0x030a0000, "no-active-link",                             \
	  "no RDMA link of the group is active",                               \
	  "look after the RDMA network between the two nodes; smcmesh "        \
	  "endpoints shows the path")                                          \
	X(NOSRVLINK, 0x030b0000, "no-server-link",                             \
	  "the server's RDMA link is not known here",                          \
	  "nothing to do if it is rare: a link went while the "                \
	  "connection was made")                                               \
	X(VERSMISMAT, 0x030c0000, "version-mismatch",                          \
	  "the two ends found no common SMC version",                          \
	  "run kernels on both nodes that are nearer in age, and see "         \
	  "that both have a UEID (smcmesh doctor)")                            \
	X(MAX_DMB, 0x030d0000, "too-many-buffers",                             \
	  "the shared-memory device has no buffer left",                       \
	  "close connections that are idle, or lower "                         \
	  "limits.connectionsPerPod in the SmcMesh's spec, so that no "        \
	  "pod takes all buffers")                                             \
	X(NOROUTE, 0x030e0000, "no-route",                                     \
	  "the RDMA device has no route to the peer",                          \
	  "give the pod a route to the peer's address by the RDMA "            \
	  "device's own interface")                                            \
	X(NOINDIRECT, 0x030f0000, "gateway-mismatch",                          \
	  "only one of the two ends reaches the other through a gateway",      \
	  "route both directions alike: both ends by the gateway, or "         \
	  "neither")                                                           \
	X(SYNCERR, 0x04000000, "out-of-step",                                  \
	  "the two ends disagree about the state of their link group",         \
	  "nothing to do if it is rare: the next connection makes a "          \
	  "new link group")                                                    \
	X(PEERDECL, 0x05000000, "peer-declined",                               \
	  "the peer declined during the handshake",                            \
	  "smcmesh flows on the peer's node has the reason")                   \
	X(INTERR, 0x09990000, "internal",                                      \
	  "an error inside the kernel's SMC",                                  \
	  "look at the kernel's log (dmesg) of both nodes; if nothing "        \
	  "is there, report it to whoever made the kernel")                    \
	X(ERR_RTOK, 0x09990001, "rtoken",                                      \
	  "the peer's memory key could not be used",                           \
	  "nothing to do if it is rare: the next connection makes a "          \
	  "new link group")                                                    \
	X(ERR_RDYLNK, 0x09990002, "link-not-ready",                            \
	  "the RDMA link could not be made ready",                             \
	  "look after the RDMA device: rdma link, and the kernel's log "       \
	  "(dmesg)")                                                           \
	X(ERR_REGBUF, 0x09990003, "buffer-registration",                       \
	  "the RDMA device could not register the buffers",                    \
	  "look for what fills the memory of the node or the table of "        \
	  "the device; fewer connections need less of both")
/* clang-format on */

/* FALLBACK_PEERNOSMC and its like. */
#define FALLBACK_ENUM(id, code, label, sentence, remedy) FALLBACK_##id = code,
enum { FALLBACKS(FALLBACK_ENUM) };

#define FALLBACK_LABEL_MAX 32

/*
 * fallback_label - The metrics' `code` label of a kernel code as struct
 * smc_flow has it (SMC_CLC_DECL_* or a negative errno as __u32): "none" for 0,
 * an errno's name in small letters, "other" for a code in no table.
 * Return: @text.
 */
const char *fallback_label(__u32 code, char text[FALLBACK_LABEL_MAX]);

/* fallback_sentence - The sentence for people; never NULL. */
const char *fallback_sentence(__u32 code);

/* fallback_remedy - What to do, or that nothing can be done; "" for 0 and for
 * a code in no table. */
const char *fallback_remedy(__u32 code);

/* fallback_known - Is there a row for it? */
bool fallback_known(__u32 code);

/* fallback_find - The code of the row with that label; of an errno as above.
 * Return: false: there is none, and @out is untouched. */
bool fallback_find(const char *label, __u32 *out);

/* fallback_is_errno - Is @code a negative errno, i.e. no fall-back at all? */
bool fallback_is_errno(__u32 code);
