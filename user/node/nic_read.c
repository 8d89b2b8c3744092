// SPDX-License-Identifier: Apache-2.0
#include "node/nic_read.h"

#include <linux/if_arp.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "base/array.h"
#include "node/nl.h"

#define MAC_BYTES 6

static int no_memory(void)
{
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

/* ---- links --------------------------------------------------------------- */

static void mac_format(const struct nlattr *a, char text[NIC_MAC_ROOM])
{
	const __u8 *m;

	if (!a || mnl_attr_get_payload_len(a) != MAC_BYTES)
		return;
	m = mnl_attr_get_payload(a);
	snprintf(text, NIC_MAC_ROOM, "%02x:%02x:%02x:%02x:%02x:%02x", m[0],
		 m[1], m[2], m[3], m[4], m[5]);
}

/* (A veth's IFLA_LINK is its peer, which is not below it.) */
static bool take_upper(const struct nlmsghdr *h, struct nic_child *out,
		       int *nsid)
{
	static const char *const kinds[] = {"ipvlan", "ipvtap", "macvlan",
					    "macvtap", "vlan"};
	const struct nlattr *tb[IFLA_LINK_NETNSID + 1];
	const struct nlattr *info[IFLA_INFO_KIND + 1];
	struct nic_child c = {};

	nl_attrs(h, sizeof(struct ifinfomsg), tb, IFLA_LINK_NETNSID);
	nl_nest(tb[IFLA_LINKINFO], info, IFLA_INFO_KIND);
	nl_str(info[IFLA_INFO_KIND], c.kind, sizeof(c.kind));
	nl_str(tb[IFLA_IFNAME], c.name, sizeof(c.name));
	c.parent = nl_u32(tb[IFLA_LINK]);
	for (size_t i = 0; i < array_size(kinds); i++) {
		if (!c.parent || strcmp(c.kind, kinds[i]) != 0)
			continue;
		*out = c;
		*nsid = tb[IFLA_LINK_NETNSID]
				? (int)nl_u32(tb[IFLA_LINK_NETNSID])
				: -1;
		return true;
	}
	return false;
}

bool nic_child_take(const struct nlmsghdr *h, struct nic_child *out, int *nsid)
{
	struct nic_child c;

	if (!take_upper(h, &c, nsid) || !strcmp(c.kind, "vlan"))
		return false;
	*out = c;
	return true;
}

static int take_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFLA_MASTER + 1];
	struct nic_child child, *kept;
	struct nic_view *v = arg;
	struct nic *nic;
	int nsid;

	nl_attrs(h, sizeof(*info), tb, IFLA_MASTER);
	nic = array_push(v->nics, v->n_nics);
	if (!nic)
		return no_memory();
	nic->ifindex = info->ifi_index;
	nic->loopback = info->ifi_flags & IFF_LOOPBACK;
	nic->up = info->ifi_flags & IFF_UP;
	nic->running = nic->up && info->ifi_flags & IFF_RUNNING;
	nic->master = nl_u32(tb[IFLA_MASTER]);
	nl_str(tb[IFLA_IFNAME], nic->name, sizeof(nic->name));
	if (info->ifi_type == ARPHRD_ETHER)
		mac_format(tb[IFLA_ADDRESS], nic->mac);
	if (!take_upper(h, &child, &nsid))
		return MNL_CB_OK;
	nic->lower = child.parent;
	nic->lower_elsewhere = nsid >= 0;
	if (nsid >= 0 || !strcmp(child.kind, "vlan"))
		return MNL_CB_OK;
	kept = array_push(v->children, v->n_children);
	if (kept)
		*kept = child;
	return kept ? MNL_CB_OK : no_memory();
}

/* ---- addresses ----------------------------------------------------------- */

