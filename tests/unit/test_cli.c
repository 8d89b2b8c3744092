// SPDX-License-Identifier: Apache-2.0
/*
 * The command line's tables: each option is usable and documented, and the man
 * page says what the tables say, no less and no more.
 */
#include "typed.h"

#include <ctype.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/table.h"
#include "doctor/checks.h"
#include "telemetry/metrics.h"

/* The programs run in the tree; a build elsewhere says where it is. */
static char *read_file(const char *name)
{
	const char *tree = getenv("SMCMESH_TREE");
	char path[512], chunk[4096];
	_fclose_ FILE *f = NULL;
	struct buf b = {};
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", tree ? tree : ".", name);
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s: %m", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)))
		buf_add(&b, chunk, n);
	return buf_take(&b);
}

/* Running text of a man page: without macros, escapes and line ends. */
static char *plain(char *roff)
{
	struct buf b = {};
	char *line, *rest = roff;

	while ((line = strsep(&rest, "\n"))) {
		if (!strncmp(line, ".SS", 3))
			buf_add(&b, "\n", 1);
		if (*line == '.')
			line += strcspn(line, " ");
		for (; *line; line++)
			if (*line != '\\' && *line != '"')
				buf_add(&b, line, 1);
		buf_add(&b, " ", 1);
	}
	free(roff);
	for (char *p = b.data, *q = b.data;; p++) {
		if (*p == ' ' && q > b.data && q[-1] == ' ')
			continue;
		*q++ = *p;
		if (!*p)
			break;
	}
	return buf_take(&b);
}

static void option_text(const struct cli_option *o, char *text, size_t room)
{
	char key[8] = "", initial[64] = "";

	if (o->key)
		snprintf(key, sizeof(key), "-%c, ", o->key);
	if (o->initial)
		snprintf(initial, sizeof(initial), " (%s)", o->initial);
	snprintf(text, room, "%s--%s%s%s %s%s ", key, o->name,
		 o->value ? " " : "", o->value ? o->value : "", o->help,
		 initial);
}

/* The section of one command: from its heading to the next. */
static char *section(const char *man, const char *name)
{
	char head[64];
	const char *start;

	snprintf(head, sizeof(head), "\n smcmesh %s ", name);
	start = strstr(man, head);
	if (!start)
		fail_msg("the man page has no section smcmesh %s", name);
	return strndup(start, strcspn(start + 1, "\n") + 1);
}

static void test_man_page_has_every_option(void **state)
{
	_free_ char *man = plain(read_file("user/cli/smcmesh.8"));
	char text[256];

	for (const struct command *const *c = commands; *c; c++) {
		_free_ char *own = section(man, (*c)->name);

		for (const struct cli_option *o = (*c)->options; o->name; o++) {
			option_text(o, text, sizeof(text));
			if (!strstr(own, text))
				fail_msg("smcmesh %s: the man page lacks: %s",
					 (*c)->name, text);
		}
	}
}

static void test_man_page_has_every_check_of_doctor(void **state)
{
	_free_ char *man = plain(read_file("user/cli/smcmesh.8"));
	_free_ char *own = section(man, "doctor");
	char *list = strstr(own, "checks beside the features:");
	char *end = list ? strstr(list, "--check") : NULL;

	assert_non_null(end);
	*end = '\0';
	for (const struct doctor_check *c = doctor_checks; c->id; c++) {
		char *at = strstr(list, c->id);

		if (!at || at[-1] != ' ' || !strchr(" ,.", at[strlen(c->id)]))
			fail_msg("the man page lacks the check %s", c->id);
	}
}

static bool is_option(const char *word, size_t len)
{
	if (len == 4 && !strncmp(word, "help", 4))
		return true;
	for (const struct command *const *c = commands; *c; c++)
		for (const struct cli_option *o = (*c)->options; o->name; o++)
			if (strlen(o->name) == len &&
			    !strncmp(o->name, word, len))
				return true;
	return false;
}

static void test_man_page_has_no_other_option(void **state)
{
	_free_ char *man = plain(read_file("user/cli/smcmesh.8"));

	for (char *p = man; (p = strstr(p, " --")); p += 3) {
		size_t len = strspn(p + 3, "abcdefghijklmnopqrstuvwxyz-");

		/* curl's own, in an example */
		if (len && strncmp(p + 3, "unix-socket", len) &&
		    !is_option(p + 3, len))
			fail_msg("the man page has --%.*s", (int)len, p + 3);
	}
}

static char *field(char **row)
{
	char *cell = strsep(row, "|");

	while (cell && (*cell == ' ' || *cell == '`'))
		cell++;
	for (size_t n = cell ? strlen(cell) : 0;
	     n && (cell[n - 1] == ' ' || cell[n - 1] == '`');)
		cell[--n] = '\0';
	return cell;
}

