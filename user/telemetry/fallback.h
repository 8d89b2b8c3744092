/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the kernel gave up SMC for one connection: SMC_CLC_DECL_* of
 * net/smc/smc_clc.h, and the negative errnos that end a handshake without a
 * fall-back (a connect() whose peer agreed to SMC and then failed).
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>

/* X(ID as in smc_clc.h, code, label, sentence) */
#define FALLBACKS(X)                                                           \
	X(MEM, 0x01010000, "no-memory",                                        \
	  "the kernel had no memory for the connection")                       \
	X(TIMEOUT_CL, 0x02010000, "confirm-link-timeout",                      \
	  "the RDMA link was not confirmed in time")                           \
	X(TIMEOUT_AL, 0x02020000, "add-link-timeout",                          \
	  "a second RDMA link was not added in time")                          \
	X(CNFERR, 0x03000000, "configuration-error",                           \
	  "SMC is configured in a way that cannot work")                       \
	X(PEERNOSMC, 0x03010000, "peer-no-smc",                                \
	  "the option was not sent or not answered: the peer is not an "       \
	  "endpoint, or its listener is plain TCP")                            \
	X(IPSEC, 0x03020000, "ipsec", "an IPsec policy covers the connection") \
	X(NOSMCDEV, 0x03030000, "no-device",                                   \
	  "no SMC device of either kind can carry the connection")             \
	X(NOSMCDDEV, 0x03030001, "no-smcd-device",                             \
	  "no SMC-D device can carry the connection")                          \
	X(NOSMCRDEV, 0x03030002, "no-smcr-device",                             \
	  "no RDMA device can carry the connection")                           \
	X(NOISM2SUPP, 0x03030003, "no-ism-v2",                                 \
	  "the shared-memory device cannot do version 2")                      \
	X(NOV2EXT, 0x03030004, "no-v2-extension",                              \
	  "the peer's proposal has no version 2 part")                         \
	X(NOV2DEXT, 0x03030005, "no-v2-smcd-extension",                        \
	  "the peer's proposal has no SMC-D version 2 part")                   \
	X(NOSEID, 0x03030006, "no-seid", "the two hosts share no system EID")  \
	X(NOSMCD2DEV, 0x03030007, "no-smcd-v2-device",                         \
	  "no SMC-D version 2 device can carry the connection")                \
	X(NOUEID, 0x03030008, "no-ueid", "the two hosts share no UEID")        \
	X(RELEASEERR, 0x03030009, "release-mismatch",                          \
	  "the two ends found no common SMC release")                          \
	X(MAXCONNERR, 0x0303000a, "max-connections-mismatch",                  \
	  "the two ends did not agree on connections per link group")          \
	X(MAXLINKERR, 0x0303000b, "max-links-mismatch",                        \
	  "the two ends did not agree on links per link group")                \
	X(MODEUNSUPP, 0x03040000, "mode-mismatch",                             \
	  "one end offers RDMA only, the other shared memory only")            \
	X(RMBE_EC, 0x03050000, "eyecatcher",                                   \
	  "the peer writes eye catchers into its buffers")                     \
	X(OPTUNSUPP, 0x03060000, "socket-option",                              \
	  "the program set a socket option that SMC lacks (TCP fast open)")    \
	X(DIFFPREFIX, 0x03070000, "other-subnet",                              \
	  "the two ends are in different subnets (SMC-R version 1)")           \
	X(GETVLANERR, 0x03080000, "vlan-unknown",                              \
	  "the VLAN of the connection could not be found out")                 \
	X(ISMVLANERR, 0x03090000, "vlan-refused",                              \
	  "the VLAN could not be registered with the device")                  \
	X(NOACTLINK, 0x030a0000, "no-active-link",                             \
	  "no RDMA link of the group is active")                               \
	X(NOSRVLINK, 0x030b0000, "no-server-link",                             \
	  "the server's RDMA link is not known here")                          \
	X(VERSMISMAT, 0x030c0000, "version-mismatch",                          \
	  "the two ends found no common SMC version")                          \
	X(MAX_DMB, 0x030d0000, "too-many-buffers",                             \
	  "the shared-memory device has no buffer left")                       \
	X(NOROUTE, 0x030e0000, "no-route",                                     \
	  "the RDMA device has no route to the peer")                          \
	X(NOINDIRECT, 0x030f0000, "gateway-mismatch",                          \
	  "only one of the two ends reaches the other through a gateway")      \
	X(SYNCERR, 0x04000000, "out-of-step",                                  \
	  "the two ends disagree about the state of their link group")         \
	X(PEERDECL, 0x05000000, "peer-declined",                               \
	  "the peer declined during the handshake")                            \
	X(INTERR, 0x09990000, "internal", "an error inside the kernel's SMC")  \
	X(ERR_RTOK, 0x09990001, "rtoken",                                      \
	  "the peer's memory key could not be used")                           \
	X(ERR_RDYLNK, 0x09990002, "link-not-ready",                            \
	  "the RDMA link could not be made ready")                             \
	X(ERR_REGBUF, 0x09990003, "buffer-registration",                       \
	  "the RDMA device could not register the buffers")

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

/* fallback_is_errno - Is @code a negative errno, i.e. no fall-back at all? */
bool fallback_is_errno(__u32 code);
