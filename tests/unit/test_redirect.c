// SPDX-License-Identifier: Apache-2.0
/* Whom rules let pass: the decision (user/mesh/redirect.c), by rules written as
 * text, one to a line, and nftables' JSON (user/node/rules_nft.c). */
#include "unit.h"

#include <linux/netfilter/xt_owner.h>
#include <string.h>
#include "base/buf.h"
#include "mesh/owners.h"
#include "mesh/redirect.h"
#include "node/rules.h"

#define _redirects_ _cleanup_(redirects_free)
#define OURS (-110)

/* ---- a small language ------------------------------------------------------
 *
 *	chain [base PRIORITY [drops]]
 *	[maybe] [odd] [xt] [4|6] [[!]uid A[-B]] [[!]gid A[-B]] VERDICT
 *
 * VERDICT: next return accept away, or jump N, goto N: the Nth chain.
 */

static void add_chain(struct redirects *r, char *words)
{
	struct redirect_chain *c = redirects_chain(r);

	assert_non_null(c);
	c->base = sscanf(words, "base %d", &c->priority) == 1;
	c->drops = strstr(words, "drops");
}

static void add_ids(struct redirect_rule *rule, const char *what, bool xt,
		    const char *ids)
{
	struct redirect_test *t = redirect_test_add(rule);
	unsigned int first, last;

	assert_non_null(t);
	t->invert = *what == '!';
	t->gid = strstr(what, "gid");
	t->xt = xt;
	if (sscanf(ids, "%u-%u", &first, &last) < 2)
		last = first;
	assert_int_equal(redirect_range_add(t, first, last), 0);
}

static void set_verdict(struct redirect_rule *rule, const char *word,
			const char *next)
{
	static const char *const verdicts[] = {"next", "return", "accept",
					       "away", "jump",	 "goto"};

	for (size_t i = 0; i < array_size(verdicts); i++)
		if (!strcmp(verdicts[i], word)) {
			rule->verdict = i;
			rule->target = next ? strtoul(next, NULL, 10) : 0;
			return;
		}
	fail_msg("no such word: %s", word);
}

static void add_rule(struct redirects *r, char *words)
{
	struct redirect_rule *rule = redirects_rule(r, r->n - 1);
	char *rest = words, *word;
	bool xt = false;

	assert_non_null(rule);
	while ((word = strsep(&rest, " "))) {
		if (!strcmp(word, "maybe"))
			rule->maybe = true;
		else if (!strcmp(word, "odd"))
			rule->odd = true;
		else if (!strcmp(word, "xt"))
			xt = true;
		else if (*word == '4' || *word == '6')
			rule->families =
				*word == '4' ? REDIRECT_IP4 : REDIRECT_IP6;
		else if (strstr(word, "id"))
			add_ids(rule, word, xt, strsep(&rest, " "));
		else
			set_verdict(rule, word, strsep(&rest, " "));
	}
}

static struct redirects read_rules(const char *text)
{
	struct redirects r = {};
	char *copy = strdup(text), *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (!strncmp(line, "chain", 5))
			add_chain(&r, line + 5 + (line[5] == ' '));
		else if (*line)
			add_rule(&r, line);
	}
	free(copy);
	return r;
}

/* "none", "alike", "unknown", or the owners, comma separated. */
static void say(const struct redirects *r, struct buf *to)
{
	static const char *const words[] = {"none", "alike", "", "unknown"};
	struct redirect_pass pass;
	char text[OWNER_STRLEN];

	assert_int_equal(redirects_judge(r, OURS, &pass), 0);
	assert_int_equal(!!pass.why, pass.answer == REDIRECT_UNKNOWN);
	buf_printf(to, "%s", words[pass.answer]);
	for (size_t i = 0; i < pass.n_owners; i++)
		buf_printf(to, "%s%s", i ? ", " : "",
			   owner_format(&pass.owners[i], text));
	assert_int_equal(!!pass.n_owners, pass.answer == REDIRECT_OWNERS);
}

static void check(const char *text, const char *expected)
{
	_redirects_ struct redirects r = read_rules(text);
	_buf_ struct buf got = {};

	say(&r, &got);
	if (strcmp(got.data, expected))
		fail_msg("%s\nsay: %s, expected: %s", text, got.data, expected);
}

#define BASE "chain base -100\n"

static void rules_without_a_redirect_move_nobody(void **state)
{
	check("", "none");
	check(BASE, "none");
	check(BASE "uid 7 return", "none");
	check(BASE "accept\naway", "none");
	/* a chain that nobody jumps to */
	check(BASE "return\nchain\naway", "none");
	check("chain\naway", "none");
}

