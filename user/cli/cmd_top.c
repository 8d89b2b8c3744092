// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/top_print.h"

#define PATH "/v1/top"
#define FIRST_MS 1000 /* the first rates come no later */
#define DELAY_EXPECTED "seconds from 0.1 to 3600"
#define COUNT_EXPECTED "a number of at most nine digits, from 1"
#define HOME "\033[H"
#define CLEAR "\033[2J"
#define TO_LINE_END "\033[K"
#define TO_SCREEN_END "\033[J"

enum { BATCH, COUNT, DELAY, OUTPUT, NO_HEADERS, RUN };

static const struct cli_option options[] = {
	[BATCH] =
		{'b', "batch", NULL, NULL,
		 "print one table after the other, also where no terminal is"},
	[COUNT] = {'n', "count", "NUMBER", NULL, "end after so many"},
	[DELAY] = {'d', "delay", "SECONDS", "2", "the time between two"},
	[OUTPUT] =
		{'o', "output", "table|wide|json|yaml|name", NULL,
		 "a table on a terminal and with -b, else a line of JSON each"},
	[NO_HEADERS] = CLI_OPTION_NO_HEADERS,
	[RUN] = CLI_OPTION_RUN,
	{},
};

/* ---- the terminal -------------------------------------------------------- */

static volatile sig_atomic_t ended;

static void end(int sig)
{
	ended = 1;
}

/* A terminal whose keys are read: what it was like before. */
struct screen {
	bool used;  /* the table is painted over the one before */
	bool reads; /* q ends it, and keys are not shown */
	struct termios before;
};

static void screen_open(struct screen *s)
{
	struct sigaction act = {.sa_handler = end};
	struct termios mode;

	s->used = true;
	if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &s->before)) {
		sigaction(SIGINT, &act, NULL);
		sigaction(SIGTERM, &act, NULL);
		sigaction(SIGHUP, &act, NULL);
		mode = s->before;
		mode.c_lflag &= ~(ICANON | ECHO);
		s->reads = !tcsetattr(STDIN_FILENO, TCSANOW, &mode);
	}
	fputs(CLEAR, stdout);
}

static void screen_close(const struct screen *s)
{
	if (s->reads)
		tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

static struct top_size screen_size(void)
{
	struct winsize w = {};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_row || !w.ws_col)
		return (struct top_size){24, 80};
	return (struct top_size){w.ws_row, w.ws_col};
}

/* Return: false: somebody ends it. */
static bool wait_ms(const struct screen *s, int ms)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = '\0';

	if (poll(&p, s->reads ? 1 : 0, ms) > 0 &&
	    read(STDIN_FILENO, &key, 1) <= 0)
		ended = 1; /* the terminal has gone */
	return !ended && key != 'q' && key != 'Q';
}

/* Paint @text over what is there. A line is cleared before it is written:
 * behind its last column the cursor may still be in it. The last one has no
 * end, which would scroll. */
static void paint(const char *text)
{
	fputs(HOME, stdout);
	while (*text) {
		size_t len = strcspn(text, "\n");
		bool last = !text[len] || !text[len + 1];

		printf("%s%.*s%s", last ? TO_SCREEN_END : TO_LINE_END, (int)len,
		       text, last ? "" : "\n");
		text += len + (text[len] == '\n');
	}
}

/* ---- one after the other ------------------------------------------------- */

struct top {
	const char *run;
	bool json;
	struct screen screen;
	long long count; /* left; -1: without end */
	int delay_ms;
	bool said_empty; /* on stderr; once */
	yyjson_doc *before, *now;
};

static void painted(const struct top *t, const struct top_rows *rows)
{
	const struct top_size size = screen_size();
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	top_print(yyjson_doc_get_root(t->now), rows, &size, f);
	if (!fclose(f))
		paint(text);
	free(text);
}

static void say_empty(struct top *t, const struct top_rows *rows)
{
	if (rows->n || t->said_empty)
		return;
	t->said_empty = true;
	fflush(stdout);
	fputs("smcmesh: " TOP_EMPTY "\n", stderr);
}

