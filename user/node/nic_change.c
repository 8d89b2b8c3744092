// SPDX-License-Identifier: Apache-2.0
#include "node/nic_change.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "node/nic_read.h"
#include "node/nl.h"

#define LOOK_AGAIN_NS 20000000L

/* The four bytes of a mapped address, in network byte order. */
static __u32 v4_of(const struct smc_addr *a)
{
	__u32 v4;

	memcpy(&v4, a->ip + 12, sizeof(v4));
	return v4;
}

static int talk(struct nl_request *r)
{
	return nl_talk(NETLINK_ROUTE, r, NULL, NULL);
}

static int set_link(unsigned int ifindex, bool up)
{
	struct ifinfomsg *info;
	struct nl_request r;

	nl_init(&r, RTM_NEWLINK, 0);
	info = mnl_nlmsg_put_extra_header(r.head, sizeof(*info));
	info->ifi_index = ifindex;
	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	return talk(&r);
}

static void init_address(struct nl_request *r, int type, __u16 flags,
			 unsigned int ifindex, const struct smc_addr *addr,
			 unsigned int bits)
{
	struct ifaddrmsg *msg;

	nl_init(r, type, flags);
	msg = mnl_nlmsg_put_extra_header(r->head, sizeof(*msg));
	msg->ifa_family = AF_INET;
	msg->ifa_prefixlen = bits;
	msg->ifa_index = ifindex;
	mnl_attr_put_u32(r->head, IFA_LOCAL, v4_of(addr));
	mnl_attr_put_u32(r->head, IFA_ADDRESS, v4_of(addr));
}

/* The kernel makes the connected route with it, and again after the link was
 * down: fib_add_ifaddr() takes the metric from IFA_RT_PRIORITY. */
static int add_address(const struct nic_record *rec)
{
	__u32 hosts = htonl(~0U >> rec->want.bits);
	struct nl_request r;

	init_address(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, rec->ifindex,
		     &rec->want.addr, rec->want.bits);
	mnl_attr_put_u32(r.head, IFA_BROADCAST, v4_of(&rec->want.addr) | hosts);
	mnl_attr_put_u32(r.head, IFA_RT_PRIORITY, rec->metric);
	return talk(&r);
}

static int drop_address(unsigned int ifindex, const struct smc_addr *addr,
			unsigned int bits)
{
	struct nl_request r;
	int err;

	init_address(&r, RTM_DELADDR, 0, ifindex, addr, bits);
	err = talk(&r);
	return err == -EADDRNOTAVAIL || err == -ENODEV ? 0 : err;
}

int nic_address_drop(const struct nic_addr *a)
{
	return drop_address(a->ifindex, &a->addr, a->prefixlen - 96);
}

/* As the kernel would make it, but marked as made by somebody. */
static int connected_route(const struct nic_record *rec, int type, __u16 flags)
{
	struct cidr subnet = nic_want_subnet(&rec->want);
	struct nl_request r;
	struct rtmsg *msg;

	nl_init(&r, type, flags);
	msg = mnl_nlmsg_put_extra_header(r.head, sizeof(*msg));
	msg->rtm_family = AF_INET;
	msg->rtm_dst_len = rec->want.bits;
	msg->rtm_table = RT_TABLE_MAIN;
	msg->rtm_protocol = RTPROT_STATIC;
	msg->rtm_scope = RT_SCOPE_LINK;
	msg->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(r.head, RTA_DST, v4_of(&subnet.addr));
	mnl_attr_put_u32(r.head, RTA_PREFSRC, v4_of(&rec->want.addr));
	mnl_attr_put_u32(r.head, RTA_OIF, rec->ifindex);
	mnl_attr_put_u32(r.head, RTA_PRIORITY, rec->metric);
	return talk(&r);
}

int nic_step_do(const struct nic_record *r, enum nic_step step)
{
	switch (step) {
	case NIC_STEP_UP:
		return set_link(r->ifindex, true);
	case NIC_STEP_ADDRESS:
		return add_address(r);
	case NIC_STEP_ROUTE:
		return connected_route(r, RTM_NEWROUTE,
				       NLM_F_CREATE | NLM_F_EXCL);
	}
	return -EINVAL;
}

int nic_step_undo(const struct nic_record *r, enum nic_step step)
{
	int err = -EINVAL;

	switch (step) {
	case NIC_STEP_UP:
		err = set_link(r->ifindex, false);
		return err == -ENODEV ? 0 : err;
	case NIC_STEP_ADDRESS:
		return drop_address(r->ifindex, &r->want.addr, r->want.bits);
	case NIC_STEP_ROUTE:
		err = connected_route(r, RTM_DELROUTE, 0);
		return err == -ESRCH || err == -ENODEV ? 0 : err;
	}
	return err;
}

int nic_wait_carrier(unsigned int ifindex, unsigned int ms)
{
	const struct timespec again = {.tv_nsec = LOOK_AGAIN_NS};
	__u64 end = clock_now() + ms * CLOCK_MS;
	struct nic nic;
	int err;

	for (;;) {
		err = nic_read(ifindex, &nic);
		if (err || nic.running)
			return err;
		if (clock_now() >= end)
			return -ETIMEDOUT;
		nanosleep(&again, NULL);
	}
}
