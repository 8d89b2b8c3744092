/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * What the datapath counts, per pod: one table.
 *
 * X(ID, metric, labels, sentence)
 *   ID       enum smc_counter_id SMC_COUNTER_ID; its place is its number
 *   metric   the Prometheus family, without the prefix smcmesh_ and the suffix
 *            _total
 *   labels   further labels of this row, "" for none
 *   sentence the HELP text (rows of one family say the same)
 *
 * Bypassed flows are counted per reason, at SMC_COUNTER_REASON + reason.
 */
#pragma once

#include <smcmesh/abi.h>
#include <smcmesh/reasons.h>

#define SMC_FLOWS_HELP "TCP connections of armed pods by what became of them."
#define SMC_RATIONED_HELP                                             \
	"Sockets that stayed TCP, or were refused, because too many " \
	"SMC handshakes were under way."

/* clang-format off */
#define SMC_COUNTERS(X)                                                        \
	X(SOCKETS_CONVERTED, "sockets_converted", "",                          \
	  "Sockets that became SMC sockets when they were opened.")            \
	X(CONVERSIONS_REFUSED, "conversions_refused", "",                      \
	  "Converted sockets that the kernel then refused.")                   \
	X(FLOWS_CLIENT_SMCR, "flows", "role=\"client\",outcome=\"smcr\"",      \
	  SMC_FLOWS_HELP)                                                      \
	X(FLOWS_CLIENT_SMCD, "flows", "role=\"client\",outcome=\"smcd\"",      \
	  SMC_FLOWS_HELP)                                                      \
	X(FLOWS_CLIENT_TCP, "flows", "role=\"client\",outcome=\"tcp\"",        \
	  SMC_FLOWS_HELP)                                                      \
	X(FLOWS_CLIENT_FALLBACK, "flows",                                      \
	  "role=\"client\",outcome=\"fallback\"", SMC_FLOWS_HELP)              \
	X(FLOWS_CLIENT_FAILED, "flows", "role=\"client\",outcome=\"failed\"",  \
	  SMC_FLOWS_HELP)                                                      \
	X(FLOWS_SERVER_SMCR, "flows", "role=\"server\",outcome=\"smcr\"",      \
	  SMC_FLOWS_HELP)                                                      \
	X(FLOWS_SERVER_SMCD, "flows", "role=\"server\",outcome=\"smcd\"",      \
	  SMC_FLOWS_HELP)                                                      \
	X(FLOWS_SERVER_TCP, "flows", "role=\"server\",outcome=\"tcp\"",        \
	  SMC_FLOWS_HELP)                                                      \
	X(FLOWS_SERVER_FALLBACK, "flows",                                      \
	  "role=\"server\",outcome=\"fallback\"", SMC_FLOWS_HELP)              \
	X(FLOWS_SERVER_FAILED, "flows", "role=\"server\",outcome=\"failed\"",  \
	  SMC_FLOWS_HELP)                                                      \
	X(OFFERS, "offers", "", "SYNs of armed pods that carried the option.") \
	X(ANSWERS, "answers", "",                                              \
	  "SYN-ACKs of armed pods that carried the option.")                   \
	X(ANSWERS_DENIED, "answers_denied", "",                                \
	  "Offers by peers that were not answered.")                           \
	X(VERDICTS_REPEATED, "verdicts_repeated", "",                          \
	  "Retransmitted SYNs and SYN-ACKs that got the first one's verdict.") \
	X(CONNECTS_DEFERRED, "connects_deferred", "",                          \
	  "Second connect() calls answered EALREADY while the first was under "\
	  "way.")                                                              \
	X(QUARANTINES, "quarantines", "", "Peers put into quarantine.")        \
	X(EVENTS_LOST, "events_lost", "",                                      \
	  "Flow events dropped because the ring buffer was full.")             \
	X(FLOWS_LOST, "flows_lost", "",                                        \
	  "Flows that no record could be made for.")                           \
	X(CONNECTS_ABORTED, "connects_aborted", "",                            \
	  "Restarted connect() calls that a signal had broken, ended before "  \
	  "SMC's messages went to a TCP peer.")                                \
	X(RATIONED_CONVERTED, "sockets_rationed", "kind=\"converted\"",        \
	  SMC_RATIONED_HELP)                                                   \
	X(RATIONED_OWN, "sockets_rationed", "kind=\"own\"",                    \
	  SMC_RATIONED_HELP)                                                   \
	X(QUARANTINES_LOST, "quarantines_lost", "",                            \
	  "Failures of peers that are not remembered: the pod has its share.") \
	X(SYNS_WAITED, "syns_waited", "",                                      \
	  "SYNs that SMC listeners with a full accept queue did not answer, "  \
	  "as TCP's do not.")                                                  \
	X(CONNECTS_REFUSED, "connects_refused", "",                            \
	  "connect() calls of SMC sockets that are not the sidecar proxy's, "  \
	  "refused: they would have passed its redirect.")
/* clang-format on */

#define SMC_COUNTER_ENUM(id, metric, labels, sentence) SMC_COUNTER_##id,
enum smc_counter_id { SMC_COUNTERS(SMC_COUNTER_ENUM) SMC_COUNTER_MAX };
#undef SMC_COUNTER_ENUM

/* Where "bypassed for this reason" begins: SMC_COUNTER_REASON + reason. */
#define SMC_COUNTER_REASON SMC_COUNTER_ROOM

/* The value of smc_counter: a __u64 at each number, so that it can be read as
 * an array, with names for people who dump the map. */
#define SMC_COUNTER_FIELD(id, metric, labels, sentence) __u64 id;
#define SMC_BYPASSED_FIELD(id, label, sentence, remedy) __u64 id;
struct smc_counters {
	SMC_COUNTERS(SMC_COUNTER_FIELD)
	__u64 _room[SMC_COUNTER_ROOM - SMC_COUNTER_MAX];
	struct {
		SMC_REASONS_FLOW(SMC_BYPASSED_FIELD)
		__u64 _room[SMC_BYPASSED_ROOM - SMC_REASON_FLOW_MAX];
	} bypassed;
};
#undef SMC_COUNTER_FIELD
#undef SMC_BYPASSED_FIELD

_Static_assert(sizeof(struct smc_counters) == 8 * SMC_COUNTERS_ROOM, "ABI");

/* The name of one counter, for readers. */
struct smc_counter_key {
	__u32 slot;
	__u32 counter; /* enum smc_counter_id, or SMC_COUNTER_REASON + reason */
};
