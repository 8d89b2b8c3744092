// SPDX-License-Identifier: Apache-2.0
#include "node/rules_expr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <string.h>
#include "base/addr.h"

#define PROTO_TCP 6
#define LO_INDEX 1 /* of every network namespace (loopback_net_init()) */
#define EXPR_DEPTH_MAX 16

static const char *str_of(yyjson_val *obj, const char *key)
{
	return yyjson_get_str(yyjson_obj_get(obj, key)) ?: "";
}

/* ---- owners -------------------------------------------------------------- */

static bool asks_owner(yyjson_val *expr, int depth)
{
	const char *meta = str_of(yyjson_obj_get(expr, "meta"), "key");
	yyjson_val *key, *val;
	size_t i, n;

	if (depth > EXPR_DEPTH_MAX)
		return true; /* who knows */
	if (!strcmp(meta, "skuid") || !strcmp(meta, "skgid"))
		return true;
	if (yyjson_is_arr(expr))
		yyjson_arr_foreach (expr, i, n, val)
			if (asks_owner(val, depth + 1))
				return true;
	if (yyjson_is_obj(expr))
		yyjson_obj_foreach (expr, i, n, key, val)
			if (asks_owner(val, depth + 1))
				return true;
	return false;
}

bool expr_asks_owner(yyjson_val *expr)
{
	return asks_owner(expr, 0);
}

static bool id_of(yyjson_val *val, __u32 *out)
{
	if (!yyjson_is_uint(val) || yyjson_get_uint(val) > SMC_ID_ANY)
		return false;
	*out = yyjson_get_uint(val);
	return true;
}

/* One number or range. Return: 0, -EINVAL: it is something else, -ENOMEM. */
static int add_range(struct redirect_test *t, yyjson_val *val)
{
	yyjson_val *range = yyjson_obj_get(val, "range");
	__u32 first, last;

	if (range) {
		if (!id_of(yyjson_arr_get(range, 0), &first) ||
		    !id_of(yyjson_arr_get(range, 1), &last))
			return -EINVAL;
	} else if (id_of(val, &first)) {
		last = first;
	} else {
		return -EINVAL;
	}
	return redirect_range_add(t, first, last);
}

/* @op: "<", "<=", ">" or ">=": the range on that side of the number. */
static int add_side(struct redirect_test *t, const char *op, yyjson_val *right)
{
	bool with = op[1] == '=';
	__u32 id;

	if (!id_of(right, &id))
		return -EINVAL;
	if (*op == '<' && (with || id))
		return redirect_range_add(t, 0, with ? id : id - 1);
	if (*op == '>' && (with || id < SMC_ID_ANY))
		return redirect_range_add(t, with ? id : id + 1, SMC_ID_ANY);
	return 0; /* nothing is less than that */
}

static int add_ids(struct redirect_test *t, const char *op, yyjson_val *right)
{
	yyjson_val *set = yyjson_obj_get(right, "set"), *val;
	size_t i, n;
	int err = 0;

	if (*op == '<' || *op == '>')
		return add_side(t, op, right);
	t->invert = !strcmp(op, "!=");
	if (!t->invert && strcmp(op, "==") && strcmp(op, "in"))
		return -EINVAL;
	if (!set)
		return add_range(t, right);
	yyjson_arr_foreach (set, i, n, val)
		err = err ?: add_range(t, val);
	return err;
}

/* Any other match (a set by name, a map) is odd: we cannot tell whom it lets
 * pass. */
static int match_owner(struct redirect_rule *rule, bool gid, const char *op,
		       yyjson_val *right)
{
	struct redirect_test *t = redirect_test_add(rule);
	int err;

	if (!t)
		return -ENOMEM;
	t->gid = gid;
	err = add_ids(t, op, right);
	if (err != -EINVAL)
		return err;
	free(t->v);
	rule->n_tests--;
	rule->odd = true;
	return 0;
}

/* ---- all else ------------------------------------------------------------ */

/* Can the packet have one of @right, and must it? */
static enum holds one_of(yyjson_val *right, enum holds (*is)(yyjson_val *val))
{
	yyjson_val *set = yyjson_obj_get(right, "set"), *val;
	enum holds best = HOLDS_NO, one;
	size_t i, n;

	if (!set)
		return is(right);
	yyjson_arr_foreach (set, i, n, val) {
		one = is(val);
		best = one > best ? one : best;
	}
	return best;
}

static enum holds compare(const char *op, yyjson_val *right,
			  enum holds (*is)(yyjson_val *val))
{
	enum holds holds = one_of(right, is);

	if (!strcmp(op, "=="))
		return holds;
	if (!strcmp(op, "!="))
		return HOLDS_YES - holds;
	return HOLDS_MAYBE;
}

