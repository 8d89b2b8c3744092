// SPDX-License-Identifier: Apache-2.0
/*
 * nodectl COMMAND [ARGUMENT...]: calls one function of user/node and prints
 * what it returned as one JSON object, for tests in Python. `result` is the
 * function's own return value. Exit code 2: wrong usage.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <yyjson.h>
#include "mesh/owners.h"
#include "node/cgroup.h"
#include "node/encrypt.h"
#include "node/forwards.h"
#include "node/local_addrs.h"
#include "node/helper.h"
#include "node/netns.h"
#include "node/plain_sockets.h"
#include "node/probe.h"
#include "node/rdma_cm.h"
#include "node/podspace.h"
#include "node/sidecar.h"
#include "node/uidmap.h"

static yyjson_mut_doc *doc;
static yyjson_mut_val *root;
/* Selectors that are taken for ours: the words of $NODECTL_OURS. */
static char *ours[16];

static void read_ours(void)
{
	char *words = getenv("NODECTL_OURS"), *word;
	size_t n = 0;

	for (word = strtok(words ?: (char[]){""}, " ");
	     word && n + 1 < array_size(ours); word = strtok(NULL, " "))
		ours[n++] = word;
}

static void put(const char *key, long long value)
{
	yyjson_mut_obj_add_sint(doc, root, key, value);
}

static void put_str(const char *key, const char *value)
{
	yyjson_mut_obj_add_strcpy(doc, root, key, value);
}

static __u32 number(const char *text)
{
	return strtoul(text, NULL, 0);
}

static void put_addrs(const struct mesh_addrs *addrs)
{
	yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "addrs");
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < addrs->n; i++)
		yyjson_mut_arr_add_strcpy(doc, list,
					  addr_format(&addrs->v[i], text));
}

static const char *const reasons[] = {
#define LABEL(id, label, sentence, remedy) [SMC_REASON_##id] = label,
	SMC_REASONS(LABEL)};

static void put_owners(const struct smc_owner *v, size_t n)
{
	yyjson_mut_val *all = yyjson_mut_obj_add_arr(doc, root, "owners");
	char text[OWNER_STRLEN];

	for (size_t i = 0; i < n; i++)
		yyjson_mut_arr_add_strcpy(doc, all, owner_format(&v[i], text));
}

static void put_found(const struct sidecar_found *f)
{
	put_owners(f->owners, f->n_owners);
	yyjson_mut_obj_add_bool(doc, root, "sidecar", f->sidecar);
	yyjson_mut_obj_add_bool(doc, root, "by_hint", f->by_hint);
}

/* The owners as the host counts. */
static int put_facts(int result, struct netns_facts *f)
{
	struct sidecar_found found;

	put("result", result);
	if (result)
		return 0;
	yyjson_mut_obj_add_bool(doc, root, "verified", f->verified);
	put_str("reason", reasons[f->reason]);
	put("err", f->err);
	put_str("detail", f->detail);
	put_str("ctrl", f->ctrl);
	put("cookie", f->cookie);
	put("inode", f->inode);
	put("transports", f->transports);
	found = f->sidecar;
	memcpy(found.owners, f->owners, sizeof(found.owners));
	put_found(&found);
	put_addrs(&f->addrs);
	netns_facts_free(f);
	return 0;
}

/* NETNS CTRL [UID]; CTRL "-": none */
static int do_prepare(char **a, int n)
{
	struct netns_ref ref = {.path = a[0], .ours = ours};
	bool none = !strcmp(a[1], "-");
	struct netns_use use = {.selector = none ? "none" : "hs_ctrl",
				.ctrl = none ? NULL : a[1]};
	struct netns_sidecar sidecar = {.hinted = n > 2};
	struct netns_facts facts;

	if (sidecar.hinted)
		sidecar.owner = (struct smc_owner){number(a[2]), SMC_ID_ANY};
	return put_facts(netns_prepare(&ref, &use, &sidecar, &facts), &facts);
}

static int do_look(char **a, int n)
{
	struct netns_ref ref = {.path = a[0], .ours = ours};
	struct netns_facts facts;

	return put_facts(netns_look(&ref, &facts), &facts);
}

