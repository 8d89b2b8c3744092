/* SPDX-License-Identifier: Apache-2.0 */
/* What a namespace's NICs are, by rtnetlink (mesh/nic.h). */
#pragma once

#include "mesh/nic.h"

/*
 * nic_view_read - All of the caller's network namespace; of other namespaces
 * nothing (nic_children_read()). Of IPv6 link-local addresses and routes are
 * left out, and addresses that go by themselves.
 * Return: 0, or a negative errno with @out untouched. Free with
 * nic_view_free().
 */
must_check int nic_view_read(struct nic_view *out);

/* nic_read - One NIC, as it is now. Return: 0; -ENODEV: it is gone; or another
 * negative errno. */
must_check int nic_read(unsigned int ifindex, struct nic *out);

/*
 * nic_children_read - Add to @v->children those in other namespaces: a CNI's
 * ipvlan and macvlan devices are in the pods'. Does not find them in namespaces
 * that netns_each() does not find.
 * @why: on failure a sentence that names the namespace.
 * Return: 0, or a negative errno: one could not be looked into.
 */
must_check int nic_children_read(struct nic_view *v, struct buf *why);

struct nlmsghdr;

/* nic_child_take - Is the link of message @h a child of a NIC? Then its kind,
 * name and parent go to @out; @nsid: the number of the parent's namespace, -1:
 * the link's own. */
bool nic_child_take(const struct nlmsghdr *h, struct nic_child *out, int *nsid);
