// SPDX-License-Identifier: Apache-2.0
#include "node/sidecar.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include "base/buf.h"
#include "node/helper.h"
#include "node/nft.h"
#include "node/nl.h"
#include "node/iptc.h"
#include "node/rules.h"

/* A comment in every rule of ours; it tells that the table is ours. */
#define COMMENT "smcmesh"

#define TEXT_OF_(n) #n
#define TEXT_OF(n) TEXT_OF_(n)

/* The table's objects as libnftables reads and prints them. The same text is
 * written and compared, so there is no second description to disagree. */
#define TABLE_JSON \
	"{\"table\":{\"family\":\"inet\",\"name\":\"" SIDECAR_TABLE "\"}}"
#define CHAIN_JSON                                                         \
	"{\"chain\":{\"family\":\"inet\",\"table\":\"" SIDECAR_TABLE "\"," \
	"\"name\":\"output\",\"type\":\"nat\",\"hook\":\"output\","        \
	"\"prio\":" TEXT_OF(SIDECAR_PRIORITY) ",\"policy\":\"accept\"}}"
#define RULE_JSON(expr)                                                    \
	"{\"rule\":{\"family\":\"inet\",\"table\":\"" SIDECAR_TABLE "\","  \
	"\"chain\":\"output\",\"comment\":\"" COMMENT "\",\"expr\":[" expr \
	"]}}"
#define IS_JSON(key, value)                                            \
	"{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"" key \
	"\"}},\"right\":" value "}}"
#define DADDR_JSON(ip) \
	"{\"payload\":{\"protocol\":\"" ip "\",\"field\":\"daddr\"}}"
#define HAS_FILE \
	IS_JSON("skuid", "{\"range\":[0,4294967295]}") ",{\"return\":null}"
#define PASS(ip)                \
	IS_JSON("l4proto", "6") \
	",{\"dnat\":{\"family\":\"" ip "\",\"addr\":" DADDR_JSON(ip) "}}"

/*
 * The kernel's own TCP sockets (NFS, RDS, a further subflow of MPTCP) have no
 * file either: they pass as well; and packets without a socket, like a reset,
 * which begin no connection. A raw socket has a file, and so has the first
 * subflow of MPTCP, its program's.
 */
static const char *const object_json[] = {
	TABLE_JSON, CHAIN_JSON, RULE_JSON(HAS_FILE), RULE_JSON(PASS("ip")),
	RULE_JSON(PASS("ip6"))};

/* Is there a table of that name, whoever made it? Without libnftables, which
 * reads every table first, and may not understand another program's. */
static int nft_has_table(void)
{
	struct nl_request r;
	int err;

	nl_nft_init(&r, NFT_MSG_GETTABLE, NFPROTO_INET, 0);
	mnl_attr_put_strz(r.head, NFTA_TABLE_NAME, SIDECAR_TABLE);
	err = nl_talk(NETLINK_NETFILTER, &r, NULL, NULL);
	/* EINVAL, or ENOENT of the bus: no nf_tables (nft_probe(), nft.c) */
	return err == -ENOENT || err == -EINVAL ? 0 : err ?: 1;
}

/* ---- what is there ------------------------------------------------------- */

enum found { ABSENT, OURS, FOREIGN };

/* Ours: one of its rules says so, or it has none (someone flushed it). */
static enum found whose(yyjson_val *objects)
{
	enum found f = OURS;
	yyjson_val *item;
	size_t i, n;

	yyjson_arr_foreach (objects, i, n, item) {
		yyjson_val *rule = yyjson_obj_get(item, "rule");

		if (!rule)
			continue;
		if (yyjson_equals_str(yyjson_obj_get(rule, "comment"), COMMENT))
			return OURS;
		f = FOREIGN;
	}
	return f;
}

/*
 * List the table. *@doc: NULL if it is ABSENT, or cannot be right: libnftables
 * 1.0.6 prints broken JSON for a table with flags (a dormant one: it takes a
 * symbol table for the wrong type). Its text still tells whether it is there
 * and ours.
 */
static int look(struct nft_ctx *nft, enum found *found, yyjson_doc **doc,
		char *detail, size_t room)
{
	const char *text;
	int err = nft_has_table();

	*found = ABSENT;
	if (err <= 0)
		return err;
	err = nft_json(nft, "{\"nftables\":[{\"list\":" TABLE_JSON "}]}", doc,
		       detail, room);
	if (!err)
		*found = whose(nft_objects(*doc));
	if (err != -EPROTO)
		return err;
	err = nft_text(nft, "list table inet " SIDECAR_TABLE, &text, detail,
		       room);
	if (err)
		return err;
	*found = strstr(text, "comment \"" COMMENT "\"") ? OURS : FOREIGN;
	return 0;
}

