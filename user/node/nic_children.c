// SPDX-License-Identifier: Apache-2.0
/* Children of this namespace's NICs in other namespaces. Each is looked into by
 * a helper, which knows the parent's namespace by the number that its own has
 * for it (RTM_GETNSID). */
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "base/array.h"
#include "node/helper.h"
#include "node/netns.h"
#include "node/nic_read.h"
#include "node/nl.h"

struct looking {
	struct nic_view *v;
	struct ns_id own;
	struct buf *why;
};

/* ---- in the helper ------------------------------------------------------- */

struct found {
	struct nic_child child;
	int nsid; /* of its parent's namespace */
};

static int take_link(const struct nlmsghdr *h, void *arg)
{
	struct found f = {};

	if (nic_child_take(h, &f.child, &f.nsid) && f.nsid >= 0)
		buf_add(arg, &f, sizeof(f));
	return MNL_CB_OK;
}

static void forget(void *arg)
{
	buf_drop(arg, SIZE_MAX);
}

static int take_id(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[NETNSA_NSID + 1];

	nl_attrs(h, sizeof(struct rtgenmsg), tb, NETNSA_NSID);
	if (tb[NETNSA_NSID])
		*(int *)arg = nl_u32(tb[NETNSA_NSID]);
	return MNL_CB_OK;
}

/* Return: 0; @out is -1 where this namespace has no number for its caller's,
 * and so nothing that leads there. */
static int home_id(int *out)
{
	struct nl_request r;

	*out = -1;
	nl_init(&r, RTM_GETNSID, 0);
	mnl_nlmsg_put_extra_header(r.head, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(r.head, NETNSA_PID, getppid());
	return nl_talk(NETLINK_ROUTE, &r, take_id, out);
}

/* The links first: listing one that leads to another namespace is what makes
 * the kernel give that a number (rtnl_fill_link_netnsid()). */
static int list_children(const void *arg, struct buf *answer)
{
	_buf_ struct buf all = {};
	struct nl_request r;
	struct found f;
	int home, err;

	nl_init(&r, RTM_GETLINK, NLM_F_DUMP);
	mnl_nlmsg_put_extra_header(r.head, sizeof(struct ifinfomsg));
	err = nl_dump(NETLINK_ROUTE, &r, take_link, forget, &all);
	err = err ?: home_id(&home);
	for (size_t at = 0; !err && at + sizeof(f) <= all.len;
	     at += sizeof(f)) {
		memcpy(&f, all.data + at, sizeof(f));
		if (f.nsid == home)
			err = buf_add(answer, &f.child, sizeof(f.child));
	}
	return err ?: all.err;
}

/* ---- in the caller ------------------------------------------------------- */

static int add_all(struct nic_view *v, const struct buf *answer,
		   const char *where)
{
	for (size_t at = 0; at + sizeof(struct nic_child) <= answer->len;
	     at += sizeof(struct nic_child)) {
		struct nic_child *c = array_push(v->children, v->n_children);

		if (!c)
			return -ENOMEM;
		memcpy(c, answer->data + at, sizeof(*c));
		snprintf(c->where, sizeof(c->where), "%.63s", where);
	}
	return 0;
}

static int look(const struct place *at, void *arg)
{
	struct netns_ref ref = {.path = at->path, .id = at->id};
	struct looking *l = arg;
	_buf_ struct buf answer = {};
	int err;

	if (ns_same(&at->id, &l->own))
		return 0;
	err = helper_run(&ref, list_children, NULL, HELPER_TIMEOUT_MS, &answer);
	/* it is gone, or no network namespace */
	if (err == -ENOENT || err == -EINVAL)
		return -ENOENT;
	if (err)
		buf_printf(
			l->why,
			"the network namespace %s cannot be looked into for devices that a CNI made on a NIC: %s",
			at->path, strerror(-err));
	return err ?: add_all(l->v, &answer, at->path);
}

int nic_children_read(struct nic_view *v, struct buf *why)
{
	struct looking l = {.v = v, .why = why};
	int err = ns_of_path("/proc/self/ns/net", &l.own);

	return err ?: netns_each(NULL, look, &l);
}