static void owners_whom_rules_let_pass_are_named(void **state)
{
	check(BASE "uid 7 return\naway", "UID 7");
	check(BASE "gid 7 return\naway", "GID 7");
	check(BASE "uid 7 accept\naway", "UID 7");
	check(BASE "!uid 7 away", "UID 7");
	check(BASE "uid 7 gid 8 return\naway", "UID 7 with GID 8");
	check(BASE "uid 7 return\ngid 8 return\naway", "UID 7, GID 8");
	check(BASE "uid 7 return\nuid 9 return\naway", "UID 7, UID 9");
	check(BASE "uid 0 gid 5 return\nuid 7 return\naway",
	      "UID 7, UID 0 with GID 5");
	check(BASE "uid 0 return\naway", "UID 0");
	check(BASE "uid 4294967294 return\naway", "UID 4294967294");
	check(BASE "uid 4294967294-4294967295 return\naway", "UID 4294967294");
	check(BASE "uid 7-7 return\naway", "UID 7");
	/* part of what another rule says: one owner */
	check(BASE "uid 7 return\nuid 7 gid 8 return\naway", "UID 7");
	check(BASE "maybe away\nuid 7 return", "unknown");
	check(BASE "uid 7 return\nmaybe away", "UID 7");
	check("chain base -100 drops\nuid 7 accept", "UID 7");
}

static void owners_that_cannot_be_said_are_unknown(void **state)
{
	check(BASE "uid 7-8 return\naway", "unknown");
	check(BASE "!uid 0 return\naway", "unknown");
	check(BASE "uid 1 return\nuid 3 return\nuid 5 return\nuid 7 return\n"
		   "uid 9 return\naway",
	      "unknown");
	check(BASE "odd return\naway", "unknown");
	check(BASE "uid 7 odd return\naway", "unknown");
	/* nobody: whatever the port, or the mark */
	check(BASE "maybe uid 7 return\naway", "unknown");
	check(BASE "away", "unknown");
	check("chain base -100 drops", "unknown");
	/* who passes one family and not the other */
	check(BASE "4 uid 7 return\naway", "unknown");
	check(BASE "4 uid 7 return\n6 uid 8 return\naway", "unknown");
	check(BASE "4 uid 7 return\n4 away", "UID 7");
}

/* Nothing there asks for an owner: an SMC socket is treated like any other. */
static void redirect_that_asks_for_no_owner_is_alike_for_all(void **state)
{
	check(BASE "maybe away", "alike");
	check(BASE "maybe return\naway", "alike");
	check(BASE "maybe accept\nmaybe away", "alike");
	/* one family whole: whoever is behind that is led to himself */
	check(BASE "4 away", "unknown");
	check(BASE "4 maybe away\n6 maybe away", "alike");
}

static void jumps_between_chains_are_followed(void **state)
{
	check(BASE "jump 1\nchain\nuid 7 return\naway", "UID 7");
	check(BASE "jump 1\naway\nchain\nuid 7 return\naway", "unknown");
	check(BASE "goto 1\naway\nchain\nuid 7 return\naway", "UID 7");
	check(BASE "jump 1\naway\nchain\nuid 7 accept", "UID 7");
	check(BASE "maybe jump 1\nchain\nuid 7 return\naway", "UID 7");
	check(BASE "uid 7 jump 1\naway\nchain\nreturn", "unknown");
	check(BASE "uid 7 goto 1\naway\nchain\nnext", "UID 7");
	check(BASE "uid 7 jump 1\naway\nchain\naccept", "UID 7");
	/* what the kernel would not have: not taken for a way out */
	check(BASE "uid 7 return\njump 9", "UID 7");
	check(BASE "jump 9", "unknown");
	check(BASE "jump 1\nchain\njump 2\nchain\njump 1", "unknown");
}

static void several_chains_let_pass_whom_all_of_them_do(void **state)
{
	check(BASE "uid 7 return\naway\n" BASE
		   "uid 7 return\nuid 8 return\naway",
	      "UID 7");
	check(BASE "uid 7 return\naway\n" BASE "uid 8 return\naway", "unknown");
	/* "accept" ends one chain only */
	check(BASE "uid 8 accept\nuid 7 accept\naway\n"
		   "chain base 0\nuid 7 return\naway",
	      "UID 7");
	/* before ours nothing of ours can help */
	check("chain base -110\nuid 7 return\naway", "unknown");
	check("chain base -111\nuid 7 return\naway", "unknown");
	check("chain base -109\nuid 7 return\naway", "UID 7");
	check("chain base -150\nreturn\n" BASE "uid 7 return\naway", "UID 7");
	check("chain base -150\nmaybe away", "alike");
}

