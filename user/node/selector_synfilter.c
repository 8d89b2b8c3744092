// SPDX-License-Identifier: Apache-2.0
/*
 * The filters of a namespace: two programs on each of its devices, `lo`
 * included (bpf/synfilter.bpf.c). The node half pins the programs in a
 * directory, which is the value that a namespace gets; here the links are made,
 * and pinned beside them as COOKIE_IFINDEX_out and COOKIE_IFINDEX_in. A link
 * ends with its device: its pin then leads to a link of no device.
 *
 * A program of somebody else that runs before ours may keep packets from it: so
 * ours is put in front again, the new link before the old one goes. That is the
 * other of two equal programs, for the kernel takes none twice.
 *
 * BPF converts nothing where a device may lack its filters: a look says that it
 * begins and that it has read all of them back, and that counts only if no
 * device has come in between (bpf/guard.bpf.c).
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/array.h"
#include "base/cleanup.h"
#include "base/pins.h"
#include "base/strv.h"
#include "node/nl.h"
#include "node/proc.h"
#include "node/selector.h"
#include <smcmesh/abi.h>

/* include/uapi/linux/bpf.h, since Linux 6.6; Debian 12 has older headers. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define LINK_TYPE_TCX 11
#define FLAG_BEFORE 8

#define TRIES 3

/* Far more than anybody puts on one device. */
#define PROGRAMS_MAX 64

#define WAYS 2
#define EQUALS 2

struct way {
	const char *program[EQUALS], *suffix;
	int type;
};

static const struct way ways[WAYS] = {
	{{"syn_egress", "syn_egress_2"}, "out", TCX_EGRESS},
	{{"syn_ingress", "syn_ingress_2"}, "in", TCX_INGRESS}};

struct device {
	int index;
	char name[IF_NAMESIZE];
	bool deaf; /* its filter would not see what comes in */
};

struct filters {
	const char *dir;
	__u64 cookie; /* of this namespace */
	int program[WAYS][EQUALS];
	__u32 id[WAYS][EQUALS]; /* of the programs */
	struct device *v;
	size_t n;
};

static void filters_free(struct filters *s)
{
	for (size_t n = 0; n < WAYS * EQUALS; n++)
		cleanup_close(&s->program[n / EQUALS][n % EQUALS]);
	free(s->v);
}
#define _filters_ _cleanup_(filters_free)

/* ---- the devices ---- */

static void forget_devices(void *arg)
{
	struct filters *s = arg;

	free(s->v);
	s->v = NULL;
	s->n = 0;
}

/* A packet to an ipvlan in mode l3s changes its device after tc's ingress. */
static bool is_deaf(const struct nlattr *info)
{
	const struct nlattr *tb[IFLA_INFO_DATA + 1],
		*data[IFLA_IPVLAN_MODE + 1];
	char kind[16];

	nl_nest(info, tb, IFLA_INFO_DATA);
	nl_str(tb[IFLA_INFO_KIND], kind, sizeof(kind));
	if (strcmp(kind, "ipvlan"))
		return false;
	nl_nest(tb[IFLA_INFO_DATA], data, IFLA_IPVLAN_MODE);
	return nl_u16(data[IFLA_IPVLAN_MODE]) == IPVLAN_MODE_L3S;
}

static int take_device(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFLA_LINKINFO + 1];
	struct filters *s = arg;
	struct device *slot;

	if (h->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	slot = array_push(s->v, s->n);
	if (!slot) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	nl_attrs(h, sizeof(*link), tb, IFLA_LINKINFO);
	slot->index = link->ifi_index;
	nl_str(tb[IFLA_IFNAME], slot->name, sizeof(slot->name));
	slot->deaf = is_deaf(tb[IFLA_LINKINFO]);
	return MNL_CB_OK;
}

static int list_devices(struct filters *s)
{
	struct nl_request r;

	forget_devices(s);
	nl_init(&r, RTM_GETLINK, NLM_F_DUMP);
	mnl_nlmsg_put_extra_header(r.head, sizeof(struct ifinfomsg));
	return nl_dump(NETLINK_ROUTE, &r, take_device, forget_devices, s);
}