/* A number, or its name if libnftables has one. */
static enum holds is_tcp(yyjson_val *val)
{
	if (yyjson_is_uint(val))
		return yyjson_get_uint(val) == PROTO_TCP ? HOLDS_YES : HOLDS_NO;
	if (!yyjson_is_str(val) || *yyjson_get_str(val) == '@')
		return HOLDS_MAYBE;
	return !strcmp(yyjson_get_str(val), "tcp") ? HOLDS_YES : HOLDS_NO;
}

/* Packets that leave the pod do not go through lo. */
static enum holds is_interface(yyjson_val *val)
{
	if (yyjson_equals_str(val, "lo") ||
	    (yyjson_is_uint(val) && yyjson_get_uint(val) == LO_INDEX))
		return HOLDS_NO;
	return HOLDS_MAYBE;
}

static bool is_loopback(const char *text, unsigned int bits)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127 && bits >= 8;
	return inet_pton(AF_INET6, text, &six) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&six) && bits >= 128;
}

/* Nor do they go to loopback. */
static enum holds is_destination(yyjson_val *val)
{
	yyjson_val *prefix = yyjson_obj_get(val, "prefix");
	unsigned int bits = 128;

	if (prefix) {
		bits = yyjson_get_uint(yyjson_obj_get(prefix, "len"));
		val = yyjson_obj_get(prefix, "addr");
	}
	return yyjson_is_str(val) && is_loopback(yyjson_get_str(val), bits)
		       ? HOLDS_NO
		       : HOLDS_MAYBE;
}

static void narrow(struct redirect_rule *rule, unsigned int families)
{
	rule->families &= families;
}

static enum holds match_nfproto(const char *op, yyjson_val *right,
				struct redirect_rule *rule)
{
	bool four = yyjson_equals_str(right, "ipv4") ||
		    (yyjson_is_uint(right) &&
		     yyjson_get_uint(right) == NFPROTO_IPV4);
	bool six = yyjson_equals_str(right, "ipv6") ||
		   (yyjson_is_uint(right) &&
		    yyjson_get_uint(right) == NFPROTO_IPV6);

	if (four == six || (strcmp(op, "==") && strcmp(op, "!=")))
		return HOLDS_MAYBE;
	narrow(rule, four == !strcmp(op, "==") ? REDIRECT_IP4 : REDIRECT_IP6);
	return HOLDS_YES;
}

static enum holds match_meta(const char *key, const char *op, yyjson_val *right,
			     struct redirect_rule *rule)
{
	if (!strcmp(key, "l4proto"))
		return compare(op, right, is_tcp);
	if (!strcmp(key, "oifname") || !strcmp(key, "oif"))
		return compare(op, right, is_interface);
	if (!strcmp(key, "nfproto"))
		return match_nfproto(op, right, rule);
	return HOLDS_MAYBE;
}

/* A match of a header's field implies that the packet has the header:
 * libnftables does not print the match for that. */
static enum holds match_payload(yyjson_val *payload, const char *op,
				yyjson_val *right, struct redirect_rule *rule)
{
	const char *protocol = str_of(payload, "protocol");
	const char *field = str_of(payload, "field");
	bool four = !strcmp(protocol, "ip"), six = !strcmp(protocol, "ip6");

	if (four || six) {
		narrow(rule, four ? REDIRECT_IP4 : REDIRECT_IP6);
		if (!strcmp(field, "protocol") || !strcmp(field, "nexthdr"))
			return compare(op, right, is_tcp);
		return !strcmp(field, "daddr")
			       ? compare(op, right, is_destination)
			       : HOLDS_MAYBE;
	}
	if (!strcmp(protocol, "udp") || !strcmp(protocol, "udplite") ||
	    !strcmp(protocol, "sctp") || !strcmp(protocol, "dccp") ||
	    !strcmp(protocol, "icmp") || !strcmp(protocol, "icmpv6"))
		return HOLDS_NO;
	return HOLDS_MAYBE;
}

int expr_match(yyjson_val *match, struct redirect_rule *rule, enum holds *holds)
{
	yyjson_val *left = yyjson_obj_get(match, "left");
	yyjson_val *right = yyjson_obj_get(match, "right");
	yyjson_val *payload = yyjson_obj_get(left, "payload");
	const char *meta = str_of(yyjson_obj_get(left, "meta"), "key");
	const char *op = str_of(match, "op");
	bool gid = !strcmp(meta, "skgid");

	*holds = HOLDS_YES;
	if (gid || !strcmp(meta, "skuid"))
		return match_owner(rule, gid, op, right);
	rule->odd |= asks_owner(match, 0);
	if (*meta)
		*holds = match_meta(meta, op, right, rule);
	else if (payload)
		*holds = match_payload(payload, op, right, rule);
	else
		*holds = HOLDS_MAYBE;
	return 0;
}
