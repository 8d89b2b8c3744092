// SPDX-License-Identifier: Apache-2.0
#include "node/pnet_table.h"

#include <linux/smc.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "node/nl.h"

/* What the kernel says of an interface's entry for the device, and the other
 * way round. */
#define NONE "n/a"

/* Return: as nl_genl_id(). */
static int init(struct nl_request *r, __u8 cmd, __u16 flags)
{
	int id = nl_genl_id(SMCR_GENL_FAMILY_NAME);

	if (id >= 0)
		nl_genl_init(r, id, cmd, SMCR_GENL_FAMILY_VERSION, flags);
	return id;
}

static void forget(void *table)
{
	((struct mesh_pnet_table *)table)->n = 0;
}

static void take_name(const struct nlattr *a, char *to, size_t room)
{
	nl_str(a, to, room);
	if (!strcmp(to, NONE))
		*to = '\0';
}

void pnet_entry_read(const struct nlmsghdr *h, struct mesh_pnet_entry *out)
{
	const struct nlattr *tb[SMC_PNETID_MAX + 1];

	nl_attrs(h, sizeof(struct genlmsghdr), tb, SMC_PNETID_MAX);
	nl_str(tb[SMC_PNETID_NAME], out->id, sizeof(out->id));
	take_name(tb[SMC_PNETID_ETHNAME], out->nic, sizeof(out->nic));
	take_name(tb[SMC_PNETID_IBNAME], out->device, sizeof(out->device));
	out->port = *out->device ? nl_u8(tb[SMC_PNETID_IBPORT]) : 0;
}

static int take(const struct nlmsghdr *h, void *arg)
{
	struct mesh_pnet_table *t = arg;
	struct mesh_pnet_entry *e = array_push(t->v, t->n);

	if (!e) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	pnet_entry_read(h, e);
	return MNL_CB_OK;
}

int pnet_read(struct mesh_pnet_table *out)
{
	_cleanup_(pnet_table_free) struct mesh_pnet_table t = {};
	struct nl_request r;
	int err = init(&r, SMC_PNETID_GET, NLM_F_DUMP);

	if (err < 0)
		return err;
	err = nl_dump(NETLINK_GENERIC, &r, take, forget, &t);
	if (err)
		return err;
	*out = t;
	t = (struct mesh_pnet_table){};
	return 0;
}

void pnet_table_free(struct mesh_pnet_table *t)
{
	free(t->v);
	*t = (struct mesh_pnet_table){};
}

int pnet_add(const struct mesh_pnet_entry *e)
{
	struct nl_request r;
	int err = init(&r, SMC_PNETID_ADD, 0);

	if (err < 0)
		return err;
	mnl_attr_put_strz(r.head, SMC_PNETID_NAME, e->id);
	if (*e->nic)
		mnl_attr_put_strz(r.head, SMC_PNETID_ETHNAME, e->nic);
	if (*e->device) {
		mnl_attr_put_strz(r.head, SMC_PNETID_IBNAME, e->device);
		mnl_attr_put_u8(r.head, SMC_PNETID_IBPORT, e->port);
	}
	return nl_talk(NETLINK_GENERIC, &r, NULL, NULL);
}

int pnet_remove(const char *id)
{
	struct nl_request r;
	int err = init(&r, SMC_PNETID_DEL, 0);

	if (err < 0)
		return err;
	mnl_attr_put_strz(r.head, SMC_PNETID_NAME, id);
	return nl_talk(NETLINK_GENERIC, &r, NULL, NULL);
}