/* ---- one filter ---- */

static void name_of_pin(const struct filters *s, const struct device *d,
			const struct way *w, char name[64])
{
	snprintf(name, 64, "%llu_%d_%s", (unsigned long long)s->cookie,
		 d->index, w->suffix);
}

/* The link pinned for a device, if it is on that device. Return: a descriptor,
 * -ENOENT, or another errno; @program: whose it is. */
static int open_filter(const struct filters *s, const struct device *d,
		       const struct way *w, __u32 *program)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	_close_ int fd = -1;
	char name[64];
	int err;

	name_of_pin(s, d, w, name);
	fd = pin_open(s->dir, name, PIN_LINK);
	if (fd < 0)
		return fd;
	err = bpf_link_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	*program = info.prog_id;
	return info.type == LINK_TYPE_TCX && pin_link_device(&info) == d->index
		       ? take_fd(fd)
		       : -ENOENT;
}

/* Put one in front of all others on the device, and of the pinned one. @e:
 * which of the equal programs, not the one that is there. */
static int make_filter(const struct filters *s, const struct device *d,
		       size_t i, size_t e)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = FLAG_BEFORE);
	_close_ int fd = -1;
	char name[64];

	fd = bpf_link_create(s->program[i][e], d->index, ways[i].type, &opts);
	if (fd < 0)
		return fd;
	name_of_pin(s, d, &ways[i], name);
	return pin_put(fd, s->dir, name);
}

/* The program that packets meet first; 0: there is none. Return: 0 or errno. */
static int first_program(const struct device *d, const struct way *w,
			 __u32 *first)
{
	__u32 ids[PROGRAMS_MAX] = {0};
	LIBBPF_OPTS(bpf_prog_query_opts, q, .prog_ids = ids,
		    .prog_cnt = PROGRAMS_MAX);
	int err = bpf_prog_query_opts(d->index, w->type, &q);

	*first = q.prog_cnt ? ids[0] : 0;
	return err == -ENOENT ? 0 : err;
}

/* Return: 0, or a negative errno: -ENODEV: the device has gone. */
static int keep_filter(const struct filters *s, const struct device *d,
		       size_t i)
{
	__u32 program = 0, first;
	_close_ int fd = open_filter(s, d, &ways[i], &program);
	bool second = program == s->id[i][1];
	int err;

	if (fd < 0)
		return fd == -ENOENT || fd == -EMEDIUMTYPE
			       ? make_filter(s, d, i, 0)
			       : fd;
	/* an agent before us has made it */
	if (program != s->id[i][0] && !second) {
		program = s->id[i][0];
		err = bpf_link_update(fd, s->program[i][0], NULL);
		if (err)
			return err;
	}
	err = first_program(d, &ways[i], &first);
	return err || first == program ? err : make_filter(s, d, i, !second);
}

/* Is it there and in front? Return: 0, or a negative errno; @first: the foreign
 * program that is, with -EEXIST. */
static int look_at_filter(const struct filters *s, const struct device *d,
			  size_t i, __u32 *first)
{
	__u32 program;
	_close_ int fd = open_filter(s, d, &ways[i], &program);
	int err;

	if (fd < 0)
		return fd;
	err = first_program(d, &ways[i], first);
	return err ? err : *first == program ? 0 : -EEXIST;
}

/* ---- all of them ---- */

static int name_device(struct netns_facts *f, const struct device *d,
		       const char *what, int err)
{
	snprintf(f->detail, sizeof(f->detail), "%s: %s", d->name, what);
	return facts_fail(f, SMC_REASON_SELECTOR_FAILED, err);
}

#define FOREIGN_MAX 80

static void name_foreign(__u32 id, const struct way *w, char what[FOREIGN_MAX])
{
	_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_prog_get_info_by_fd(fd, &info, &len))
		info.name[0] = '\0';
	snprintf(what, FOREIGN_MAX, "program %s (%u) runs before %s",
		 *info.name ? info.name : "?", id, w->program[0]);
}