/* A socket without a file: nftables ends a rule there, xtables takes it for one
 * that is not the owner. */
static void socket_without_a_file_is_judged_as_the_tool_does(void **state)
{
	check(BASE "uid 0-4294967295 return\naway", "unknown");
	check(BASE "xt uid 0-4294967295 return\naway", "unknown");
	check(BASE "xt !uid 0-4294967295 away", "unknown");
	check(BASE "!uid 0-4294967295 away", "none");
	check(BASE "xt !uid 7 away", "UID 7");
}

/* What a person reads, with the pod's reason owner-rule. */
static void owners_that_are_unknown_say_why(void **state)
{
	static const char *const cases[][2] = {
		{BASE "odd return\naway", "no equivalent here"},
		{BASE "maybe uid 7 return\naway", "lets nobody pass for sure"},
		{BASE "away", "the redirect lets nobody pass"},
		{BASE "uid 7-8 return\naway", "more than a few"},
		{BASE "uid 0-4294967295 return\naway", "has no owner"},
		{"chain base -150\nuid 7 return\naway",
		 "before a rule of ours"},
	};
	struct redirect_pass pass;

	for (size_t i = 0; i < array_size(cases); i++) {
		_redirects_ struct redirects r = read_rules(cases[i][0]);

		assert_int_equal(redirects_judge(&r, OURS, &pass), 0);
		assert_non_null(pass.why);
		if (!strstr(pass.why, cases[i][1]))
			fail_msg("%s\nsays: %s", cases[i][0], pass.why);
	}
}

static void too_many_rules_or_ranges_are_unknown(void **state)
{
	_redirects_ struct redirects r = read_rules(BASE "uid 7 return");
	struct redirect_pass pass;

	for (int i = 0; i < 5000; i++)
		assert_non_null(redirects_rule(&r, 0));
	assert_int_equal(redirects_judge(&r, OURS, &pass), 0);
	assert_int_equal(pass.answer, REDIRECT_UNKNOWN);

	_redirects_ struct redirects many = read_rules(BASE);

	for (unsigned int i = 0; i < 100; i++) {
		struct redirect_rule *rule = redirects_rule(&many, 0);
		struct redirect_test *t = redirect_test_add(rule);

		rule->verdict = REDIRECT_RETURN;
		assert_int_equal(redirect_range_add(t, 2 * i, 2 * i), 0);
	}
	redirects_rule(&many, 0)->verdict = REDIRECT_AWAY;
	assert_int_equal(redirects_judge(&many, OURS, &pass), 0);
	assert_int_equal(pass.answer, REDIRECT_UNKNOWN);
}

/* ---- nftables' JSON --------------------------------------------------------
 */

#define CHAIN                                                              \
	"{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"o\","  \
	"\"handle\":1,\"type\":\"nat\",\"hook\":\"output\",\"prio\":-100," \
	"\"policy\":\"accept\"}}"
#define RULE(expr)                                                         \
	",{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"o\"," \
	"\"handle\":4,\"expr\":[" expr "]}}"
