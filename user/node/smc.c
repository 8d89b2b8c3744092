// SPDX-License-Identifier: Apache-2.0
#include "node/smc.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/smc.h>
#include <string.h>
#include "base/fault.h"
#include "mesh/model.h"
#include "node/nl.h"

/* include/linux/dibs.h: the fabric of every loopback device. */
#define DIBS_LOOPBACK_FABRIC "0xffff"
#define DIBS_CLASS "/sys/class/dibs"

/* @padded: all 33 bytes of a UEID, as the kernel wants. */
static int smc_change(__u8 cmd, const char *padded)
{
	int id = nl_genl_id(SMC_GENL_FAMILY_NAME);
	struct nl_request r;

	if (id < 0)
		return id;
	nl_genl_init(&r, id, cmd, SMC_GENL_FAMILY_VERSION, 0);
	mnl_attr_put(r.head, SMC_NLA_EID_TABLE_ENTRY, SMC_UEID_LEN + 1, padded);
	return nl_talk(NETLINK_GENERIC, &r, NULL, NULL);
}

/* As nl_dump(). */
static int smc_dump(__u8 cmd, mnl_cb_t cb, void (*begin)(void *arg), void *arg)
{
	int id = nl_genl_id(SMC_GENL_FAMILY_NAME);
	struct nl_request r;

	if (id < 0)
		return id;
	nl_genl_init(&r, id, cmd, SMC_GENL_FAMILY_VERSION, NLM_F_DUMP);
	return nl_dump(NETLINK_GENERIC, &r, cb, begin, arg);
}

/* ---- UEIDs --------------------------------------------------------------- */

static void cut_blanks(char *s)
{
	size_t len = strlen(s);

	while (len && s[len - 1] == ' ')
		s[--len] = '\0';
}

static void forget_ueids(void *list)
{
	((struct smc_ueids *)list)->n = 0;
}

static int take_ueid(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[SMC_NLA_EID_TABLE_MAX + 1];
	struct smc_ueids *list = arg;
	char *to;

	nl_attrs(h, sizeof(struct genlmsghdr), tb, SMC_NLA_EID_TABLE_MAX);
	if (!tb[SMC_NLA_EID_TABLE_ENTRY] || list->n == array_size(list->v))
		return MNL_CB_OK;
	to = list->v[list->n++];
	nl_str(tb[SMC_NLA_EID_TABLE_ENTRY], to, sizeof(list->v[0]));
	cut_blanks(to);
	return MNL_CB_OK;
}

int smc_ueid_list(struct smc_ueids *out)
{
	struct smc_ueids list = {};
	int err =
		smc_dump(SMC_NETLINK_DUMP_UEID, take_ueid, forget_ueids, &list);

	if (!err)
		*out = list;
	return err;
}

bool smc_ueid_has(const struct smc_ueids *list, const char *ueid)
{
	for (unsigned int i = 0; i < list->n; i++)
		if (!strcmp(list->v[i], ueid))
			return true;
	return false;
}

static void pad_ueid(const char *ueid, char padded[SMC_UEID_LEN + 1])
{
	memset(padded, ' ', SMC_UEID_LEN);
	memcpy(padded, ueid, strlen(ueid));
	padded[SMC_UEID_LEN] = '\0';
}

int smc_ueid_add(const char *ueid)
{
	char padded[SMC_UEID_LEN + 1];
	struct smc_ueids list;
	int err;

	if (!mesh_ueid_valid(ueid))
		return -EINVAL;
	/* The kernel tests "full" before "present": so look first. */
	err = smc_ueid_list(&list);
	if (err)
		return err;
	if (smc_ueid_has(&list, ueid))
		return 0;
	pad_ueid(ueid, padded);
	err = smc_change(SMC_NETLINK_ADD_UEID, padded);
	if (err == -EEXIST)
		return 0;
	return err ?: 1;
}

int smc_ueid_remove(const char *ueid)
{
	char padded[SMC_UEID_LEN + 1];
	struct smc_ueids list;
	int err;

	if (!mesh_ueid_valid(ueid))
		return -EINVAL;
	/* Below -ENOENT may mean "no SMC" or "no such UEID": this excludes the
	 * first. */
	err = smc_ueid_list(&list);
	if (err)
		return err;
	if (!smc_ueid_has(&list, ueid))
		return 0;
	pad_ueid(ueid, padded);
	err = smc_change(SMC_NETLINK_REMOVE_UEID, padded);
	if (err == -ENOENT)
		return 0;
	/* s390 returns EAGAIN for "removed, and the SEID is on again". */
	if (err == -EAGAIN)
		err = 0;
	return err ?: 1;
}

/* ---- devices ------------------------------------------------------------- */

static void forget_flag(void *flag)
{
	*(bool *)flag = false;
}

static int take_smcd_v2(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *top[SMC_GEN_MAX + 1], *tb[SMC_NLA_SYS_MAX + 1];

	nl_attrs(h, sizeof(struct genlmsghdr), top, SMC_GEN_MAX);
	nl_nest(top[SMC_GEN_SYS_INFO], tb, SMC_NLA_SYS_MAX);
	*(bool *)arg = nl_u8(tb[SMC_NLA_SYS_IS_ISM_V2]);
	return MNL_CB_OK;
}

static void forget_count(void *n)
{
	*(unsigned int *)n = 0;
}

static int count_message(const struct nlmsghdr *h, void *arg)
{
	++*(unsigned int *)arg;
	return MNL_CB_OK;
}