static int keep_device(const struct filters *s, const struct device *d,
		       struct netns_facts *f)
{
	int err;

	if (d->deaf)
		return name_device(
			f, d,
			"an ipvlan in mode l3s, where what comes in cannot be judged",
			-EOPNOTSUPP);
	for (size_t i = 0; i < WAYS; i++) {
		err = keep_filter(s, d, i);
		if (err == -ENODEV) /* it has gone meanwhile */
			return 0;
		if (err)
			return name_device(f, d, ways[i].program[0], err);
	}
	return 0;
}

static int keep_devices(struct filters *s, struct netns_facts *f)
{
	int err = list_devices(s);

	if (err)
		return facts_fail(f, SMC_REASON_SELECTOR_FAILED, err);
	for (size_t i = 0; !err && i < s->n; i++)
		err = keep_device(s, &s->v[i], f);
	return err;
}

/* Read back: the links that are pinned are on these very devices, and no device
 * has come. Return: 0 or a negative errno, with its reason in @f. */
static int look_at_devices(struct filters *s, struct netns_facts *f)
{
	char what[FOREIGN_MAX];
	__u32 first;
	int err = list_devices(s);

	if (err)
		return facts_fail(f, SMC_REASON_SELECTOR_FAILED, err);
	for (size_t n = 0; n < s->n * WAYS; n++) {
		const struct device *d = &s->v[n / WAYS];
		const struct way *w = &ways[n % WAYS];

		first = 0;
		err = look_at_filter(s, d, n % WAYS, &first);
		if (!err)
			continue;
		if (err == -EEXIST)
			name_foreign(first, w, what);
		else
			snprintf(what, sizeof(what), "no %s", w->program[0]);
		return name_device(f, d, what, err);
	}
	return 0;
}

/* ---- whether BPF converts here ---- */

/* Return: 0; -ENOENT: the namespace has no row yet; -EAGAIN: a device has come
 * since SMC_GUARD_BEGIN; or another errno. */
static int guard(const struct filters *s, enum smc_guard turn)
{
	struct smc_guard_job job = {.netns_cookie = s->cookie, .turn = turn};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &job,
		    .ctx_size_in = sizeof(job));
	_close_ int fd = pin_open(s->dir, "guard_turn", PIN_PROG);
	int err = fd < 0 ? fd : bpf_prog_test_run_opts(fd, &opts);

	return err ?: job.result;
}

static int settle(struct filters *s, struct netns_facts *f)
{
	int err = guard(s, SMC_GUARD_BEGIN);

	if (err && err != -ENOENT)
		return facts_fail(f, SMC_REASON_SELECTOR_FAILED, err);
	err = keep_devices(s, f);
	err = err ?: look_at_devices(s, f);
	if (err)
		return err;
	err = guard(s, SMC_GUARD_END);
	return err == -ENOENT ? 0 : err;
}

/* ---- what there is of ours ---- */

/* The values of this selector among those that are ours: paths. */
static bool is_dir(const char *value)
{
	return value[0] == '/';
}

struct own {
	char prefix[32]; /* of this namespace's pins */
	int n;
	bool drop;
};

static int take_pin(const char *dir, const char *name, void *arg)
{
	struct own *own = arg;
	int did = 1;

	if (strncmp(name, own->prefix, strlen(own->prefix)))
		return 0;
	if (own->drop)
		did = pin_drop(dir, name);
	if (did < 0)
		return did;
	own->n += did;
	return 0;
}

/* Count the pins of this namespace in @dir, or remove them. Return: their
 * number or a negative errno. */
static int own_pins(const char *dir, bool drop)
{
	struct own own = {.drop = drop};
	int err;

	snprintf(own.prefix, sizeof(own.prefix), "%llu_",
		 (unsigned long long)netns_own_cookie());
	err = pin_each(dir, take_pin, &own);
	return err ?: own.n;
}