static int do_late(char **a, int n)
{
	struct netns_ref ref = {.path = a[0]};
	_cleanup_(plain_free) struct plain found;
	int err = plain_find(&ref, NULL, &found);
	yyjson_mut_val *rows = yyjson_mut_obj_add_arr(doc, root, "listeners");
	char text[ADDR_STRLEN];

	put("result", err ?: (int)found.n_listeners);
	for (size_t i = 0; i < found.n_listeners; i++) {
		const struct netns_listener *l = &found.listeners[i];
		yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, rows);

		yyjson_mut_obj_add_strcpy(doc, row, "addr",
					  addr_format(&l->addr, text));
		yyjson_mut_obj_add_int(doc, row, "port", l->port);
		yyjson_mut_obj_add_uint(doc, row, "uid", l->uid);
	}
	return 0;
}

static int list_in_netns(const void *arg, struct buf *answer)
{
	_free_ struct diag_smc *v = NULL;
	int got = diag_smc_list(&v);

	return got < 0 ? got : buf_add(answer, v, got * sizeof(*v));
}

static int do_smc(char **a, int n)
{
	static const char *const modes[] = {"smcr", "tcp", "smcd"};
	struct netns_ref ref = {.path = a[0]};
	_buf_ struct buf answer = {};
	int err = helper_run(&ref, list_in_netns, NULL, HELPER_TIMEOUT_MS,
			     &answer);
	int got = err ?: (int)(answer.len / sizeof(struct diag_smc));
	const struct diag_smc *v = (const void *)answer.data;
	yyjson_mut_val *rows = yyjson_mut_obj_add_arr(doc, root, "sockets");

	put("result", got);
	for (int i = 0; i < got; i++) {
		yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, rows);

		yyjson_mut_obj_add_int(doc, row, "local_port", v[i].local_port);
		yyjson_mut_obj_add_int(doc, row, "remote_port",
				       v[i].remote_port);
		yyjson_mut_obj_add_int(doc, row, "state", v[i].state);
		yyjson_mut_obj_add_str(doc, row, "mode", modes[v[i].mode % 3]);
		yyjson_mut_obj_add_uint(doc, row, "fallback", v[i].fallback);
		yyjson_mut_obj_add_uint(doc, row, "inode", v[i].inode);
	}
	return 0;
}

static int do_count(char **a, int n)
{
	struct netns_ref ref = {.path = a[0]};

	put("result", netns_smc_sockets(&ref));
	return 0;
}

/* NETNS [force] */
static int do_release(char **a, int n)
{
	struct netns_ref ref = {.path = a[0], .ours = ours};
	_buf_ struct buf said = {};
	struct netns_released r;

	put("result", netns_release(&ref, n > 1, &r, &said));
	yyjson_mut_obj_add_bool(doc, root, "selector", r.selector);
	yyjson_mut_obj_add_bool(doc, root, "rule", r.rule);
	yyjson_mut_obj_add_bool(doc, root, "kept", r.kept);
	put("smc_sockets", r.smc_sockets);
	return 0;
}

static int do_left(char **a, int n)
{
	struct netns_ref ref = {.path = a[0], .ours = ours};
	_buf_ struct buf said = {};
	struct netns_left left;

	put("result", netns_left(&ref, &left, &said));
	put_str("ctrl", left.ctrl);
	yyjson_mut_obj_add_bool(doc, root, "rule", left.rule);
	return 0;
}

static int put_netns(const struct place *at, void *arg)
{
	yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, arg);

	yyjson_mut_obj_add_strcpy(doc, row, "path", at->path);
	yyjson_mut_obj_add_uint(doc, row, "inode", at->id.ino);
	return 0;
}

static int do_each(char **a, int n)
{
	yyjson_mut_val *rows = yyjson_mut_obj_add_arr(doc, root, "netns");

	put("result", netns_each(n ? a[0] : NULL, put_netns, rows));
	return 0;
}

/* list | add UEID | del UEID */
static int do_ueid(char **a, int n)
{
	struct smc_ueids list = {};
	yyjson_mut_val *rows;

	if (n == 1) {
		put("result", smc_ueid_list(&list));
		rows = yyjson_mut_obj_add_arr(doc, root, "ueids");
		for (unsigned int i = 0; i < list.n; i++)
			yyjson_mut_arr_add_strcpy(doc, rows, list.v[i]);
	} else if (!strcmp(a[0], "add")) {
		put("result", smc_ueid_add(a[1]));
	} else {
		put("result", smc_ueid_remove(a[1]));
	}
	return 0;
}

