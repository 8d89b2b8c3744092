// SPDX-License-Identifier: Apache-2.0
#include "node/smcr_space.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include "node/nl.h"
#include "node/pnet_table.h"

/* ---- the PNET table ---- */

int smcr_pnet_list(struct mesh_pnet_entry *out)
{
	_cleanup_(pnet_table_free) struct mesh_pnet_table t = {};
	int err = pnet_read(&t);
	size_t n = t.n > SMCR_ROWS ? SMCR_ROWS : t.n;

	if (err)
		return err;
	if (n)
		memcpy(out, t.v, n * sizeof(*out));
	return n;
}

/* ---- routes ---- */

static int take_route(const struct nlmsghdr *h, void *netdev)
{
	const struct nlattr *tb[RTA_OIF + 1];
	char name[IF_NAMESIZE];

	nl_attrs(h, sizeof(struct rtmsg), tb, RTA_OIF);
	if (if_indextoname(nl_u32(tb[RTA_OIF]), name))
		memcpy(netdev, name, sizeof(name));
	return MNL_CB_OK;
}

static void look_up(struct smcr_route *route)
{
	struct nl_request r;
	struct rtmsg *rt;

	nl_init(&r, RTM_GETROUTE, 0);
	rt = mnl_nlmsg_put_extra_header(r.head, sizeof(*rt));
	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = 32;
	mnl_attr_put(r.head, RTA_DST, 4, route->peer.ip + 12);
	route->err = nl_talk(NETLINK_ROUTE, &r, take_route, route->netdev);
}

/* ---- addresses ---- */

static bool is_usable_netdev(const struct smcr_space *s, const char *name)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (rdma_usable(&s->ports[i]) &&
		    !strcmp(s->ports[i].netdev, name))
			return true;
	return false;
}

static bool is_covered(const struct smcr_space *s, const struct ifaddrs *all,
		       const struct smc_addr *addr)
{
	struct smc_addr own;
	struct cidr subnet;

	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (is_usable_netdev(s, i->ifa_name) &&
		    rdma_subnet(i, &own, &subnet) && cidr_has(&subnet, addr))
			return true;
	return false;
}

static int find_strays(struct smcr_space *s)
{
	struct ifaddrs *all;
	struct smc_addr addr;
	struct cidr subnet;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *i = all; i && s->n_strays < SMCR_ROWS;
	     i = i->ifa_next)
		if (rdma_subnet(i, &addr, &subnet) &&
		    !is_covered(s, all, &addr))
			s->strays[s->n_strays++] = addr;
	freeifaddrs(all);
	return 0;
}

/* ---- the look ---- */

struct job {
	const struct smc_addr *peers;
	size_t n_peers;
};

static int look(const void *arg, struct buf *answer)
{
	const struct job *job = arg;
	struct smcr_space s = {};
	int n = rdma_list(s.ports, SMCR_ROWS);

	if (n < 0 && n != -ENOENT)
		return n;
	s.n_ports = n > 0 ? n : 0;
	n = find_strays(&s);
	if (n)
		return n;
	n = smcr_pnet_list(s.pnets);
	s.n_pnets = n > 0 ? n : 0;
	s.pnet_err = n < 0 ? n : 0;
	for (; s.n_routes < job->n_peers && s.n_routes < SMCR_ROWS;
	     s.n_routes++) {
		s.routes[s.n_routes].peer = job->peers[s.n_routes];
		look_up(&s.routes[s.n_routes]);
	}
	return buf_add(answer, &s, sizeof(s));
}

int smcr_space_look(const struct netns_ref *ref, const struct smc_addr *peers,
		    size_t n_peers, struct smcr_space *out)
{
	const struct job job = {peers, n_peers};
	_buf_ struct buf answer = {};
	int err = helper_run(ref, look, &job, HELPER_TIMEOUT_MS, &answer);

	return err ?: helper_copy(&answer, out, sizeof(*out));
}
