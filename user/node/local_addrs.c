// SPDX-License-Identifier: Apache-2.0
#include "node/local_addrs.h"

#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/array.h"
#include "node/nl.h"

#define IPVS_GENL "IPVS"
#define IPVS_VERSION 1
/* Each namespace of a kernel with IPVS has this file. Look at it first: asking
 * for IPVS's netlink family would load it. */
#define IPVS_SERVICES "/proc/self/net/ip_vs"

void local_free(struct local *l)
{
	free(l->addrs.v);
	free(l->nets);
	memset(l, 0, sizeof(*l));
}

/* The first @bits of @addr count, as in struct cidr. */
static int add(struct local *l, const struct smc_addr *addr, unsigned int bits)
{
	struct smc_addr *slot;
	struct cidr *net;

	if (bits == 128) {
		slot = array_push(l->addrs.v, l->addrs.n);
		if (slot)
			*slot = *addr;
		return slot ? 0 : -ENOMEM;
	}
	net = array_push(l->nets, l->n_nets);
	if (net)
		*net = (struct cidr){*addr, bits};
	return net ? 0 : -ENOMEM;
}

static int taken(int err)
{
	errno = -err;
	return err ? MNL_CB_ERROR : MNL_CB_OK;
}

/* ---- routes -------------------------------------------------------------- */

int local_take_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_TABLE + 1];
	unsigned int bits;
	struct smc_addr addr;

	nl_attrs(h, sizeof(*route), tb, RTA_TABLE);
	if (route->rtm_type != RTN_LOCAL ||
	    !nl_addr(tb[RTA_DST], route->rtm_family, &addr))
		return MNL_CB_OK;
	bits = route->rtm_dst_len + (route->rtm_family == AF_INET ? 96 : 0);
	return bits > 128 ? MNL_CB_OK : taken(add(arg, &addr, bits));
}

static void forget(void *arg)
{
	local_free(arg);
}

/* Of that table and kind only, where the kernel can filter (since 4.20). A
 * kernel without that family, or table, has no routes there. */
static int list_routes(int family, struct local *out)
{
	struct rtmsg *route;
	struct nl_request r;
	int err;

	nl_init(&r, RTM_GETROUTE, NLM_F_DUMP);
	r.strict = true;
	route = mnl_nlmsg_put_extra_header(r.head, sizeof(*route));
	route->rtm_family = family;
	route->rtm_table = RT_TABLE_LOCAL;
	route->rtm_type = RTN_LOCAL;
	err = nl_dump(NETLINK_ROUTE, &r, local_take_route, forget, out);
	return err == -ENOENT || err == -EOPNOTSUPP || err == -EAFNOSUPPORT
		       ? 0
		       : err;
}

/* ---- IPVS ---------------------------------------------------------------- */

int local_take_service(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[IPVS_CMD_ATTR_SERVICE + 1];
	const struct nlattr *s[IPVS_SVC_ATTR_ADDR + 1];
	struct smc_addr addr;

	nl_attrs(h, sizeof(struct genlmsghdr), tb, IPVS_CMD_ATTR_SERVICE);
	nl_nest(tb[IPVS_CMD_ATTR_SERVICE], s, IPVS_SVC_ATTR_ADDR);
	if (!s[IPVS_SVC_ATTR_ADDR] ||
	    nl_u16(s[IPVS_SVC_ATTR_PROTOCOL]) != IPPROTO_TCP ||
	    !nl_addr(s[IPVS_SVC_ATTR_ADDR], nl_u16(s[IPVS_SVC_ATTR_AF]), &addr))
		return MNL_CB_OK;
	return taken(add(arg, &addr, 128));
}

static int list_services(struct local *out)
{
	struct nl_request r;
	int id;

	if (access(IPVS_SERVICES, F_OK))
		return errno == ENOENT ? 0 : -errno;
	id = nl_genl_id(IPVS_GENL);
	if (id < 0)
		return id;
	nl_genl_init(&r, id, IPVS_CMD_GET_SERVICE, IPVS_VERSION, NLM_F_DUMP);
	return nl_dump(NETLINK_GENERIC, &r, local_take_service, forget, out);
}

/* ---- together ------------------------------------------------------------ */

static void sort(struct mesh_addrs *a)
{
	a->n = array_sort_once(a->v, a->n, sizeof(*a->v), addr_order,
			       addr_order);
}

void local_without(struct local *l, struct local *those)
{
	size_t kept = 0;

	sort(&l->addrs);
	sort(&those->addrs);
	for (size_t i = 0; i < l->addrs.n; i++)
		if (!those->addrs.n ||
		    !bsearch(&l->addrs.v[i], those->addrs.v, those->addrs.n,
			     sizeof(*l->addrs.v), addr_order))
			l->addrs.v[kept++] = l->addrs.v[i];
	l->addrs.n = kept;
}

static int add_all(struct local *to, const struct local *from)
{
	int err = 0;

	for (size_t i = 0; i < from->addrs.n && !err; i++)
		err = add(to, &from->addrs.v[i], 128);
	for (size_t i = 0; i < from->n_nets && !err; i++)
		err = add(to, &from->nets[i].addr, from->nets[i].prefixlen);
	return err;
}

int local_find(struct local *out)
{
	_cleanup_(local_free) struct local made = {}, more = {}, ipvs = {};
	int err = list_routes(AF_INET, &made);

	err = err ?: list_routes(AF_INET6, &more);
	err = err ?: add_all(&made, &more);
	err = err ?: list_services(&ipvs);
	if (err)
		return err;
	local_without(&made, &ipvs);
	*out = made;
	made = (struct local){};
	return 0;
}