#define MATCH(op, left, right) \
	"{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define META(key) "{\"meta\":{\"key\":\"" key "\"}}"
#define FIELD(protocol, field) \
	"{\"payload\":{\"protocol\":\"" protocol "\",\"field\":\"" field "\"}}"
#define RETURN "{\"return\":null}"
#define AWAY RULE("{\"redirect\":{\"port\":15001}}")

static void check_json(const struct xt_infos *xt, const char *rules,
		       const char *expected)
{
	static const struct xt_infos none;
	_redirects_ struct redirects r = {};
	_buf_ struct buf json = {}, got = {};
	yyjson_doc *doc;

	buf_printf(&json, "[" CHAIN "%s]", rules);
	doc = yyjson_read(json.data, json.len, 0);
	assert_non_null(doc);
	assert_int_equal(rules_nft_decode(yyjson_doc_get_root(doc), xt ?: &none,
					  "ours", &r),
			 0);
	yyjson_doc_free(doc);
	say(&r, &got);
	if (strcmp(got.data, expected))
		fail_msg("%s\nsay: %s, expected: %s", rules, got.data,
			 expected);
}

static void owners_in_json_of_nft_are_read(void **state)
{
	static const char *const users[][2] = {
		{MATCH("==", META("skuid"), "7"), "UID 7"},
		{MATCH("in", META("skuid"), "7"), "UID 7"},
		{MATCH("==", META("skuid"), "{\"set\":[7,{\"range\":[9,9]}]}"),
		 "UID 7, UID 9"},
		{MATCH("<", META("skuid"), "1"), "UID 0"},
		{MATCH("<=", META("skuid"), "0"), "UID 0"},
		{MATCH(">", META("skuid"), "4294967293"), "UID 4294967294"},
		{MATCH("<", META("skuid"), "0"), "unknown"},
		{MATCH("==", META("skgid"), "7"), "GID 7"},
		/* of which nobody knows what they say */
		{MATCH("==", META("skuid"), "\"@set\""), "unknown"},
		{MATCH("==", META("skuid"), "\"root\""), "unknown"},
		{MATCH("==", META("skuid"), "-1"), "unknown"},
		{MATCH("==", META("skuid"), "4294967296"), "unknown"},
		{MATCH("like", META("skuid"), "7"), "unknown"},
		{MATCH("==", "{\"&\":[" META("skuid") ",15]}", "7"), "unknown"},
		{MATCH("==",
		       "{\"concat\":[" META("skuid") "," META("mark") "]}",
		       "{\"set\":[{\"concat\":[7,1]}]}"),
		 "unknown"},
	};

	for (size_t i = 0; i < array_size(users); i++) {
		_buf_ struct buf rules = {};

		buf_printf(&rules, RULE("%s," RETURN) AWAY, users[i][0]);
		check_json(NULL, rules.data, users[i][1]);
	}
}

/* What no TCP packet does that leaves the pod; what each does; what some do. */
static void conditions_in_json_of_nft_are_judged(void **state)
{
	static const char *const never[] = {
		MATCH("==", META("oifname"), "\"lo\""),
		MATCH("==", META("oif"), "1"),
		MATCH("==", META("oifname"), "{\"set\":[\"lo\"]}"),
		MATCH("==", META("l4proto"), "17"),
		MATCH("==", META("l4proto"), "\"udp\""),
		MATCH("!=", META("l4proto"), "6"),
		MATCH("!=", META("l4proto"), "{\"set\":[6,17]}"),
		MATCH("==", FIELD("ip", "protocol"), "17"),
		MATCH("==", FIELD("udp", "dport"), "53"),
		MATCH("!=", FIELD("udp", "dport"), "53"),
		MATCH("==", FIELD("ip", "daddr"), "\"127.0.0.1\""),
		MATCH("==", FIELD("ip", "daddr"),
		      "{\"prefix\":{\"addr\":\"127.0.0.0\",\"len\":8}}"),
		MATCH("==", FIELD("ip6", "daddr"), "\"::1\""),
	};
	static const char *const always[] = {
		MATCH("!=", META("oifname"), "\"lo\""),
		MATCH("==", META("l4proto"), "\"tcp\""),
		MATCH("==", META("l4proto"), "{\"set\":[6,17]}"),
		"{\"counter\":null}",
		"{\"log\":{\"prefix\":\"x\"}}",
	};
	static const char *const sometimes[] = {
		MATCH("==", META("oifname"), "\"lo*\""),
		MATCH("==", META("oifname"), "{\"set\":[\"lo\",\"eth0\"]}"),
		MATCH("==", META("oifname"), "\"@names\""),
		MATCH("==", META("l4proto"), "\"@set\""),
		MATCH("==", META("mark"), "1337"),
		MATCH("==", FIELD("tcp", "dport"), "80"),
		MATCH("!=", FIELD("ip", "daddr"), "\"10.0.0.1\""),
		MATCH("==", FIELD("ip", "daddr"),
		      "{\"prefix\":{\"addr\":\"127.0.0.0\",\"len\":7}}"),
		"{\"limit\":{\"rate\":1,\"per\":\"second\"}}",
		"{\"unheard of\":null}",
	};
	char rules[2048];

	for (size_t i = 0; i < array_size(never); i++) {
		snprintf(rules, sizeof(rules), RULE("%s,{\"redirect\":null}"),
			 never[i]);
		check_json(NULL, rules, "none");
	}
	for (size_t i = 0; i < array_size(always); i++) {
		snprintf(rules, sizeof(rules), RULE("%s," RETURN) AWAY,
			 always[i]);
		check_json(NULL, rules, "none");
	}
	for (size_t i = 0; i < array_size(sometimes); i++) {
		snprintf(rules, sizeof(rules), RULE("%s,{\"redirect\":null}"),
			 sometimes[i]);
		check_json(NULL, rules, "alike");
	}
}

/* Rules of iptables over nftables: only the kernel knows what they ask. */
static void owner_of_an_xt_rule_is_what_the_kernel_said(void **state)
{
	const struct xt_owner_match_info user = {
		.uid_min = 7, .uid_max = 7, .match = XT_OWNER_UID};
	const struct xt_owner_match_info not_socket = {
		.match = XT_OWNER_SOCKET, .invert = XT_OWNER_SOCKET};
	struct xt_info v[] = {{.rule = 4, .name = "comment", .rev = 0},
			      {.rule = 4, .name = "owner", .rev = 1}};
	const struct xt_infos xt = {v, 2};
#define XT(name) "{\"xt\":{\"type\":\"match\",\"name\":\"" name "\"}}"
	const char *rules = RULE(XT("comment") "," XT(
		"owner") "," RETURN) ",{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":"
				     "\"o\",\"handle\":5,\"expr\":[{\"xt\":{\"type\":\"target\","
				     "\"name\":\"REDIRECT\"}}]}}";

	memcpy(v[1].data, &user, sizeof(user));
	v[1].len = sizeof(user);
	check_json(&xt, rules, "UID 7");
	memcpy(v[1].data, &not_socket, sizeof(not_socket));
	check_json(&xt, rules, "unknown");
	/* not of the same time, of another revision, cut short */
	memcpy(v[1].data, &user, sizeof(user));
	v[1].rule = 6;
	check_json(&xt, rules, "unknown");
	v[1].rule = 4;
	v[1].rev = 2;
	check_json(&xt, rules, "unknown");
	v[1].rev = 1;
	v[1].len = 4;
	check_json(&xt, rules, "unknown");
	check_json(NULL, rules, "unknown");
}

/* Ours lets nobody of theirs pass, and is not looked at. */
static void rules_of_our_own_are_not_looked_at(void **state)
{
	check_json(NULL,
		   ",{\"chain\":{\"family\":\"inet\",\"table\":\"ours\","
		   "\"name\":\"output\",\"type\":\"nat\",\"hook\":\"output\","
		   "\"prio\":-110}},{\"rule\":{\"family\":\"inet\",\"table\":"
		   "\"ours\",\"chain\":\"output\",\"comment\":\"ours\","
		   "\"expr\":[{\"dnat\":{\"addr\":\"192.0.2.1\"}}]}}",
		   "none");
	check_json(NULL,
		   ",{\"chain\":{\"family\":\"inet\",\"table\":\"ours\","
		   "\"name\":\"output\",\"type\":\"nat\",\"hook\":\"output\","
		   "\"prio\":-110}},{\"rule\":{\"family\":\"inet\",\"table\":"
		   "\"ours\",\"chain\":\"output\",\"comment\":\"not\","
		   "\"expr\":[{\"dnat\":{\"addr\":\"192.0.2.1\"}}]}}",
		   "unknown");
}

static void owner_of_two_containers_is_shared(void **state)
{
	struct mesh_container v[] = {{(char *)"app", SMC_ID_ANY, SMC_ID_ANY},
				     {(char *)"proxy", 7, 7},
				     {(char *)"debug", 7, SMC_ID_ANY}};
	const struct mesh_pod pod = {.containers = v, .n_containers = 3};
	const struct smc_owner user = {7, SMC_ID_ANY}, both = {7, 7};
	const char *one = "", *other = "";

	assert_true(owners_shared(&user, 1, &pod, &one, &other));
	assert_string_equal(one, "proxy");
	assert_string_equal(other, "debug");
	/* what the API does not say is not known */
	assert_false(owners_shared(&both, 1, &pod, &one, &other));
	v[2].uid = 8;
	assert_false(owners_shared(&user, 1, &pod, &one, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_without_a_redirect_move_nobody),
		cmocka_unit_test(owners_whom_rules_let_pass_are_named),
		cmocka_unit_test(owners_that_cannot_be_said_are_unknown),
		cmocka_unit_test(
			redirect_that_asks_for_no_owner_is_alike_for_all),
		cmocka_unit_test(jumps_between_chains_are_followed),
		cmocka_unit_test(several_chains_let_pass_whom_all_of_them_do),
		cmocka_unit_test(
			socket_without_a_file_is_judged_as_the_tool_does),
		cmocka_unit_test(owners_that_are_unknown_say_why),
		cmocka_unit_test(too_many_rules_or_ranges_are_unknown),
		cmocka_unit_test(owners_in_json_of_nft_are_read),
		cmocka_unit_test(conditions_in_json_of_nft_are_judged),
		cmocka_unit_test(owner_of_an_xt_rule_is_what_the_kernel_said),
		cmocka_unit_test(rules_of_our_own_are_not_looked_at),
		cmocka_unit_test(owner_of_two_containers_is_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