static int do_devices(char **a, int n)
{
	struct rdma_device dev[16];
	int got = rdma_list(dev, array_size(dev));
	yyjson_mut_val *rows = yyjson_mut_obj_add_arr(doc, root, "rdma");
	char text[ADDR_STRLEN];

	put("loopback", smc_loopback_present());
	put("rdma_result", got);
	for (int i = 0; i < got; i++) {
		yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, rows);

		yyjson_mut_obj_add_strcpy(doc, row, "name", dev[i].name);
		yyjson_mut_obj_add_strcpy(doc, row, "netdev", dev[i].netdev);
		yyjson_mut_obj_add_bool(doc, row, "active", dev[i].active);
		yyjson_mut_obj_add_bool(doc, row, "usable",
					rdma_usable(&dev[i]));
		yyjson_mut_obj_add_bool(doc, row, "deaf", dev[i].deaf);
		yyjson_mut_obj_add_strcpy(doc, row, "subnet",
					  cidr_format(&dev[i].subnet, text));
	}
	return 0;
}

/* [UID]: hint. In the caller's namespace. */
static int do_sidecar(char **a, int n)
{
	struct smc_owner hint = {.gid = SMC_ID_ANY};
	struct sidecar_found found;
	char detail[128] = "";

	if (n)
		hint.uid = number(a[0]);
	put("result",
	    sidecar_settle(n ? &hint : NULL, &found, detail, sizeof(detail)));
	put_str("detail", detail);
	put_found(&found);
	return 0;
}

static int do_unsidecar(char **a, int n)
{
	put("result", sidecar_remove());
	return 0;
}

/* In the caller's namespace. */
static int do_encrypt(char **a, int n)
{
	char what[ENCRYPT_TEXT_MAX] = "";

	put("result", encrypt_find(what));
	put_str("what", what);
	return 0;
}

/* ADDRESS... that the caller's namespace has. */
static int do_forwards(char **a, int n)
{
	char what[FORWARDS_TEXT_MAX] = "";
	struct smc_addr v[8];
	const struct mesh_addrs own = {v, n};

	for (int i = 0; i < n; i++)
		if (addr_parse(a[i], &v[i]))
			return 2;
	put("result", forwards_find(&own, what));
	put_str("what", what);
	return 0;
}

/* Of the caller's namespace. */
static int do_local(char **a, int n)
{
	_cleanup_(local_free) struct local found = {};
	yyjson_mut_val *addrs = yyjson_mut_obj_add_arr(doc, root, "addresses");
	yyjson_mut_val *nets = yyjson_mut_obj_add_arr(doc, root, "nets");
	char text[ADDR_STRLEN];

	put("result", local_find(&found));
	for (size_t i = 0; i < found.addrs.n; i++)
		yyjson_mut_arr_add_strcpy(doc, addrs,
					  addr_format(&found.addrs.v[i], text));
	for (size_t i = 0; i < found.n_nets; i++)
		yyjson_mut_arr_add_strcpy(doc, nets,
					  cidr_format(&found.nets[i], text));
	return 0;
}

static int hang(const void *arg, struct buf *answer)
{
	while (pause())
		;
	return 0;
}

static int crash(const void *arg, struct buf *answer)
{
	raise(SIGKILL);
	return 0;
}

static int big(const void *arg, struct buf *answer)
{
	for (int i = 0; i < 100000; i++)
		buf_printf(answer, "%07d\n", i);
	return 42;
}

/* hang|crash|big NETNS MS */
static int do_helper(char **a, int n)
{
	helper_fn fn = *a[0] == 'h' ? hang : *a[0] == 'c' ? crash : big;
	const struct netns_ref ref = {.path = a[1]};
	_buf_ struct buf answer = {};

	put("result", helper_run(&ref, fn, NULL, number(a[2]), &answer));
	put("len", answer.len);
	return 0;
}

/* PROC ROOT UID */
static int do_pod(char **a, int n)
{
	_place_ struct place at = PLACE_NONE;
	char path[CGROUP_PATH_MAX] = "";
	__u64 id = 0;

	put("result", cgroup_find_pod(a[1], a[2], path));
	put_str("cgroup", path);
	put("id_result", *path ? cgroup_id(path, &id) : -1);
	put("id", id);
	put("netns_result", *path ? podspace_in(a[0], path, &at)
				  : podspace_search(a[0], a[2], &at));
	put_str("netns", at.fd < 0 ? "" : at.path);
	return 0;
}

