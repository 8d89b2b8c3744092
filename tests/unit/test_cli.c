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
#include "cli/complete.h"
#include "cli/nearest.h"
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
		 cli_option_takes(o) == CLI_NEEDS_VALUE ? " " : "",
		 o->value ? o->value : "", o->help, initial);
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
		if (!strncmp(cells[0], "smcmesh_", 8) ||
		    !strncmp(cells[0], "process_", 8))
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
	assert_says(s.err, "table|wide|json|yaml, not xml");
	s = TYPE("status", "-o");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "missing");
	s = TYPE("status", "now");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "takes no now");
	s = TYPE("flows", "--limit", "ten");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "--last is a number of at most nine digits, or "
			   "all, not ten");
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
	s = TYPE("agent", "--metrics-labels", "pods");
	assert_int_equal(s.status, 2);
	assert_says(s.err, "--metrics-labels is pod|namespace|none, not pods");
}

static void test_wrong_flows_usage_exits_with_2(void **state)
{
	static const struct {
		char *argv[8];
		const char *says;
	} cases[] = {
		{{"-n", "10"},
		 "flows: -n is the namespace now, and 10 is a number: --last 10 shows the newest 10"},
		{{"-n", "a/b"}, "--namespace is one namespace"},
		{{"-A", "-n", "shop"}, "-A and -n are not for one call"},
		{{"-n", "shop", "-p", "default/web"},
		 "--pod is POD or NAMESPACE/POD, of the one namespace that is asked for, not default/web"},
		{{"--all", "--last", "10"}, "of --all, --last and --limit"},
		{{"--limit", "1", "--last", "1"}, "one call has one"},
		{{"--to", "web:80"}, "--to is CIDR[:PORT] or ADDRESS[:PORT]"},
		{{"--port", "http"}, "--port is a port or a range"},
		{{"--outcome", "smc"}, "--outcome is of pending, tcp"},
		{{"--reason", "no-netns"}, "--reason is reasons of flows"},
		{{"--since", "10"}, "--since is a number with s, m or h"},
		{{"-f", "--since", "5m"}, "-f begins now"},
		{{"-f", "--last", "3"}, "-f begins now"},
		{{"-f", "-a"}, "-f begins now"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		char *argv[12] = {"smcmesh", "flows", "--run", "/nonexistent"};
		struct said s;

		memcpy(argv + 4, cases[i].argv,
		       sizeof(cases[i].argv) - sizeof(char *));
		s = type(argv);
		assert_int_equal(s.status, 2);
		assert_says(s.err, cases[i].says);
		assert_string_equal(s.out, "");
	}
	/* control: what is right only lacks an agent */
	assert_int_equal(TYPE("flows", "--run", "/nonexistent", "-nshop",
			      "-pshop/web-0", "--last=all")
				 .status,
			 1);
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
	/* of the program's commit main() alone knows */
	assert_says(s.out, "\"commit\":\"unknown\",\"date\":\"unknown\"");
	s = TYPE("version", "-o", "yaml");
	assert_says(s.out, "\nabi: 2\n");
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

/* ---- help, and what may have been meant ---------------------------------- */

static void test_help_is_the_usage_of_all_or_of_one(void **state)
{
	struct said all = TYPE("help"), dashed = TYPE("--help"), one;

	assert_int_equal(all.status, 0);
	assert_string_equal(all.out, dashed.out);
	for (const struct command *const *c = commands; *c; c++) {
		one = TYPE("help", (char *)(*c)->name);
		dashed = TYPE((char *)(*c)->name, "--help");
		assert_int_equal(one.status, 0);
		assert_string_equal(one.out, dashed.out);
		assert_string_equal(one.err, "");
		assert_says(one.out, (*c)->help);
	}
	one = TYPE("help", "pod");
	assert_int_equal(one.status, 2);
	assert_string_equal(one.err,
			    "smcmesh: there is no command pod; did you mean "
			    "pods? (smcmesh help lists them)\n");
}

/* The usage is for a bare call: else the error is all, in one line. */
static void test_an_error_is_one_line_with_what_may_be_meant(void **state)
{
	static const struct {
		char *word[4];
		const char *says, *hint;
	} wrong[] = {
		{{"statsu"}, "no command statsu", "; did you mean status?"},
		{{"endpoint"}, "endpoint", "; did you mean endpoints?"},
		{{"quar"}, "quar", "; did you mean quarantine?"},
		{{"xyzzy"}, "no command xyzzy", NULL},
		{{"s"}, "no command s", NULL},
		{{"-v"}, "a command comes first", NULL},
		{{"--output", "json", "status"}, "not --output", NULL},
		{{"status", "--outptu", "json"},
		 "no option --outptu",
		 "; did you mean --output?"},
		{{"status", "--rum=/x"},
		 "no option --rum=/x",
		 "; did you mean --run?"},
		{{"status", "--xyzzy"}, "no option --xyzzy", NULL},
		{{"status", "-x"}, "no option -x", NULL},
		{{"pods", "-o", "jsno"}, "not jsno", "; did you mean json?"},
		{{"pods", "-o", "nmae"}, "not nmae", "; did you mean name?"},
		{{"pods", "-o", "csv"}, "not csv", NULL},
		{{"agent", "--late-pods", "evit"},
		 "evict, not evit",
		 "; did you mean evict?"},
		{{"pods", "web"}, "takes no web", NULL},
	};

	for (size_t i = 0; i < array_size(wrong); i++) {
		char *argv[6] = {"smcmesh"};
		struct said s;

		memcpy(argv + 1, wrong[i].word, sizeof(wrong[i].word));
		s = type(argv);
		assert_int_equal(s.status, 2);
		assert_string_equal(s.out, "");
		assert_ptr_equal(strchr(s.err, '\n'),
				 s.err + strlen(s.err) - 1);
		assert_says(s.err, wrong[i].says);
		if (wrong[i].hint)
			assert_says(s.err, wrong[i].hint);
		else
			assert_null(strstr(s.err, "did you mean"));
	}
}

static bool is_near(const char *given, const char *word)
{
	struct nearest n = {.given = given};

	nearest_try(&n, word, strlen(word));
	return *n.word;
}

static void test_near_is_two_letters_away(void **state)
{
	static char longest[101];

	assert_true(is_near("flows", "flows"));
	assert_true(is_near("flwos", "flows")); /* in the wrong order */
	assert_true(is_near("folw", "flow"));
	assert_true(is_near("flws", "flows"));	  /* missing */
	assert_true(is_near("fflowss", "flows")); /* too many */
	assert_true(is_near("flaxs", "flows"));	  /* wrong */
	assert_true(is_near("quarant", "quarantine"));
	assert_false(is_near("flaxy", "flows"));
	assert_false(is_near("", "flows"));
	assert_false(is_near("ab", "xy"));
	assert_false(is_near("qu", "quarantine"));
	memset(longest, 'a', sizeof(longest) - 1);
	assert_false(is_near(longest, "flows"));
	assert_false(is_near("flows", longest));
}

static void test_the_nearest_is_meant(void **state)
{
	struct nearest n = {.given = "chek"};
	char text[80];

	assert_string_equal(nearest_hint(&n, text), "");
	nearest_try(&n, "chess", 5);
	nearest_try(&n, "check", 5);
	nearest_try(&n, "cheek", 5);
	assert_string_equal(nearest_hint(&n, text), "; did you mean check?");
}

/* ---- completion ---------------------------------------------------------- */

static void must_have(const struct said *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!strstr(s->out, text))
		fail_msg("the script lacks: %s", text);
}

/* Tests of bash itself, which completes by it: net/test_command_line.py. */
static void test_completion_has_every_command_and_option(void **state)
{
	struct said bash = TYPE("completion", "bash");
	struct said zsh = TYPE("completion", "zsh");
	struct said fish = TYPE("completion", "fish");

	for (const struct command *const *c = commands; *c; c++) {
		const struct cli_option *o = (*c)->options;

		must_have(&bash, "\n\t%s%s%s)\n", (*c)->name,
			  (*c)->alias ? " | " : "", (*c)->alias ?: "");
		must_have(&zsh, "\n\t\t%s%s%s)\n", (*c)->name,
			  (*c)->alias ? "|" : "", (*c)->alias ?: "");
		must_have(&fish, "-n __fish_use_subcommand -a %s -d",
			  (*c)->name);
		for (; o->name; o++) {
			must_have(&bash, "--%s ", o->name);
			must_have(&zsh, "--%s%s", o->name,
				  cli_option_takes(o) == CLI_NEEDS_VALUE ? "="
									 : "");
			must_have(&fish, "_from %s%s%s' -l %s", (*c)->name,
				  (*c)->alias ? " " : "", (*c)->alias ?: "",
				  o->name);
		}
	}
	must_have(&zsh, ":(table wide json yaml name)'");
	must_have(&fish, "-l output -s o -r -a 'table wide json yaml name' ");
	assert_int_equal(TYPE("completion").status, 2);
	bash = TYPE("completion", "csh");
	assert_int_equal(bash.status, 2);
	assert_says(bash.err, "expected bash, zsh or fish, not csh");
}

static void test_completion_knows_what_an_argument_is(void **state)
{
	static const struct {
		const char *name;
		enum complete_kind kind;
		const char *words;
	} values[] =
		{
			{"report|evict", COMPLETE_WORDS, "report evict"},
			{"FILE", COMPLETE_FILES, NULL},
			{"DIR", COMPLETE_DIRS, NULL},
			{"NAMESPACE/POD", COMPLETE_PODS, NULL},
			{"ADDRESS:PORT", COMPLETE_NOTHING, NULL},
			{"[=DURATION]", COMPLETE_NOTHING, NULL},
		},
	  operands[] = {
		  {"[COMMAND]", COMPLETE_COMMANDS, NULL},
		  {"[clear ADDRESS:PORT|all]", COMPLETE_WORDS, "clear all"},
		  {"[--] PROGRAM [ARG...]", COMPLETE_PROGRAMS, NULL},
		  {"NAMESPACE/POD [ADDRESS:PORT] | REASON", COMPLETE_PODS,
		   NULL},
		  {NULL, COMPLETE_NOTHING, NULL},
	  };

	for (size_t i = 0; i < array_size(values); i++) {
		const struct cli_option o = {.value = values[i].name};
		_buf_ struct buf words = {};

		assert_int_equal(complete_value(&o, &words), values[i].kind);
		if (values[i].words)
			assert_string_equal(words.data, values[i].words);
		else
			assert_int_equal(words.len, 0);
	}
	for (size_t i = 0; i < array_size(operands); i++) {
		const struct command c = {.operand = operands[i].name};
		_buf_ struct buf words = {};

		assert_int_equal(complete_operand(&c, &words),
				 operands[i].kind);
		if (operands[i].words)
			assert_string_equal(words.data, operands[i].words);
		else
			assert_int_equal(words.len, 0);
	}
}

static void test_status_waits_for_a_duration_alone(void **state)
{
	static char *const wrong[] = {"--wait=5", "--wait=-1s", "--wait=1d",
				      "--wait=s", "--wait=9999999999s"};
	struct said s;

	for (size_t i = 0; i < array_size(wrong); i++) {
		s = TYPE("status", wrong[i], "--run", "/nonexistent");
		assert_int_equal(s.status, 2);
		assert_says(s.err, "--wait is a number with s, m or h");
		assert_says(s.err, strchr(wrong[i], '=') + 1);
	}
	s = TYPE("status", "--wait=0", "--run", "/nonexistent");
	assert_int_equal(s.status, 1);
	assert_string_equal(s.out, "");
	assert_says(s.err, "smcmesh status: no agent answers on /nonexistent");
	assert_says(s.err, "(waited for 0 s)");
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
		cmocka_unit_test(test_wrong_flows_usage_exits_with_2),
		cmocka_unit_test(test_wrong_quarantine_usage_exits_with_2),
		cmocka_unit_test(test_wrong_syncheck_usage_exits_with_2),
		cmocka_unit_test(test_alias_is_the_same_command),
		cmocka_unit_test(test_help_exits_with_0_and_lists_commands),
		cmocka_unit_test(test_version_says_version_and_abi),
		cmocka_unit_test(test_without_an_agent_status_exits_with_1),
		cmocka_unit_test(test_without_an_agent_quarantine_exits_with_3),
		cmocka_unit_test(test_help_is_the_usage_of_all_or_of_one),
		cmocka_unit_test(
			test_an_error_is_one_line_with_what_may_be_meant),
		cmocka_unit_test(test_near_is_two_letters_away),
		cmocka_unit_test(test_the_nearest_is_meant),
		cmocka_unit_test(test_completion_has_every_command_and_option),
		cmocka_unit_test(test_completion_knows_what_an_argument_is),
		cmocka_unit_test(test_status_waits_for_a_duration_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
