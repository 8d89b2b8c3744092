// SPDX-License-Identifier: Apache-2.0
/* The file source: real files, a real loop, waiting on what should come. */
#include "tmpdir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "kube/client.h"
#include "source/source.h"

#define GIVE_UP_MS 20000

#define NOBODY 65534

struct bench {
	struct tmpdir tmp;
	uv_loop_t loop;
	uv_timer_t guard;
	bool gave_up;
	struct source *source;
	unsigned int changed, troubles;
	struct source *close_on_change;
	size_t pods_at_change;
};

static void on_guard(uv_timer_t *timer)
{
	((struct bench *)timer->data)->gave_up = true;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	tmpdir_make(&b->tmp);
	uv_loop_init(&b->loop);
	uv_timer_init(&b->loop, &b->guard);
	b->guard.data = b;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	assert_int_equal(seteuid(getuid()), 0);
	source_close(b->source);
	uv_close((uv_handle_t *)&b->guard, NULL);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	tmpdir_remove(&b->tmp);
	free(b);
	return 0;
}

static void on_changed(void *arg)
{
	struct bench *b = arg;

	b->changed++;
	b->pods_at_change = source_world(b->source)->n_pods;
	source_close(b->close_on_change);
	uv_stop(&b->loop);
}

static void on_trouble(void *arg)
{
	struct bench *b = arg;

	b->troubles++;
	uv_stop(&b->loop);
}

