// SPDX-License-Identifier: Apache-2.0
#include "node/forwards.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "base/array.h"
#include "node/forwards_impl.h"
#include "node/nl.h"

/* ---- tc ------------------------------------------------------------------ */

/* Where each kind of filter has its actions. */
static const struct {
	const char *kind;
	unsigned int actions;
} filters[] = {
	{"u32", TCA_U32_ACT},		{"flower", TCA_FLOWER_ACT},
	{"matchall", TCA_MATCHALL_ACT}, {"bpf", TCA_BPF_ACT},
	{"basic", TCA_BASIC_ACT},	{"fw", TCA_FW_ACT},
	{"flow", TCA_FLOW_ACT},		{"route", TCA_ROUTE4_ACT},
	{"cgroup", TCA_CGROUP_ACT},
};
#define ACTIONS_MAX 32 /* of each: all are below */

/* A mirror leaves the packet. */
static bool is_redirect(const struct nlattr *action)
{
	const struct nlattr *act[TCA_ACT_OPTIONS + 1];
	const struct nlattr *mirred[TCA_MIRRED_PARMS + 1];
	struct tc_mirred parms;
	char kind[16];

	nl_nest(action, act, TCA_ACT_OPTIONS);
	nl_str(act[TCA_ACT_KIND], kind, sizeof(kind));
	nl_nest(act[TCA_ACT_OPTIONS], mirred, TCA_MIRRED_PARMS);
	if (strcmp(kind, "mirred") || !mirred[TCA_MIRRED_PARMS] ||
	    mnl_attr_get_payload_len(mirred[TCA_MIRRED_PARMS]) < sizeof(parms))
		return false;
	memcpy(&parms, mnl_attr_get_payload(mirred[TCA_MIRRED_PARMS]),
	       sizeof(parms));
	return parms.eaction == TCA_EGRESS_REDIR ||
	       parms.eaction == TCA_INGRESS_REDIR;
}

static const struct nlattr *actions_of(const struct nlmsghdr *h)
{
	const struct nlattr *tb[TCA_OPTIONS + 1], *options[ACTIONS_MAX + 1];
	char kind[16];

	nl_attrs(h, sizeof(struct tcmsg), tb, TCA_OPTIONS);
	nl_str(tb[TCA_KIND], kind, sizeof(kind));
	nl_nest(tb[TCA_OPTIONS], options, ACTIONS_MAX);
	for (size_t i = 0; i < array_size(filters); i++)
		if (!strcmp(kind, filters[i].kind))
			return options[filters[i].actions];
	return NULL;
}

struct device {
	struct forwards *f;
	const char *name;
};

static int take_filter(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *actions[TCA_ACT_MAX_PRIO + 1];
	struct device *d = arg;

	nl_nest(actions_of(h), actions, TCA_ACT_MAX_PRIO);
	for (unsigned int i = 0; i <= TCA_ACT_MAX_PRIO; i++)
		if (actions[i] && is_redirect(actions[i]))
			snprintf(d->f->what, FORWARDS_TEXT_MAX,
				 "a tc filter redirects what comes to %s",
				 d->name);
	return MNL_CB_OK;
}

static void begin_filters(void *arg)
{
	((struct device *)arg)->f->what[0] = '\0';
}

/* tcm_parent names the ingress side of both kinds of qdisc that have one
 * (tc_dump_tfilter(), net/sched/cls_api.c): a device without such a qdisc lists
 * nothing. */
static int look_at_device(struct forwards *f, const char *name)
{
	struct device d = {f, name};
	struct nl_request r;
	struct tcmsg *t;
	int err;

	nl_init(&r, RTM_GETTFILTER, NLM_F_DUMP);
	t = mnl_nlmsg_put_extra_header(r.head, sizeof(*t));
	t->tcm_family = AF_UNSPEC;
	t->tcm_ifindex = if_nametoindex(name);
	t->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	if (!t->tcm_ifindex) /* removed since it was listed */
		return 0;
	err = nl_dump(NETLINK_ROUTE, &r, take_filter, begin_filters, &d);
	return err == -EOPNOTSUPP ? 0 : err; /* a kernel without tc */
}

static bool has_own(const struct forwards *f, const struct ifaddrs *i)
{
	struct smc_addr addr;

	return !(i->ifa_flags & IFF_LOOPBACK) &&
	       addr_from_sockaddr(i->ifa_addr, &addr) && addr_usable(&addr) &&
	       forwards_is_own(f, &addr);
}

/* A device is looked at once for each of its own addresses: it has few. */
static int look_at_devices(struct forwards *f)
{
	struct ifaddrs *all;
	int err = 0;

	if (getifaddrs(&all))
		return -errno;
	for (struct ifaddrs *i = all; i && !err && !*f->what; i = i->ifa_next)
		if (has_own(f, i))
			err = look_at_device(f, i->ifa_name);
	freeifaddrs(all);
	return err;
}

/* ---- together ------------------------------------------------------------ */

int forwards_find(const struct mesh_addrs *own, char what[FORWARDS_TEXT_MAX])
{
	static int (*const places[])(struct forwards *f) = {
		forwards_nft, forwards_legacy, look_at_devices};
	struct forwards f = {own, what};
	int err = 0;

	*what = '\0';
	for (size_t i = 0; i < array_size(places) && !err && !*what; i++)
		err = places[i](&f);
	return err ?: *what != '\0';
}