static int take_addr(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *msg = mnl_nlmsg_get_payload(h);
	bool v4 = msg->ifa_family == AF_INET;
	const struct nlattr *tb[IFA_RT_PRIORITY + 1];
	struct nic_view *v = arg;
	struct nic_addr *slot, a = {};
	const struct nlattr *local;
	__u32 flags;

	nl_attrs(h, sizeof(*msg), tb, IFA_RT_PRIORITY);
	local = tb[v4 && tb[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS];
	flags = tb[IFA_FLAGS] ? nl_u32(tb[IFA_FLAGS]) : msg->ifa_flags;
	if (msg->ifa_scope == RT_SCOPE_LINK ||
	    (!v4 && !(flags & IFA_F_PERMANENT)) || !local ||
	    !nl_addr(local, msg->ifa_family, &a.addr))
		return MNL_CB_OK;
	a.ifindex = msg->ifa_index;
	a.prefixlen = msg->ifa_prefixlen + (v4 ? 96 : 0);
	a.metric = nl_u32(tb[IFA_RT_PRIORITY]);
	a.routeless = flags & IFA_F_NOPREFIXROUTE;
	slot = array_push(v->addrs, v->n_addrs);
	if (slot)
		*slot = a;
	return slot ? MNL_CB_OK : no_memory();
}

/* ---- routes -------------------------------------------------------------- */

static bool is_link_local(const struct cidr *dst)
{
	return dst->addr.ip[0] == 0xfe && (dst->addr.ip[1] & 0xc0) == 0x80;
}

static int add_route(struct nic_view *v, struct nic_route r,
		     unsigned int ifindex, bool direct)
{
	struct nic_route *slot = array_push(v->routes, v->n_routes);

	if (!slot)
		return no_memory();
	r.ifindex = ifindex;
	r.direct = direct;
	*slot = r;
	return MNL_CB_OK;
}

/* A route of several next hops is one row each. */
static int add_hops(struct nic_view *v, const struct nic_route *r,
		    const struct nlattr *hops)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(hops);
	int left = mnl_attr_get_payload_len(hops), ret = MNL_CB_OK;

	for (; RTNH_OK(hop, left) && ret == MNL_CB_OK;
	     left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
		ret = add_route(v, *r, hop->rtnh_ifindex, false);
	return ret;
}

static int take_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_VIA + 1];
	bool v4 = msg->rtm_family == AF_INET;
	struct nic_route r = {};
	struct smc_addr dst = {};

	nl_attrs(h, sizeof(*msg), tb, RTA_VIA);
	if (msg->rtm_type != RTN_UNICAST || msg->rtm_flags & RTM_F_CLONED ||
	    !nl_addr(tb[RTA_DST], msg->rtm_family, &dst))
		return MNL_CB_OK;
	r.dst = cidr_of(&dst, msg->rtm_dst_len + (v4 ? 96 : 0));
	if (!v4 && is_link_local(&r.dst))
		return MNL_CB_OK;
	r.table = tb[RTA_TABLE] ? nl_u32(tb[RTA_TABLE]) : msg->rtm_table;
	r.metric = nl_u32(tb[RTA_PRIORITY]);
	r.automatic = msg->rtm_protocol == RTPROT_KERNEL ||
		      msg->rtm_protocol == RTPROT_RA;
	if (tb[RTA_MULTIPATH])
		return add_hops(arg, &r, tb[RTA_MULTIPATH]);
	if (!tb[RTA_OIF])
		return MNL_CB_OK;
	return add_route(arg, r, nl_u32(tb[RTA_OIF]),
			 !tb[RTA_GATEWAY] && !tb[RTA_VIA]);
}

/* ---- all ----------------------------------------------------------------- */

static void forget_links(void *arg)
{
	struct nic_view *v = arg;

	v->n_nics = v->n_children = 0;
}

static void forget_addrs(void *arg)
{
	((struct nic_view *)arg)->n_addrs = 0;
}

static void forget_routes(void *arg)
{
	((struct nic_view *)arg)->n_routes = 0;
}

/* The header of each of these requests begins with the family, and is longer
 * than what the kernel asks for. */
static int list(int type, mnl_cb_t take, void (*forget)(void *arg),
		struct nic_view *v)
{
	struct nl_request r;

	nl_init(&r, type, NLM_F_DUMP);
	mnl_nlmsg_put_extra_header(r.head, sizeof(struct ifinfomsg));
	return nl_dump(NETLINK_ROUTE, &r, take, forget, v);
}

int nic_view_read(struct nic_view *out)
{
	_cleanup_(nic_view_free) struct nic_view v = {};
	int err;

	/* AF_UNSPEC: of all families */
	err = list(RTM_GETLINK, take_link, forget_links, &v);
	err = err ?: list(RTM_GETADDR, take_addr, forget_addrs, &v);
	err = err ?: list(RTM_GETROUTE, take_route, forget_routes, &v);
	if (err)
		return err;
	*out = v;
	v = (struct nic_view){};
	return 0;
}

int nic_read(unsigned int ifindex, struct nic *out)
{
	_cleanup_(nic_view_free) struct nic_view v = {};
	struct ifinfomsg *info;
	struct nl_request r;
	int err;

	nl_init(&r, RTM_GETLINK, 0);
	info = mnl_nlmsg_put_extra_header(r.head, sizeof(*info));
	info->ifi_index = ifindex;
	err = nl_talk(NETLINK_ROUTE, &r, take_link, &v);
	if (!err && !v.n_nics)
		err = -ENODEV;
	if (!err)
		*out = v.nics[0];
	return err;
}
