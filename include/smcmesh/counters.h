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

#define SMC_FLOWS_HELP "TCP connections of armed pods by what became of them."

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
	  "SMC's messages went to a TCP peer.")
/* clang-format on */

#define SMC_COUNTER_ENUM(id, metric, labels, sentence) SMC_COUNTER_##id,
enum smc_counter_id { SMC_COUNTERS(SMC_COUNTER_ENUM) SMC_COUNTER_MAX };
#undef SMC_COUNTER_ENUM

/* smc_counter_key.counter of "bypassed for this reason". */
#define SMC_COUNTER_REASON 1000