/* `smcmesh version --metrics` and the man page come from one table. */
static void test_man_page_has_the_metrics_reference(void **state)
{
	_free_ char *man = plain(read_file("user/cli/smcmesh.8"));
	struct buf b = {};
	char *text, *rest, *row, line[1024];
	int rows = 0;

	assert_int_equal(metrics_reference(&b), 0);
	text = rest = buf_take(&b);
	while ((row = strsep(&rest, "\n"))) {
		char *cells[5] = {};
		int n = 0;

		if (strncmp(row, "| ", 2) || !strchr(row, '`'))
			continue;
		field(&row);
		while (n < 4 && row && (cells[n] = field(&row)))
			n++;
		if (!strncmp(cells[0], "smcmesh_", 8))
			snprintf(line, sizeof(line), " %s (%s%s%s) %s ",
				 cells[0], cells[1], *cells[2] ? ": " : "",
				 cells[2], cells[3]);
		else if (!strncmp(cells[0], "0x", 2))
			snprintf(line, sizeof(line), " %s %s %s %s ", cells[0],
				 cells[1], cells[2], cells[3]);
		else
			snprintf(line, sizeof(line), " %s %s %s ", cells[0],
				 cells[1], cells[2]);
		if (!strstr(man, line))
			fail_msg("the man page lacks: %s", line);
		rows++;
	}
	free(text);
	assert_true(rows > METRIC_MAX + SMC_REASON_FLOW_MAX + SMC_REASON_MAX -
				   SMC_REASON_POD);
}

static void test_commands_are_found_and_options_differ(void **state)
{
	for (const struct command *const *c = commands; *c; c++) {
		size_t n = 0;

		assert_ptr_equal(command_find((*c)->name), *c);
		for (; (*c)->options[n].name; n++) {
			const struct cli_option *o = &(*c)->options[n];

			assert_true(strlen(o->help) > 0);
			assert_true(o->key != 'h');
			for (size_t k = 0; k < n; k++) {
				assert_string_not_equal(o->name,
							(*c)->options[k].name);
				assert_true(!o->key ||
					    o->key != (*c)->options[k].key);
			}
		}
		assert_true(n <= CLI_OPTIONS_MAX);
	}
	assert_null(command_find("statu"));
}

/* ---- parsing, as a user types it ---------------------------------------- */

static void test_wrong_usage_exits_with_2_and_says_why(void **state)
{
	struct said s = type((char *[]){"smcmesh", NULL});

	assert_int_equal(s.status, 2);
	assert_string_equal(s.out, "");
	s = TYPE("stauts");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "no command stauts");
	s = TYPE("status", "--wat");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "no option --wat");
	s = TYPE("status", "-o", "xml");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "table|json, not xml");
	s = TYPE("status", "-o");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "missing");
	s = TYPE("status", "now");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "takes no now");
	s = TYPE("flows", "--limit", "ten");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "--limit is a number of at most nine digits, or "
			   "all, not ten");
	s = TYPE("flows", "--all", "--limit", "10");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "--all and --limit");
	s = TYPE("reopen");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "needs NAMESPACE/POD");
	s = TYPE("reopen", "web-0");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "expected NAMESPACE/POD, not web-0");
	s = TYPE("reopen", "shop/web-0", "shop/web-1");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "takes no shop/web-1");
	s = TYPE("agent", "--late-pods", "evict");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "--late-pods is for --source kube");
}

static void test_wrong_quarantine_usage_exits_with_2(void **state)
{
	static const char *const peers[] = {"10.0.0.1", "[fd00::1]:0",
					    "fd00::1:80", "ALL", ""};
	struct said s = TYPE("quarantine", "empty");

	assert_int_equal(s.status, 2);
	assert_says(s.err, "expected clear, not empty");
	s = TYPE("quarantine", "clear");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "or all, not nothing");
	for (size_t i = 0; i < array_size(peers); i++) {
		char want[128];

		s = TYPE("quarantine", "clear", (char *)peers[i]);
		assert_int_equal(s.status, 2);
		snprintf(
			want, sizeof(want),
			"expected ADDRESS:PORT, [ADDRESS]:PORT or all, not %s\n",
			peers[i]);
		assert_says(s.err, want);
	}
	s = TYPE("quarantine", "clear", "all", "now");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "takes no now");
}