/* ---- what is wanted ------------------------------------------------------ */

/* The objects, comma separated, each between @before and @after. */
static int wanted_objects(struct buf *b, const char *before, const char *after)
{
	for (size_t i = 0; i < array_size(object_json); i++)
		buf_printf(b, "%s%s%s%s", i ? "," : "", before, object_json[i],
			   after);
	return b->err;
}

/* The content of a listed object without the numbers that the kernel gave. */
static yyjson_mut_val *without_handle(yyjson_mut_doc *scratch, yyjson_val *item)
{
	yyjson_mut_val *copy = yyjson_val_mut_copy(scratch, item);
	yyjson_mut_val *key, *val;
	size_t i, n;

	yyjson_mut_obj_foreach(copy, i, n, key, val)
		yyjson_mut_obj_remove_key(val, "handle");
	return copy;
}

/* Are the listed objects exactly the wanted ones, in the same order? */
static bool same_objects(yyjson_doc *listed, yyjson_doc *wanted)
{
	yyjson_val *want = yyjson_arr_get_first(yyjson_doc_get_root(wanted));
	yyjson_mut_doc *scratch = yyjson_mut_doc_new(NULL);
	size_t left = yyjson_arr_size(yyjson_doc_get_root(wanted));
	bool same = scratch;
	yyjson_val *item;
	size_t i, n;

	yyjson_arr_foreach (nft_objects(listed), i, n, item) {
		if (!same || yyjson_obj_get(item, "metainfo"))
			continue;
		same = left &&
		       yyjson_mut_equals(without_handle(scratch, item),
					 yyjson_val_mut_copy(scratch, want));
		if (left && --left)
			want = unsafe_yyjson_get_next(want);
	}
	yyjson_mut_doc_free(scratch);
	return same && !left;
}

static int is_right(yyjson_doc *listed)
{
	_nftdoc_ yyjson_doc *wanted = NULL;
	_buf_ struct buf b = {};

	buf_printf(&b, "[");
	wanted_objects(&b, "", "");
	if (buf_printf(&b, "]"))
		return b.err;
	wanted = yyjson_read(b.data, b.len, 0);
	return wanted ? same_objects(listed, wanted) : -ENOMEM;
}

/* ---- public -------------------------------------------------------------- */

/* "Add, delete, add" replaces the table, whether it was there or not. */
static int replace(struct nft_ctx *nft, char *detail, size_t room)
{
	_buf_ struct buf b = {};

	buf_printf(&b, "{\"nftables\":[{\"add\":" TABLE_JSON
		       "},{\"delete\":" TABLE_JSON "},");
	wanted_objects(&b, "{\"add\":", "}");
	if (buf_printf(&b, "]}"))
		return b.err;
	return nft_run(nft, b.data, -EOPNOTSUPP, detail, room);
}

/* Is our table there, and right? Return: 1, 0, -EEXIST: it is not ours. */
static int check(struct nft_ctx *nft, char *detail, size_t room)
{
	_nftdoc_ yyjson_doc *doc = NULL;
	enum found found;
	int err = look(nft, &found, &doc, detail, room);

	if (err)
		return err;
	if (found == FOREIGN) {
		snprintf(detail, room,
			 "a table inet " SIDECAR_TABLE " that is not ours");
		return -EEXIST;
	}
	return doc ? is_right(doc) : 0;
}

/* @nft: opened here if NULL. Return: as sidecar_settle() for the table. */
static int ensure(struct nft_ctx **nft, char *detail, size_t room)
{
	int err = *nft ? 0 : nft_open(nft);
	int right;

	if (err)
		return err;
	right = check(*nft, detail, room);
	if (right)
		return right < 0 ? right : 0;
	err = replace(*nft, detail, room);
	if (err)
		return err;
	right = check(*nft, detail, room);
	if (right)
		return right;
	snprintf(detail, room, "the rule reads back differently");
	return -EIO;
}

/*
 * libnftables reads the whole ruleset, and again whenever it changed meanwhile
 * (nft_cache_update()): where a program changes its rules all the time it never
 * ends. So it works in a helper of its own, with less time than the look that
 * it is part of. The kernel does all that the helper asks or nothing, so that
 * ending it leaves no half of a table.
 */
#define NFT_TIMEOUT_MS 800
#define DETAIL_ROOM 128

struct bounded {
	struct sidecar_found found;
	char detail[DETAIL_ROOM];
};

struct nft_job {
	int (*run)(const struct nft_job *job, struct bounded *b);
	const struct smc_owner *hint;
	bool nft; /* nftables has more than our table */
};