static int show(struct top *t)
{
	_cleanup_(top_rows_free) struct top_rows rows = {};
	yyjson_val *now = yyjson_doc_get_root(t->now);
	const struct top_size any = {};
	int err = top_rows_make(yyjson_doc_get_root(t->before), now, &rows);

	if (err)
		return err;
	if (t->json) {
		err = top_print_json(now, &rows);
	} else if (t->screen.used) {
		painted(t, &rows);
	} else {
		top_print(now, &rows, &any, stdout);
		if (!output_is_list())
			putchar('\n');
		say_empty(t, &rows);
	}
	return fflush(stdout) ? -errno : err;
}

/* The first must be there; later ones are waited for. Return: 0, -ECANCELED:
 * somebody ends it, or another errno. */
static int ask_again(struct top *t)
{
	_buf_ struct buf text = {};
	bool lost = false;

	while (client_try(t->run, PATH, &text)) {
		if (!lost)
			fprintf(stderr,
				"%ssmcmesh top: the agent is lost, waiting for it\n",
				t->screen.used ? "\n" : "");
		lost = true;
		if (!wait_ms(&t->screen, t->delay_ms))
			return -ECANCELED;
	}
	if (lost)
		fprintf(stderr, "smcmesh top: the agent is back\n");
	yyjson_doc_free(t->before);
	t->before = t->now;
	t->now = yyjson_read(text.data, text.len, 0);
	return t->now ? 0 : -EBADMSG;
}

static int rounds(struct top *t)
{
	int ms = t->delay_ms < FIRST_MS ? t->delay_ms : FIRST_MS, err = 0;

	while (!err && t->count && wait_ms(&t->screen, ms)) {
		err = ask_again(t) ?: show(t);
		if (t->count > 0)
			t->count--;
		ms = t->delay_ms;
	}
	return err == -ECANCELED ? 0 : err;
}

static int begin(struct top *t)
{
	_buf_ struct buf text = {};
	int err = client_get(t->run, PATH, &text);

	if (err)
		return err;
	t->now = yyjson_read(text.data, text.len, 0);
	return t->now ? 0 : -EBADMSG;
}

/* ---- what is asked ------------------------------------------------------- */

static int wrong(const char *option, const char *expected, const char *value)
{
	fprintf(stderr, "smcmesh top: --%s is %s, not %s\n", option, expected,
		value);
	return EXIT_USAGE;
}

static int delay_parse(const char *text, int *ms)
{
	char *rest;
	double seconds = strtod(text, &rest);

	if (!*text || *rest || text[strspn(text, "0123456789.")] ||
	    !(seconds >= 0.1 && seconds <= 3600))
		return -EINVAL;
	*ms = seconds * 1000;
	return 0;
}

static int count_parse(const char *text, long long *out)
{
	size_t digits = strspn(text, "0123456789");
	long long n = digits && digits <= 9 && !text[digits] ? atoll(text) : 0;

	if (!n)
		return -EINVAL;
	*out = n;
	return 0;
}

static int run(const struct cli_args *args)
{
	const char *count = args->option[COUNT], *delay = args->option[DELAY];
	const char *output = args->option[OUTPUT];
	bool batch = args->option[BATCH], terminal = isatty(STDOUT_FILENO);
	struct top t = {.run = args->option[RUN], .count = -1};
	int err;

	if (delay_parse(delay, &t.delay_ms))
		return wrong("delay", DELAY_EXPECTED, delay);
	if (count && count_parse(count, &t.count))
		return wrong("count", COUNT_EXPECTED, count);
	t.json = output ? wants_json(output)
			: !batch && !terminal && output_headers();
	err = begin(&t);
	if (!err && terminal && !batch && !t.json && !output_is_list())
		screen_open(&t.screen);
	err = err ?: rounds(&t);
	screen_close(&t.screen);
	if (t.screen.used)
		putchar('\n');
	yyjson_doc_free(t.before);
	yyjson_doc_free(t.now);
	return err ? EXIT_FAILED : EXIT_OK;
}

const struct command command_top = {
	.name = "top",
	.help = "what each pod of this node does now: connections, bytes over SMC, memory",
	.more = "Asks the agent again and again; those with most bytes come first, q or ^C ends\n"
		"it. On a terminal it fits the screen; a line of JSON for each otherwise.",
	.options = options,
	.run = run,
};