static bool is_loopback_dibs(int class_fd, const char *device)
{
	char path[300], id[16] = "";
	_close_ int fd = -1;

	if (snprintf(path, sizeof(path), "%s/fabric_id", device) >=
	    (int)sizeof(path))
		return false;
	fd = openat(class_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, id, sizeof(id) - 1) <= 0)
		return false;
	return !strncmp(id, DIBS_LOOPBACK_FABRIC, strlen(DIBS_LOOPBACK_FABRIC));
}

/* Return: 1 or 0, or -ENOENT: no dibs class here. */
static int dibs_loopback(void)
{
	_closedir_ DIR *dir = opendir(DIBS_CLASS);
	struct dirent *d;

	if (!dir)
		return -errno;
	while ((d = readdir(dir)))
		if (is_loopback_dibs(dirfd(dir), d->d_name))
			return 1;
	return 0;
}

/*
 * The kernel's device dump leaves out just the loopback device
 * (smc_nl_prep_smcd_dev() skips it, net/smc/smc_ism.c). Since dibs (6.18) a
 * sysfs class names it. Before that this infers it: a loopback device makes
 * SMC-Dv2 possible (smcd_register_dev()), and if no device in the dump does, it
 * is there.
 */
int smc_loopback_present(void)
{
	unsigned int others = 0;
	bool smcd_v2 = false;
	int err;

	if (fault_shared_memory())
		return 1;
	err = smc_dump(SMC_NETLINK_GET_SYS_INFO, take_smcd_v2, forget_flag,
		       &smcd_v2);
	if (err)
		return err;
	if (!smcd_v2)
		return 0;
	err = dibs_loopback();
	if (err >= 0)
		return err;
	err = smc_dump(SMC_NETLINK_GET_DEV_SMCD, count_message, forget_count,
		       &others);
	return err ?: !others;
}

/* ---- buffers ------------------------------------------------------------- */

/* From enum SMC_NLA_LGR_R_* and SMC_NLA_LGR_D_* (include/uapi/linux/smc.h); the
 * headers of Linux 6.1 end before them. */
#define LGR_R_SNDBUF_ALLOC 12
#define LGR_R_RMB_ALLOC 13
#define LGR_D_SNDBUF_ALLOC 12
#define LGR_D_DMB_ALLOC 13
#define LGR_MAX 13

struct allocated {
	unsigned int group; /* SMC_GEN_LGR_* */
	unsigned int send, receive;
	__u64 bytes;
};

static void forget_groups(void *sum)
{
	((struct allocated *)sum)->bytes = 0;
}

static int take_group(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *top[SMC_GEN_MAX + 1], *tb[LGR_MAX + 1];
	struct allocated *sum = arg;

	nl_attrs(h, sizeof(struct genlmsghdr), top, SMC_GEN_MAX);
	nl_nest(top[sum->group], tb, LGR_MAX);
	sum->bytes += nl_uint(tb[sum->send]) + nl_uint(tb[sum->receive]);
	return MNL_CB_OK;
}

int smc_allocated(__u64 *bytes)
{
	struct allocated r = {SMC_GEN_LGR_SMCR, LGR_R_SNDBUF_ALLOC,
			      LGR_R_RMB_ALLOC, 0};
	struct allocated d = {SMC_GEN_LGR_SMCD, LGR_D_SNDBUF_ALLOC,
			      LGR_D_DMB_ALLOC, 0};
	int err;

	err = smc_dump(SMC_NETLINK_GET_LGR_SMCR, take_group, forget_groups, &r);
	err = err
		      ?: smc_dump(SMC_NETLINK_GET_LGR_SMCD, take_group,
				  forget_groups, &d);
	if (!err)
		*bytes = r.bytes + d.bytes;
	return err;
}

/* ---- statistics ---------------------------------------------------------- */

/* SMC_NLA_STATS_T_*, since Linux 6.12. */
#define TECH_RX_BUFFERS 20
#define TECH_TX_BUFFERS 21
#define TECH_MAX 21

static struct smc_traffic traffic_of(const struct nlattr *nest)
{
	const struct nlattr *tb[TECH_MAX + 1];

	nl_nest(nest, tb, TECH_MAX);
	return (struct smc_traffic){
		.rx_bytes = nl_uint(tb[SMC_NLA_STATS_T_RX_BYTES]),
		.tx_bytes = nl_uint(tb[SMC_NLA_STATS_T_TX_BYTES]),
		.rx_calls = nl_uint(tb[SMC_NLA_STATS_T_RX_CNT]),
		.tx_calls = nl_uint(tb[SMC_NLA_STATS_T_TX_CNT]),
		.rx_buffers = nl_uint(tb[TECH_RX_BUFFERS]),
		.tx_buffers = nl_uint(tb[TECH_TX_BUFFERS]),
	};
}

void smc_stats_parse(const struct nlmsghdr *h, struct smc_stats *out)
{
	const struct nlattr *top[SMC_GEN_MAX + 1], *tb[SMC_NLA_STATS_MAX + 1];

	nl_attrs(h, sizeof(struct genlmsghdr), top, SMC_GEN_MAX);
	nl_nest(top[SMC_GEN_STATS], tb, SMC_NLA_STATS_MAX);
	out->smcr = traffic_of(tb[SMC_NLA_STATS_SMCR_TECH]);
	out->smcd = traffic_of(tb[SMC_NLA_STATS_SMCD_TECH]);
}

static int take_stats(const struct nlmsghdr *h, void *arg)
{
	smc_stats_parse(h, arg);
	return MNL_CB_OK;
}

static void forget_stats(void *stats)
{
	*(struct smc_stats *)stats = (struct smc_stats){};
}

int smc_stats_read(struct smc_stats *out)
{
	struct smc_stats stats = {};
	int err = smc_dump(SMC_NETLINK_GET_STATS, take_stats, forget_stats,
			   &stats);

	if (!err)
		*out = stats;
	return err;
}
