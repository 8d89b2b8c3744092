// SPDX-License-Identifier: Apache-2.0
/* Tables in files and on terminals of all widths. */
#include "unit.h"

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "cli/output.h"
#include "cli/table.h"

static const char *const heads[] = {"NAME", "+ADDRESS", "WHY", NULL};

static void fill(struct table *t)
{
	table_init(t, heads);
	table_name(t, "shop/%s", "web");
	table_add(t, "web");
	table_add(t, "10.0.0.1");
	table_add(t, "the mesh is off");
	table_name(t, "shop/db");
	table_add(t, "db");
	table_add(t, NULL);
	table_addf(t, "%d %s", 7, "late flows");
}

/* What a table is in a file; @text is of 1024 bytes. */
static const char *printed(const struct table *t, char *text)
{
	FILE *f = fmemopen(text, 1024, "w");

	memset(text, 0, 1024);
	table_print(t, f);
	fclose(f);
	return text;
}

/* The same on a terminal with so many columns; 0: it does not know. */
static const char *shown(const struct table *t, unsigned short columns,
			 char *text)
{
	const struct winsize size = {.ws_row = 24, .ws_col = columns};
	size_t len = 0;
	ssize_t n;
	int master, slave;
	FILE *f;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	f = fdopen(slave, "w");
	table_print(t, f);
	fflush(f);
	fcntl(master, F_SETFL, O_NONBLOCK);
	memset(text, 0, 1024);
	while ((n = read(master, text + len, 1023 - len)) > 0)
		len += n;
	fclose(f);
	close(master);
	/* the terminal's line ends */
	for (char *r = text; (r = strchr(r, '\r'));)
		memmove(r, r + 1, strlen(r));
	return text;
}

static int reset(void **state)
{
	output_choose(NULL, true);
	unsetenv("COLUMNS");
	return 0;
}

static void test_a_table_has_its_head_always(void **state)
{
	_cleanup_(table_free) struct table t = {};
	char text[1024];

	table_init(&t, heads);
	assert_string_equal(printed(&t, text), "NAME  WHY\n");
	assert_string_equal(shown(&t, 80, text), "NAME  WHY\n");
	table_free(&t);
	output_choose("wide", true);
	table_init(&t, heads);
	assert_string_equal(printed(&t, text), "NAME  ADDRESS  WHY\n");
}

static void test_columns_are_as_wide_as_their_content(void **state)
{
	_cleanup_(table_free) struct table t = {};
	char text[1024];

	fill(&t);
	assert_int_equal(t.n, 2);
	assert_string_equal(printed(&t, text), "NAME  WHY\n"
					       "web   the mesh is off\n"
					       "db    7 late flows\n");
	table_free(&t);
	output_choose("wide", true);
	fill(&t);
	assert_string_equal(printed(&t, text),
			    "NAME  ADDRESS   WHY\n"
			    "web   10.0.0.1  the mesh is off\n"
			    "db    -         7 late flows\n");
}

static void test_control_bytes_do_not_reach_the_terminal(void **state)
{
	_cleanup_(table_free) struct table t = {};
	char text[1024];

	table_init(&t, heads);
	table_add(&t, "x\033[1my");
	table_add(&t, "");
	table_add(&t, "a\nb\tc");
	assert_string_equal(printed(&t, text), "NAME    WHY\n"
					       "x?[1my  a?b?c\n");
}

static void test_last_column_ends_with_the_terminal(void **state)
{
	_cleanup_(table_free) struct table t = {};
	char text[1024];

	fill(&t);
	assert_string_equal(shown(&t, 21, text), "NAME  WHY\n"
						 "web   the mesh is off\n"
						 "db    7 late flows\n");
	assert_string_equal(shown(&t, 14, text), "NAME  WHY\n"
						 "web   the mesh\n"
						 "db    7 late f\n");
	/* no narrower than its title; a terminal of one column wraps */
	for (unsigned short columns = 1; columns < 9; columns++)
		assert_string_equal(shown(&t, columns, text), "NAME  WHY\n"
							      "web   the\n"
							      "db    7 l\n");
	/* control: neither in a file nor with -o wide, nor what is to be read
	 */
	assert_non_null(strstr(printed(&t, text), "the mesh is off"));
	table_free(&t);
	output_choose("wide", true);
	fill(&t);
	assert_non_null(strstr(shown(&t, 14, text), "the mesh is off"));
	table_free(&t);
	output_choose(NULL, true);
	fill(&t);
	table_whole(&t);
	assert_non_null(strstr(shown(&t, 14, text), "the mesh is off"));
}

static void test_width_is_what_columns_or_the_terminal_says(void **state)
{
	_cleanup_(table_free) struct table t = {};
	static const char *const wrong[] = {"", "0", "-3", "12x", "99999999"};
	char text[1024];

	fill(&t);
	setenv("COLUMNS", "10", 1);
	assert_non_null(strstr(shown(&t, 80, text), "the \n"));
	/* control: in a file it means nothing */
	assert_non_null(strstr(printed(&t, text), "the mesh is off\n"));
	for (size_t i = 0; i < array_size(wrong); i++) {
		setenv("COLUMNS", wrong[i], 1);
		assert_non_null(strstr(shown(&t, 14, text), "the mesh\n"));
	}
	unsetenv("COLUMNS");
	/* one that does not know its size has 80 */
	table_add(&t, "x");
	table_add(&t, "x");
	table_addf(&t, "%0100d", 0);
	shown(&t, 0, text);
	assert_int_equal(strcspn(strstr(text, "00"), "\n"), 80 - 6);
}

static void test_names_and_rows_alone(void **state)
{
	_cleanup_(table_free) struct table t = {};
	char text[1024], *below = NULL;
	size_t len;
	FILE *f;

	output_choose("name", true);
	fill(&t);
	assert_string_equal(printed(&t, text), "shop/web\nshop/db\n");
	table_free(&t);
	table_init(&t, heads);
	assert_string_equal(printed(&t, text), "");
	table_free(&t);
	output_choose("table", false);
	fill(&t);
	assert_string_equal(printed(&t, text), "web   the mesh is off\n"
					       "db    7 late flows\n");
	f = open_memstream(&below, &len);
	table_print_below(&t, f);
	fclose(f);
	assert_string_equal(below, "");
	free(below);
	/* control */
	output_choose("table", true);
	f = open_memstream(&below, &len);
	table_print_below(&t, f);
	fclose(f);
	assert_string_equal(below, "\nweb   the mesh is off\n"
				   "db    7 late flows\n");
	free(below);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_table_has_its_head_always, reset),
		cmocka_unit_test_setup(
			test_columns_are_as_wide_as_their_content, reset),
		cmocka_unit_test_setup(
			test_control_bytes_do_not_reach_the_terminal, reset),
		cmocka_unit_test_setup(test_last_column_ends_with_the_terminal,
				       reset),
		cmocka_unit_test_setup(
			test_width_is_what_columns_or_the_terminal_says, reset),
		cmocka_unit_test_setup(test_names_and_rows_alone, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