static void test_wrong_syncheck_usage_exits_with_2(void **state)
{
	static const char *const tries[] = {"0",  "101", "-1",	       " 3",
					    "3x", "1e1", "4294967299", ""};
	struct said s = TYPE("syncheck");

	assert_int_equal(s.status, 2);
	assert_says(s.err, "expected one target: HOST:PORT or a URL");
	s = TYPE("syncheck", "db:1", "db:2");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "takes no db:2");
	s = TYPE("syncheck", "db:1", "--pod", "web-0");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "expected NAMESPACE/POD, not web-0");
	for (size_t i = 0; i < array_size(tries); i++) {
		char want[64];

		s = TYPE("syncheck", "db:1", "--tries", (char *)tries[i]);
		assert_int_equal(s.status, 2);
		snprintf(want, sizeof(want), "from 1 to 100, not %s\n",
			 tries[i]);
		assert_says(s.err, want);
	}
}

static void test_alias_is_the_same_command(void **state)
{
	struct said s = TYPE("syn_check", "--url", "http://web:0/");

	assert_ptr_equal(command_find("syn_check"), &command_syncheck);
	assert_int_equal(s.status, 2);
	assert_says(s.err, "not http://web:0/ (a port is a number");
	s = TYPE("syn_check", "--help");
	assert_int_equal(s.status, 0);
	assert_says(s.out, "usage: smcmesh syncheck [OPTION...] HOST:PORT|URL");
	/* control */
	assert_null(command_find("syn-check"));
}

static void test_help_exits_with_0_and_lists_commands(void **state)
{
	struct said s = TYPE("--help");

	assert_int_equal(s.status, 0);
	assert_string_equal(s.err, "");
	for (const struct command *const *c = commands; *c; c++) {
		assert_says(s.out, (*c)->name);
		assert_says(s.out, (*c)->help);
	}
	s = TYPE("cleanup", "--help");
	assert_int_equal(s.status, 0);
	assert_says(s.out, "--force");
	assert_says(s.out, "--help");
}

static void test_version_says_version_and_abi(void **state)
{
	struct said s = TYPE("version");

	assert_int_equal(s.status, 0);
	assert_says(s.out, SMCMESH_VERSION);
	s = TYPE("--version");
	assert_int_equal(s.status, 0);
	s = TYPE("version", "-o", "json");
	assert_says(s.out, "\"abi\":2");
}

static void test_without_an_agent_status_exits_with_1(void **state)
{
	struct said s = TYPE("status", "--run", "/nonexistent");

	assert_int_equal(s.status, 1);
	assert_string_equal(s.out, "");
	assert_says(s.err, "no agent answers on /nonexistent/agent.sock");
	s = TYPE("endpoints", "--run", "/nonexistent");
	assert_says(s.err, "bpftool map dump name smc_endpoint");
}

/* Whether anything is in quarantine is a question that has no answer then. */
static void test_without_an_agent_quarantine_exits_with_3(void **state)
{
	static char *const argvs[][8] = {
		{"smcmesh", "quarantine", "--run", "/nonexistent"},
		{"smcmesh", "quarantine", "--run", "/nonexistent", "clear",
		 "all"},
		{"smcmesh", "quarantine", "--run", "/nonexistent", "clear",
		 "[fd00::1]:80"},
	};

	for (size_t i = 0; i < array_size(argvs); i++) {
		struct said s = type((char **)argvs[i]);

		assert_int_equal(s.status, 3);
		assert_string_equal(s.out, "");
		assert_says(s.err, "no agent answers on /nonexistent");
		assert_says(s.err, "bpftool map dump name smc_quarantine");
	}
}

static void test_table_aligns_and_replaces_control_bytes(void **state)
{
	static const char *const heads[] = {"A", "LONG", NULL};
	_cleanup_(table_free) struct table t = {};
	char text[256] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	table_init(&t, heads);
	table_print(&t, f);
	assert_int_equal(ftell(f), 0);
	table_add(&t, "x\033[1my");
	table_add(&t, NULL);
	table_addf(&t, "%d", 7);
	table_add(&t, "end");
	table_print(&t, f);
	fclose(f);
	assert_string_equal(text, "A       LONG\n"
				  "x?[1my  -\n"
				  "7       end\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_man_page_has_every_option),
		cmocka_unit_test(test_man_page_has_no_other_option),
		cmocka_unit_test(test_man_page_has_every_check_of_doctor),
		cmocka_unit_test(test_man_page_has_the_metrics_reference),
		cmocka_unit_test(test_commands_are_found_and_options_differ),
		cmocka_unit_test(test_wrong_usage_exits_with_2_and_says_why),
		cmocka_unit_test(test_wrong_quarantine_usage_exits_with_2),
		cmocka_unit_test(test_wrong_syncheck_usage_exits_with_2),
		cmocka_unit_test(test_alias_is_the_same_command),
		cmocka_unit_test(test_help_exits_with_0_and_lists_commands),
		cmocka_unit_test(test_version_says_version_and_abi),
		cmocka_unit_test(test_without_an_agent_status_exits_with_1),
		cmocka_unit_test(test_without_an_agent_quarantine_exits_with_3),
		cmocka_unit_test(test_table_aligns_and_replaces_control_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