/* NETNS UID */
static int do_uid(char **a, int n)
{
	const struct netns_ref ref = {.path = a[0]};
	struct smc_owner o = {number(a[1]), SMC_ID_ANY};

	put("result", uidmap_owners(&ref, &o, 1));
	put("uid", o.uid);
	return 0;
}

static void put_probe(yyjson_mut_val *rows, const struct probe *p)
{
	yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, rows);
	char text[ADDR_STRLEN];

	yyjson_mut_obj_add_strcpy(doc, row, "peer",
				  addr_format(&p->peer, text));
	yyjson_mut_obj_add_int(doc, row, "result", p->result);
	yyjson_mut_obj_add_uint(doc, row, "us", p->us);
}

/* MS {NETNS OWN PEER}...: `waited`: how often it was asked in vain. NETNS "-":
 * the caller's own. $NODECTL_CGROUP: the root of the cgroup tree;
 * $NODECTL_COOKIE: which the namespaces must be. */
static int do_probe(char **a, int n)
{
	yyjson_mut_val *rows = yyjson_mut_obj_add_arr(doc, root, "probes");
	const struct probe_host host = {.cgroup = getenv("NODECTL_CGROUP")};
	static struct probe v[PROBE_MAX + 1];
	int count = (n - 1) / 3, ms = number(a[0]), waited = 0, err;
	struct helper h;

	for (int i = 0; i < count; i++) {
		char **of = a + 1 + 3 * i;

		v[i].netns = strcmp(of[0], "-") ? of[0] : NULL;
		v[i].cookie = number(getenv("NODECTL_COOKIE") ?: "0");
		if (addr_parse(of[1], &v[i].own) ||
		    addr_parse(of[2], &v[i].peer))
			return 2;
	}
	err = probe_start(&h, &host, v, count, ms);
	while (!err && (err = probe_take(&h, v, count)) == -EAGAIN) {
		struct pollfd p = {.fd = h.fd, .events = POLLIN};

		waited++;
		poll(&p, 1, 100);
		err = 0;
	}
	put("result", err);
	put("waited", waited);
	for (int i = 0; !err && i < count; i++)
		put_probe(rows, &v[i]);
	return 0;
}

static int do_load_cm(char **a, int n)
{
	put("result", rdma_cm_load());
	return 0;
}

static const struct {
	const char *name;
	int min, max;
	int (*run)(char **argv, int argc);
} commands[] = {
	{"prepare", 2, 3, do_prepare},
	{"look", 1, 1, do_look},
	{"late", 1, 1, do_late},
	{"smc", 1, 1, do_smc},
	{"count", 1, 1, do_count},
	{"release", 1, 2, do_release},
	{"each", 0, 1, do_each},
	{"ueid", 1, 2, do_ueid},
	{"devices", 0, 0, do_devices},
	{"sidecar", 0, 1, do_sidecar},
	{"unsidecar", 0, 0, do_unsidecar},
	{"helper", 3, 3, do_helper},
	{"pod", 3, 3, do_pod},
	{"uid", 2, 2, do_uid},
	{"left", 1, 1, do_left},
	{"encrypt", 0, 0, do_encrypt},
	{"forwards", 1, 8, do_forwards},
	{"local", 0, 0, do_local},
	{"load_cm", 0, 0, do_load_cm},
	{"probe", 4, 1 + 3 * (PROBE_MAX + 1), do_probe},
};

static int run(char **argv, int argc)
{
	for (size_t i = 0; i < array_size(commands); i++) {
		if (strcmp(commands[i].name, argv[0]))
			continue;
		if (argc - 1 < commands[i].min || argc - 1 > commands[i].max)
			return 2;
		return commands[i].run(argv + 1, argc - 1);
	}
	return 2;
}

int main(int argc, char **argv)
{
	_free_ char *text = NULL;
	int rc;

	read_ours();
	doc = yyjson_mut_doc_new(NULL);
	root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	rc = argc > 1 ? run(argv + 1, argc - 1) : 2;
	text = yyjson_mut_write(doc, 0, NULL);
	if (rc)
		fprintf(stderr, "nodectl: wrong usage, see the source\n");
	else
		puts(text);
	yyjson_mut_doc_free(doc);
	return rc;
}