static int each_dir(const struct netns_ref *ref, bool drop)
{
	int all = 0, n;

	for (size_t i = 0; ref->ours && ref->ours[i]; i++) {
		n = is_dir(ref->ours[i]) ? own_pins(ref->ours[i], drop) : 0;
		if (n < 0)
			return n;
		all += n;
	}
	return all;
}

/* ---- the row ---- */

static void filters_init(struct filters *s, const char *dir)
{
	*s = (struct filters){.dir = dir, .cookie = netns_own_cookie()};
	for (size_t n = 0; n < WAYS * EQUALS; n++)
		s->program[n / EQUALS][n % EQUALS] = -1;
}

static int open_programs(struct filters *s)
{
	int err;

	for (size_t n = 0; n < WAYS * EQUALS; n++) {
		size_t i = n / EQUALS, e = n % EQUALS;

		s->program[i][e] =
			pin_open(s->dir, ways[i].program[e], PIN_PROG);
		if (s->program[i][e] < 0)
			return s->program[i][e];
		err = pin_id(s->program[i][e], PIN_PROG, &s->id[i][e]);
		if (err)
			return err;
	}
	return s->cookie ? 0 : -EOPNOTSUPP;
}

static void note_ours(struct netns_facts *f)
{
	snprintf(f->ctrl, sizeof(f->ctrl), NETNS_FILTERS);
	f->ctrl_is_ours = true;
}

static int syn_set(const struct netns_ref *ref, const char *dir,
		   struct netns_facts *f)
{
	_filters_ struct filters s = {};
	int err;

	if (!dir)
		return facts_fail(f, SMC_REASON_NO_SELECTOR, -EOPNOTSUPP);
	if (!f->transports && !each_dir(ref, false))
		return facts_fail(f, SMC_REASON_NO_TRANSPORT, -ENODEV);
	filters_init(&s, dir);
	err = open_programs(&s);
	if (err)
		return facts_fail(f, SMC_REASON_SELECTOR_FAILED, err);
	err = -EAGAIN;
	for (int i = 0; i < TRIES && err == -EAGAIN; i++)
		err = settle(&s, f);
	if (!err) {
		note_ours(f);
		return 0;
	}
	(void)!guard(&s, SMC_GUARD_LOST);
	if (!f->reason)
		facts_fail(f, SMC_REASON_SELECTOR_FAILED, err);
	return err;
}

static int syn_check(const struct netns_ref *ref, struct netns_facts *f)
{
	int err = -ENODATA;

	for (size_t i = 0; err && ref->ours && ref->ours[i]; i++) {
		_filters_ struct filters s = {};

		filters_init(&s, ref->ours[i]);
		if (!is_dir(s.dir) || own_pins(s.dir, false) <= 0)
			continue;
		note_ours(f);
		err = look_at_devices(&s, f);
		f->ctrl_is_ours = err != -EEXIST;
		if (err == -EEXIST)
			f->reason = SMC_REASON_FOREIGN_SELECTOR;
		if (err)
			return err;
		f->reason = SMC_REASON_NONE;
		f->err = 0;
	}
	return err == -ENODATA && !f->reason
		       ? facts_fail(f, SMC_REASON_SELECTOR_FAILED, err)
		       : err;
}

static int syn_left(const struct netns_ref *ref, char name[SMC_CTRL_NAME_MAX])
{
	int n = each_dir(ref, false);

	if (n <= 0)
		return n;
	strcpy(name, NETNS_FILTERS);
	return 1;
}

static int syn_release(const struct netns_ref *ref)
{
	int n = each_dir(ref, true), left;

	if (n <= 0)
		return n;
	left = each_dir(ref, false);
	return left < 0 ? left : left ? -EIO : 1;
}

const struct netns_selector netns_selector_synfilter = {
	.name = NETNS_FILTERS,
	.set = syn_set,
	.check = syn_check,
	.release = syn_release,
	.left = syn_left,
};
