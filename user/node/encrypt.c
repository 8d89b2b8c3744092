// SPDX-License-Identifier: Apache-2.0
#include "node/encrypt.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "node/nl.h"

#define WIREGUARD "wireguard"

static void forget(void *what)
{
	*(char *)what = '\0';
}

int encrypt_take_link(const struct nlmsghdr *h, void *what)
{
	const struct nlattr *tb[IFLA_LINKINFO + 1], *info[IFLA_INFO_KIND + 1];
	char kind[16], name[IF_NAMESIZE];

	nl_attrs(h, sizeof(struct ifinfomsg), tb, IFLA_LINKINFO);
	nl_nest(tb[IFLA_LINKINFO], info, IFLA_INFO_KIND);
	nl_str(info[IFLA_INFO_KIND], kind, sizeof(kind));
	if (strcmp(kind, WIREGUARD))
		return MNL_CB_OK;
	nl_str(tb[IFLA_IFNAME], name, sizeof(name));
	snprintf(what, ENCRYPT_TEXT_MAX, "the WireGuard device %s", name);
	return MNL_CB_STOP;
}

/* The kernel lists only WireGuard devices, if it knows the kind. */
static int find_wireguard(char *what)
{
	struct nl_request r;
	struct nlattr *info;

	nl_init(&r, RTM_GETLINK, NLM_F_DUMP);
	mnl_nlmsg_put_extra_header(r.head, sizeof(struct ifinfomsg));
	info = mnl_attr_nest_start(r.head, IFLA_LINKINFO);
	mnl_attr_put_str(r.head, IFLA_INFO_KIND, WIREGUARD);
	mnl_attr_nest_end(r.head, info);
	return nl_dump(NETLINK_ROUTE, &r, encrypt_take_link, forget, what);
}

/* A policy that encrypts nothing exists only beside others that do. */
static int take_policy(const struct nlmsghdr *h, void *what)
{
	strcpy(what, "an IPsec policy");
	return MNL_CB_STOP;
}

static int find_policy(char *what)
{
	struct nl_request r;
	int err;

	nl_init(&r, XFRM_MSG_GETPOLICY, NLM_F_DUMP);
	mnl_nlmsg_put_extra_header(r.head, sizeof(struct xfrm_userpolicy_id));
	err = nl_dump(NETLINK_XFRM, &r, take_policy, forget, what);
	return err == -ENOENT ? 0 : err; /* a kernel without IPsec */
}

int encrypt_find(char what[ENCRYPT_TEXT_MAX])
{
	int err = find_wireguard(what);

	if (!err && !*what)
		err = find_policy(what);
	return err ?: *what != '\0';
}
