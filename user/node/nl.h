/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink requests with libmnl: one socket per request, in the caller's
 * network namespace. */
#pragma once

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/types.h>
#include <stdbool.h>
#include "base/addr.h"
#include "base/cleanup.h"

/* A request under construction; room for every request of ours. */
struct nl_request {
	char room[512];
	struct nlmsghdr *head;
	/* rtnetlink: the kernel lists only what the header names, if it can
	 * (NETLINK_GET_STRICT_CHK). */
	bool strict;
};

/* nl_init - Start a request of message type @type with NLM_F_* @flags, without
 * NLM_F_ACK. */
void nl_init(struct nl_request *r, __u16 type, __u16 flags);

/* nl_nft_init - Start a request of nf_tables: @what of enum nf_tables_msg_types
 * of @family (NFPROTO_*), to be sent by NETLINK_NETFILTER. */
void nl_nft_init(struct nl_request *r, int what, __u8 family, __u16 flags);

/*
 * nl_talk - Send @r and give every message of the answer to @cb. What is no
 * NLM_F_DUMP is sent with NLM_F_ACK.
 * @bus: NETLINK_GENERIC, NETLINK_SOCK_DIAG, NETLINK_RDMA...
 * @cb: may be NULL; returns MNL_CB_OK, or MNL_CB_ERROR with errno set.
 *
 * Return: 0; -ENOENT: the kernel has no such bus; -ETIMEDOUT: no answer within
 * seconds; -EINTR: see nl_dump(); or the kernel's negative errno.
 */
must_check int nl_talk(int bus, struct nl_request *r, mnl_cb_t cb, void *arg);

/*
 * nl_dump - nl_talk() for a list, which the kernel sends in parts: if it
 * changed in between ask again, a few times (NLM_F_DUMP_INTR: it may lack
 * entries that were there all the time).
 * @begin: forget what @cb got; called before each try.
 *
 * Return: as nl_talk(); -EINTR: it kept changing.
 */
must_check int nl_dump(int bus, struct nl_request *r, mnl_cb_t cb,
		       void (*begin)(void *arg), void *arg);

/* nl_genl_id - The number of a generic netlink family. Return: that, -ENOENT
 * if the kernel has no such family, or another negative errno. */
must_check int nl_genl_id(const char *family);

/* nl_genl_init - Start a request of a generic netlink family. */
void nl_genl_init(struct nl_request *r, int id, __u8 cmd, __u8 version,
		  __u16 flags);

/*
 * nl_attrs - Index the attributes of message @h by type: @tb[type], NULL where
 * there is none.
 * @skip: bytes of the header between netlink's own and the attributes.
 * @tb has @max + 1 places; types above @max are skipped.
 */
void nl_attrs(const struct nlmsghdr *h, size_t skip, const struct nlattr **tb,
	      unsigned int max);

/* nl_nest - The same for the content of @nest, which may be NULL. */
void nl_nest(const struct nlattr *nest, const struct nlattr **tb,
	     unsigned int max);

/* Values of an attribute that may be missing or too short: then 0 or "". */
__u8 nl_u8(const struct nlattr *a);
__u16 nl_u16(const struct nlattr *a);
__u32 nl_u32(const struct nlattr *a);
/* nl_uint - An attribute of four or eight bytes, whichever the kernel chose. */
__u64 nl_uint(const struct nlattr *a);
/* nl_addr - An address of @family; a missing attribute is all zeros. Return:
 * false: it is too short, or @family is neither AF_INET nor AF_INET6. */
bool nl_addr(const struct nlattr *a, int family, struct smc_addr *out);
/* nl_str - Copy to @to, always terminated, cut off at @room. */
void nl_str(const struct nlattr *a, char *to, size_t room);