static int run_job(const void *arg, struct buf *answer)
{
	const struct nft_job *job = arg;
	struct bounded b = {};
	int result = job->run(job, &b);

	return buf_add(answer, &b, sizeof(b)) ?: result;
}

static int run_bounded(const struct nft_job *job, struct bounded *b)
{
	_buf_ struct buf answer = {};
	int result = helper_run(NULL, run_job, job, NFT_TIMEOUT_MS, &answer);
	int copied;

	memset(b, 0, sizeof(*b));
	copied = helper_copy(&answer, b, sizeof(*b));
	if (result == -ETIMEDOUT)
		snprintf(
			b->detail, sizeof(b->detail),
			"nftables came to no end: this namespace has very many "
			"rules, or they are changed all the time");
	return result < 0 || !copied ? result : copied;
}

/* Is our table there? Return: 1 with *@nft open, 0, or a negative errno. */
static int find_ours(struct nft_ctx **nft, char *detail, size_t room)
{
	_nftdoc_ yyjson_doc *doc = NULL;
	int err = nft_open(nft);
	enum found found;

	err = err ?: look(*nft, &found, &doc, detail, room);
	return err ?: found == OURS;
}

static int left(const struct nft_job *job, struct bounded *b)
{
	_nft_ struct nft_ctx *nft = NULL;

	return find_ours(&nft, b->detail, sizeof(b->detail));
}

int sidecar_left(void)
{
	const struct nft_job job = {.run = left};
	int there = nft_has_table();
	struct bounded b;

	return there <= 0 ? there : run_bounded(&job, &b);
}

static int remove_ours(const struct nft_job *job, struct bounded *b)
{
	_nft_ struct nft_ctx *nft = NULL;
	int found, err;

	found = find_ours(&nft, b->detail, sizeof(b->detail));
	if (found <= 0)
		return found;
	err = nft_run(nft, "{\"nftables\":[{\"delete\":" TABLE_JSON "}]}", -EIO,
		      b->detail, sizeof(b->detail));
	return err ?: 1;
}

int sidecar_remove(void)
{
	const struct nft_job job = {.run = remove_ours};
	int there = nft_has_table();
	struct bounded b;

	return there <= 0 ? there : run_bounded(&job, &b);
}

/* ---- whom the rules let pass --------------------------------------------- */

static int read_rules(const struct nft_job *job, struct nft_ctx **nft,
		      struct redirects *out, struct bounded *b)
{
	int err = 0;

	if (job->nft)
		err = nft_open(nft);
	if (!err && job->nft)
		err = rules_nft_read(*nft, SIDECAR_TABLE, out, b->detail,
				     sizeof(b->detail));
	return err ?: rules_legacy_read(out, b->detail, sizeof(b->detail));
}

/* Rules that move anything decide; a hint counts only without them. */
static void decide(const struct nft_job *job, const struct redirect_pass *pass,
		   struct sidecar_found *out)
{
	if (pass->answer == REDIRECT_OWNERS) {
		out->sidecar = true;
		out->n_owners = pass->n_owners;
		memcpy(out->owners, pass->owners, sizeof(out->owners));
	} else if (pass->answer == REDIRECT_NONE && job->hint) {
		out->sidecar = out->by_hint = true;
		out->n_owners = 1;
		out->owners[0] = *job->hint;
	}
}

static int settle(const struct nft_job *job, struct bounded *b)
{
	_cleanup_(redirects_free) struct redirects rules = {};
	_nft_ struct nft_ctx *nft = NULL;
	struct redirect_pass pass;
	int err = read_rules(job, &nft, &rules, b);

	err = err ?: redirects_judge(&rules, SIDECAR_PRIORITY, &pass);
	if (!err && pass.answer == REDIRECT_UNKNOWN) {
		snprintf(b->detail, sizeof(b->detail), "%s", pass.why);
		err = -ENOTUNIQ;
	}
	if (err)
		return err;
	decide(job, &pass, &b->found);
	if (b->found.sidecar)
		return ensure(&nft, b->detail, sizeof(b->detail));
	return nft_has_table() > 0 ? remove_ours(job, b) : 0;
}

int sidecar_settle(const struct smc_owner *hint, struct sidecar_found *out,
		   char *detail, size_t room)
{
	struct nft_job job = {.run = settle, .hint = hint};
	int nft = rules_nft_any(SIDECAR_TABLE);
	int more = nft ? nft : iptc_any();
	struct bounded b = {};
	int err;

	*out = (struct sidecar_found){};
	if (more < 0) {
		snprintf(detail, room, "the namespace's rules cannot be read");
		return more;
	}
	if (!more && !hint)
		return sidecar_remove();
	job.nft = nft;
	err = run_bounded(&job, &b);
	*out = b.found;
	snprintf(detail, room, "%s", b.detail);
	return err;
}