/* Run the loop until @cond holds. */
#define wait_for(b, cond)                                             \
	do {                                                          \
		uv_timer_start(&(b)->guard, on_guard, GIVE_UP_MS, 0); \
		(b)->gave_up = false;                                 \
		while (!(cond) && !(b)->gave_up)                      \
			uv_run(&(b)->loop, UV_RUN_ONCE);              \
		uv_timer_stop(&(b)->guard);                           \
		if (!(cond))                                          \
			fail_msg("never came: %s", #cond);            \
	} while (0)

static const char *at(struct bench *b, const char *name)
{
	return tmpdir_at(&b->tmp, name);
}

static void write_text(struct bench *b, const char *name, const char *text)
{
	int fd = open(at(b, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A List of @n pods at @name; like an editor's save, by rename. */
static void put_pods(struct bench *b, const char *name, int n)
{
	char text[4096] = "{\"kind\":\"List\",\"items\":[", tmp[64];
	size_t len = strlen(text);

	for (int i = 0; i < n; i++)
		len += snprintf(text + len, sizeof(text) - len,
				"%s{\"kind\":\"Pod\",\"metadata\":"
				"{\"name\":\"p%d\"}}",
				i ? "," : "", i);
	snprintf(text + len, sizeof(text) - len, "]}");
	snprintf(tmp, sizeof(tmp), "%s.new", name);
	write_text(b, tmp, text);
	assert_int_equal(rename(at(b, tmp), at(b, name)), 0);
}

static void open_at(struct bench *b, const char *name)
{
	const struct source_events events = {on_changed, on_trouble, b};
	char spec[300];

	snprintf(spec, sizeof(spec), "file:%s", at(b, name));
	assert_int_equal(source_open(&b->loop, spec, NULL, &events, &b->source),
			 0);
	/* Events come from the loop only. */
	assert_int_equal(b->changed + b->troubles, 0);
}

static size_t pods(struct bench *b)
{
	return source_world(b->source) ? source_world(b->source)->n_pods : 99;
}

/* ---- tests ----------------------------------------------------------------
 */

static void unknown_source_specs_are_refused(void **state)
{
	static const char *const specs[] = {
		"", "kube2", "kube:", "file", "file:", "/etc/passwd"};
	const struct source_events events = {on_changed, on_trouble, NULL};
	struct bench *b = *state;

	/* Each with a line on stderr that says what is expected. */
	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++)
		assert_int_equal(source_open(&b->loop, specs[i], NULL, &events,
					     &b->source),
				 -EINVAL);
	assert_null(b->source);
}

static void file_is_read_at_first(void **state)
{
	struct bench *b = *state;

	put_pods(b, "list", 2);
	open_at(b, "list");
	assert_null(source_world(b->source));
	wait_for(b, b->changed);
	assert_int_equal(pods(b), 2);
	assert_null(source_problem(b->source));
	assert_string_equal(source_notes(b->source), "");
	assert_int_equal(b->troubles, 0);
}

/* No scheduler has seen a List that somebody wrote by hand. */
static void pod_that_names_no_node_is_ours(void **state)
{
	const struct source_events events = {on_changed, on_trouble, *state};
	const struct kube_options opt = {.node = "n1"};
	struct bench *b = *state;
	const struct mesh_world *world;
	char spec[300];

	write_text(b, "list",
		   "{\"kind\":\"List\",\"items\":["
		   "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"here\"}},"
		   "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"there\"},"
		   "\"spec\":{\"nodeName\":\"n2\"}}]}");
	snprintf(spec, sizeof(spec), "file:%s", at(b, "list"));
	assert_int_equal(source_open(&b->loop, spec, &opt, &events, &b->source),
			 0);
	wait_for(b, b->changed);
	world = source_world(b->source);
	assert_int_equal(world->n_pods, 2);
	assert_string_equal(world->pods[0].node, "n1");
	assert_string_equal(world->pods[1].node, "n2");
}

static void replaced_file_is_seen(void **state)
{
	struct bench *b = *state;

	put_pods(b, "list", 1);
	open_at(b, "list");
	wait_for(b, pods(b) == 1);
	for (int n = 2; n < 6; n++) {
		put_pods(b, "list", n);
		wait_for(b, (int)pods(b) == n);
		assert_int_equal(b->pods_at_change, n);
	}
}

static void file_written_in_place_is_seen(void **state)
{
	struct bench *b = *state;

	put_pods(b, "list", 1);
	open_at(b, "list");
	wait_for(b, pods(b) == 1);
	write_text(b, "list", "{\"kind\":\"List\",\"items\":[]}");
	wait_for(b, pods(b) == 0);
}

/* kubelet: list -> ..data/list, ..data -> ..v1; then ..data is renamed over. */
static void config_map_swap_is_seen(void **state)
{
	struct bench *b = *state;

	assert_int_equal(mkdir(at(b, "..v1"), 0755), 0);
	assert_int_equal(mkdir(at(b, "..v2"), 0755), 0);
	put_pods(b, "..v1/list", 1);
	put_pods(b, "..v2/list", 2);
	assert_int_equal(symlink("..v1", at(b, "..data")), 0);
	assert_int_equal(symlink("..data/list", at(b, "list")), 0);
	open_at(b, "list");
	wait_for(b, pods(b) == 1);
	assert_int_equal(symlink("..v2", at(b, "..data_tmp")), 0);
	assert_int_equal(rename(at(b, "..data_tmp"), at(b, "..data")), 0);
	wait_for(b, pods(b) == 2);
}

static void target_of_a_link_elsewhere_is_polled(void **state)
{
	struct bench *b = *state;

	assert_int_equal(mkdir(at(b, "else"), 0755), 0);
	put_pods(b, "else/list", 1);
	assert_int_equal(symlink("else/list", at(b, "list")), 0);
	open_at(b, "list");
	wait_for(b, pods(b) == 1);
	put_pods(b, "else/list", 2);
	wait_for(b, pods(b) == 2);
}

static void missing_file_is_trouble_until_it_comes(void **state)
{
	struct bench *b = *state;

	open_at(b, "list");
	wait_for(b, b->troubles);
	assert_null(source_world(b->source));
	assert_says(source_problem(b->source), "/list: No such file");
	put_pods(b, "list", 3);
	wait_for(b, pods(b) == 3);
	assert_null(source_problem(b->source));
	assert_int_equal(b->troubles, 2);
}

static void removed_file_changes_nothing(void **state)
{
	struct bench *b = *state;
	const struct mesh_world *world;

	put_pods(b, "list", 3);
	open_at(b, "list");
	wait_for(b, b->changed);
	world = source_world(b->source);
	assert_int_equal(rename(at(b, "list"), at(b, "away")), 0);
	wait_for(b, source_problem(b->source));
	assert_ptr_equal(source_world(b->source), world);
	assert_int_equal(pods(b), 3);
	assert_int_equal(rename(at(b, "away"), at(b, "list")), 0);
	wait_for(b, !source_problem(b->source));
	assert_int_equal(pods(b), 3);
}

static void broken_file_changes_nothing(void **state)
{
	struct bench *b = *state;
	unsigned int changed;

	put_pods(b, "list", 3);
	open_at(b, "list");
	wait_for(b, b->changed);
	write_text(b, "list", "{\"kind\":\"List\",\n\"items\":[}");
	wait_for(b, source_problem(b->source) &&
			    strstr(source_problem(b->source), "line 2"));
	changed = b->changed;
	assert_says(source_problem(b->source), b->tmp.dir);
	assert_says(source_problem(b->source),
		    "/list: broken JSON at line 2, column 10: ");
	assert_int_equal(pods(b), 3);
	write_text(b, "list", "{\"kind\":\"Status\"}");
	wait_for(b, strstr(source_problem(b->source), "expected a Kubernetes"));
	assert_int_equal(b->changed, changed);
	put_pods(b, "list", 4);
	wait_for(b, pods(b) == 4);
	assert_null(source_problem(b->source));
}

static void notes_are_those_of_the_last_world(void **state)
{
	struct bench *b = *state;

	write_text(b, "list", "{\"kind\":\"List\",\"items\":[7]}");
	open_at(b, "list");
	wait_for(b, b->changed);
	assert_says(source_notes(b->source), "items[0] is 7");
	put_pods(b, "list", 1);
	wait_for(b, pods(b) == 1);
	assert_string_equal(source_notes(b->source), "");
}

static void what_is_no_file_is_not_read(void **state)
{
	struct bench *b = *state;

	assert_int_equal(mkfifo(at(b, "list"), 0600), 0);
	open_at(b, "list");
	wait_for(b, b->troubles);
	assert_says(source_problem(b->source),
		    "it is a FIFO, expected a regular file");
	assert_int_equal(unlink(at(b, "list")), 0);
	assert_int_equal(mkdir(at(b, "list"), 0755), 0);
	wait_for(b, strstr(source_problem(b->source), "it is a directory"));
	assert_int_equal(rmdir(at(b, "list")), 0);
	assert_int_equal(symlink("/dev/zero", at(b, "list")), 0);
	wait_for(b, strstr(source_problem(b->source), "it is a device"));
	assert_int_equal(unlink(at(b, "list")), 0);
	put_pods(b, "list", 1);
	wait_for(b, pods(b) == 1);
}

static void huge_file_is_not_read(void **state)
{
	struct bench *b = *state;

	write_text(b, "list", "");
	assert_int_equal(truncate(at(b, "list"), 257L << 20), 0);
	open_at(b, "list");
	wait_for(b, b->troubles);
	assert_says(source_problem(b->source),
		    "269484032 bytes are too many: at most 268435456 are read");
}

static void unreadable_file_is_trouble(void **state)
{
	struct bench *b = *state;

	/* root reads everything: be somebody else, teardown() is root again */
	if (!geteuid()) {
		assert_int_equal(chown(b->tmp.dir, NOBODY, -1), 0);
		assert_int_equal(seteuid(NOBODY), 0);
	}
	put_pods(b, "list", 1);
	assert_int_equal(chmod(at(b, "list"), 0), 0);
	open_at(b, "list");
	wait_for(b, b->troubles);
	assert_says(source_problem(b->source), "Permission denied");
	assert_int_equal(chmod(at(b, "list"), 0600), 0);
	wait_for(b, pods(b) == 1);
}

static void directory_may_come_later_and_be_replaced(void **state)
{
	struct bench *b = *state;

	open_at(b, "sub/list");
	wait_for(b, b->troubles);
	assert_int_equal(mkdir(at(b, "sub"), 0755), 0);
	put_pods(b, "sub/list", 1);
	wait_for(b, pods(b) == 1);
	assert_int_equal(rename(at(b, "sub"), at(b, "old")), 0);
	wait_for(b, source_problem(b->source));
	assert_int_equal(mkdir(at(b, "sub"), 0755), 0);
	put_pods(b, "sub/list", 2);
	wait_for(b, pods(b) == 2);
	assert_int_equal(unlink(at(b, "sub/list")), 0);
	assert_int_equal(rmdir(at(b, "sub")), 0);
	assert_int_equal(mkdir(at(b, "sub"), 0755), 0);
	put_pods(b, "sub/list", 3);
	wait_for(b, pods(b) == 3);
	put_pods(b, "sub/list", 4);
	wait_for(b, pods(b) == 4);
}

static void handler_may_close_the_source(void **state)
{
	struct bench *b = *state;

	open_at(b, "list");
	wait_for(b, b->troubles);
	put_pods(b, "list", 1);
	b->close_on_change = b->source;
	wait_for(b, b->changed);
	/* The trouble that went was not told any more. */
	assert_int_equal(b->troubles, 1);
	b->source = NULL;
}

static void closing_the_source_at_once_is_clean(void **state)
{
	struct bench *b = *state;

	put_pods(b, "list", 1);
	open_at(b, "list");
	source_close(b->source);
	b->source = NULL;
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(b->changed + b->troubles, 0);
}

/* Whoever writes, and however fast: the last state is what is there in the
 * end. */
static void last_of_many_writes_counts(void **state)
{
	struct bench *b = *state;

	put_pods(b, "list", 0);
	open_at(b, "list");
	wait_for(b, b->changed);
	for (int i = 0; i < 300; i++) {
		put_pods(b, i % 2 ? "list" : "other", i % 7);
		uv_run(&b->loop, UV_RUN_NOWAIT);
	}
	put_pods(b, "list", 9);
	wait_for(b, pods(b) == 9);
	/* 300 events were not 300 readings. */
	assert_in_range(b->changed, 2, 150);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_source_specs_are_refused),
		TEST(file_is_read_at_first),
		TEST(pod_that_names_no_node_is_ours),
		TEST(replaced_file_is_seen),
		TEST(file_written_in_place_is_seen),
		TEST(config_map_swap_is_seen),
		TEST(target_of_a_link_elsewhere_is_polled),
		TEST(missing_file_is_trouble_until_it_comes),
		TEST(removed_file_changes_nothing),
		TEST(broken_file_changes_nothing),
		TEST(notes_are_those_of_the_last_world),
		TEST(what_is_no_file_is_not_read),
		TEST(huge_file_is_not_read),
		TEST(unreadable_file_is_trouble),
		TEST(directory_may_come_later_and_be_replaced),
		TEST(handler_may_close_the_source),
		TEST(closing_the_source_at_once_is_clean),
		TEST(last_of_many_writes_counts),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
