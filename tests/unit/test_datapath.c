// SPDX-License-Identifier: Apache-2.0
/* The pure parts of user/datapath: rows and their difference, the selector's
 * names, the table of features, and that our tables match the BPF object. */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datapath/abis.h"
#include "datapath/converter.h"
#include "datapath/hs_name.h"
#include "datapath/recorder.h"
#include "datapath/rows.h"
#include "datapath/selector.h"
#include "datapath/state.h"

/* ---- rows ---- */

static void add(struct rows *r, __u32 key, __u16 value)
{
	/* big-endian, so that memcmp() orders as numbers do */
	__u32 k = __builtin_bswap32(key);

	assert_int_equal(rows_add(r, &k, &value), 0);
}

static __u32 key_at(const struct rows *r, size_t i)
{
	__u32 k;

	memcpy(&k, rows_key(r, i), sizeof(k));
	return __builtin_bswap32(k);
}

static __u16 value_at(const struct rows *r, size_t i)
{
	__u16 v;

	memcpy(&v, rows_value(r, i), sizeof(v));
	return v;
}

#define ROWS {.key_size = sizeof(__u32), .value_size = sizeof(__u16)}

static void test_rows_are_sorted_and_doubles_dropped(void **state)
{
	_cleanup_(rows_free) struct rows r = ROWS;

	for (__u32 i = 0; i < 1000; i++)
		add(&r, i * 7919 % 1000, i * 7919 % 1000);
	for (__u32 i = 0; i < 1000; i += 3)
		add(&r, i, i);
	rows_sort(&r);
	assert_int_equal(r.n, 1000);
	for (__u32 i = 0; i < 1000; i++) {
		assert_int_equal(key_at(&r, i), i);
		assert_int_equal(value_at(&r, i), i);
	}
}

static void test_none_one_and_equal_rows_are_sorted(void **state)
{
	_cleanup_(rows_free) struct rows none = ROWS, one = ROWS, same = ROWS;

	rows_sort(&none);
	assert_int_equal(none.n, 0);
	add(&one, 5, 6);
	rows_sort(&one);
	assert_int_equal(one.n, 1);
	for (int i = 0; i < 4; i++)
		add(&same, 5, 6);
	rows_sort(&same);
	assert_int_equal(same.n, 1);
	assert_int_equal(value_at(&same, 0), 6);
}

static void test_row_is_found_by_its_key_alone(void **state)
{
	_cleanup_(rows_free) struct rows r = ROWS;
	__u32 k;

	for (__u32 i = 0; i < 100; i++)
		add(&r, 2 * i, i);
	rows_sort(&r);
	for (__u32 i = 0; i < 201; i++) {
		const void *v;

		k = __builtin_bswap32(i);
		v = rows_find(&r, &k);
		if (i % 2 || i >= 200)
			assert_null(v);
		else
			assert_ptr_equal(v, rows_value(&r, i / 2));
	}
}

static void test_diff_tells_added_changed_and_removed_rows(void **state)
{
	_cleanup_(rows_free) struct rows want = ROWS, have = ROWS;
	_cleanup_(rows_delta_free) struct rows_delta d = {};

	add(&want, 1, 10); /* new */
	add(&want, 2, 20); /* the same */
	add(&want, 4, 41); /* another value */
	add(&want, 9, 90); /* new, behind all others */
	add(&have, 0, 1);  /* gone, before all others */
	add(&have, 2, 20);
	add(&have, 3, 30); /* gone */
	add(&have, 4, 40);
	assert_int_equal(rows_diff(&want, &have, &d), 0);
	assert_int_equal(d.added.n, 2);
	assert_int_equal(key_at(&d.added, 0), 1);
	assert_int_equal(value_at(&d.added, 0), 10);
	assert_int_equal(key_at(&d.added, 1), 9);
	assert_int_equal(d.changed.n, 1);
	assert_int_equal(key_at(&d.changed, 0), 4);
	assert_int_equal(value_at(&d.changed, 0), 41);
	assert_int_equal(d.removed.n, 2);
	assert_int_equal(key_at(&d.removed, 0), 0);
	assert_int_equal(key_at(&d.removed, 1), 3);
}

static void test_diff_with_no_rows_adds_or_removes_all(void **state)
{
	_cleanup_(rows_free) struct rows some = ROWS, none = ROWS;
	_cleanup_(rows_delta_free) struct rows_delta put = {}, cut = {},
						     same = {};

	for (__u32 i = 0; i < 50; i++)
		add(&some, i, i);
	assert_int_equal(rows_diff(&some, &none, &put), 0);
	assert_int_equal(put.added.n, 50);
	assert_int_equal(put.changed.n + put.removed.n, 0);
	assert_int_equal(rows_diff(&none, &some, &cut), 0);
	assert_int_equal(cut.removed.n, 50);
	assert_int_equal(cut.changed.n + cut.added.n, 0);
	assert_int_equal(rows_diff(&some, &some, &same), 0);
	assert_int_equal(same.added.n + same.changed.n + same.removed.n, 0);
}

/* ---- names of the selector ---- */

static void test_selector_name_of_ours_is_read_back(void **state)
{
	static const unsigned int some[] = {1, 9, 10, 4711, HS_GENERATION_MAX};
	char name[SMC_CTRL_NAME_MAX];

	for (size_t i = 0; i < array_size(some); i++) {
		hs_name_format(some[i], name);
		assert_int_equal(
			strncmp(name, SMC_CTRL_PREFIX, SMC_CTRL_PREFIX_LEN), 0);
		assert_true(strlen(name) < SMC_CTRL_NAME_MAX);
		assert_int_equal(hs_name_parse(name), some[i]);
	}
}

static void test_selector_name_of_others_is_not_ours(void **state)
{
	static const char *const not_ours[] = {
		"",	      "linkcheck",  "smcmesh",
		"smcmesh_",   "smcmesh_0",  "smcmesh_01",
		"smcmesh_1x", "smcmesh_-1", "smcmesh_+1",
		"smcmesh_ 1", "Smcmesh_1",  "smcmesh_99999999",
		"smcmesh_1 ", "xsmcmesh_1", "smcmesh_4294967297",
		"smcmesh_1.0"};

	for (size_t i = 0; i < array_size(not_ours); i++)
		assert_int_equal(hs_name_parse(not_ours[i]), 0);
}

static void test_next_selector_generation_is_a_free_one(void **state)
{
	const unsigned int v[] = {3, 1, 7, 2};
	const unsigned int full[] = {2, HS_GENERATION_MAX, 1, 4};

	assert_int_equal(hs_generation_next(NULL, 0), 1);
	assert_int_equal(hs_generation_next(v, array_size(v)), 8);
	assert_int_equal(hs_generation_next(full, array_size(full)), 3);
}

/* ---- tables ---- */

static void test_every_feature_has_texts_and_its_own_label(void **state)
{
	for (int i = 0; i < FEATURE_MAX; i++) {
		const struct feature_text *t = feature_text(i);

		assert_non_null(t->label);
		assert_true(*t->label && *t->what && *t->loss && *t->how);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(t->label,
						feature_text(j)->label);
	}
}

static void assert_how(enum feature f, const char *release, const char *how)
{
	char text[FEATURE_HOW_MAX];

	assert_string_equal(feature_how(f, release, text), how);
}

static void test_only_an_older_kernel_is_told_of_a_newer_one(void **state)
{
	const char *how = feature_text(FEATURE_IPPROTO_SMC)->how;
	char text[FEATURE_HOW_MAX], longest[FEATURE_HOW_MAX];

	assert_how(FEATURE_IPPROTO_SMC, "6.18.44-fc", how);
	assert_how(FEATURE_IPPROTO_SMC, "6.11.0", how);
	assert_how(FEATURE_IPPROTO_SMC, "7.0-rc1", how);
	snprintf(text, sizeof(text), "Linux >= 6.11 is needed: %s", how);
	assert_how(FEATURE_IPPROTO_SMC, "6.8.0-52-generic", text);
	assert_how(FEATURE_IPPROTO_SMC, "5.10.134-17.3.al8.x86_64", text);
	assert_how(FEATURE_BTF, "4.19.91", feature_text(FEATURE_BTF)->how);
	for (int i = 0; i < FEATURE_MAX; i++) {
		/* none is cut, none says it to everybody */
		assert_null(strstr(feature_text(i)->how, ">="));
		feature_how(i, "4.4", longest);
		assert_true(strlen(longest) < FEATURE_HOW_MAX - 1);
	}
}

static bool has_row(const char *prog)
{
	for (size_t i = 0; i < LINKS; i++)
		if (!strcmp(link_rows[i].name, prog))
			return true;
	for (size_t i = 0; i < JOB_MAX; i++)
		if (!strcmp(job_rows[i].name, prog))
			return true;
	for (size_t i = 0; selectors[i]; i++)
		for (size_t j = 0; selectors[i]->programs[j]; j++)
			if (!strcmp(selectors[i]->programs[j], prog))
				return true;
	return false;
}

/* A program without a row would never be loaded, and nobody would know. */
static void test_every_program_has_a_row_and_every_row_one(void **state)
{
	_object_ struct bpf_object *obj = object_open();
	struct bpf_program *prog;

	assert_non_null(obj);
	bpf_object__for_each_program(prog, obj)
	{
		const char *name = bpf_program__name(prog);

		if (!has_row(name))
			fail_msg("program %s has no row", name);
		assert_true(strlen(name) < BPF_OBJ_NAME_LEN);
	}
	for (size_t i = 0; i < LINKS; i++)
		if (!bpf_object__find_program_by_name(obj, link_rows[i].name))
			fail_msg("no program %s", link_rows[i].name);
	for (size_t i = 0; i < JOB_MAX; i++)
		if (!bpf_object__find_program_by_name(obj, job_rows[i].name))
			fail_msg("no program %s", job_rows[i].name);
}

/* What guards is attached before what converts, and nothing that others run
 * through from the start. */
static void test_guards_are_attached_before_the_converter(void **state)
{
	size_t converter = links_find("sockproto");

	assert_true(links_find("dev_made") < converter);
	assert_true(links_find("dev_moved") < converter);
	assert_true(links_find("connect_guard") < converter);
	assert_true(links_find("syn_waits") < converter);
	assert_true(links_find("sock_undone") < converter);
	assert_true(links_find("sock_refused") < converter);
	assert_true(converter < links_find("flow_passive"));
	for (size_t i = 0; i < LINKS; i++) {
		const struct link_row *row = &link_rows[i];

		assert_true(*row->lost);
		if (row->flags & (LINK_GUARDS | LINK_CONVERTER | LINK_FOR_LSM |
				  LINK_LISTENER))
			assert_true(row->flags & LINK_ARMED);
		if (row->kind == LINK_CGROUP)
			assert_true(row->flags & LINK_ARMED);
		/* who is counted is so also while no pod is armed */
		if (row->flags & LINK_RATION)
			assert_false(row->flags & LINK_ARMED || row->recorder);
	}
}

static void test_recorders_are_smc_then_sockops(void **state)
{
	size_t n = 0;

	for (; recorders[n]; n++) {
		const struct recorder *r = recorders[n];

		assert_true(*r->cannot);
		assert_int_not_equal(r->wish, MESH_RECORDER_AUTO);
		for (size_t i = 0; r->programs[i]; i++)
			links_find(r->programs[i]);
	}
	assert_int_equal(n, 2);
	assert_string_equal(recorders[0]->name, "smc");
	assert_string_equal(recorders[1]->name, "sockops");
}

/* ---- what is possible ---- */

static const enum feature deciding[] = {FEATURE_BTF, FEATURE_IPPROTO_SMC,
					FEATURE_SOCKPROTO, FEATURE_HS_CTRL};

/* All are present but these of the @deciding ones, whose states are the digits
 * of @code to the base of 3, and what only synfilter needs. Return: how many
 * are missing. */
static int features_of(unsigned int code, struct features *fs)
{
	int missing = 0;

	for (int f = 0; f < FEATURE_MAX; f++)
		fs->v[f] = (struct feature_result){FEATURE_PRESENT, ""};
	fs->v[FEATURE_TCX].state = FEATURE_MISSING;
	for (size_t i = 0; i < array_size(deciding); i++, code /= 3) {
		fs->v[deciding[i]].state = code % 3;
		missing += code % 3 == FEATURE_MISSING;
	}
	return missing;
}

/* Present: taken. Missing: impossible. Neither: it is not known. */
static void features_decide_what_is_possible(void **state)
{
	struct features fs;

	for (unsigned int code = 0; code < 3 * 3 * 3 * 3; code++) {
		bool missing = features_of(code, &fs);
		bool all = code == 3 * 3 * 3 * 3 - 1;
		bool both = strcmp(features_converter(&fs), "none") &&
			    strcmp(features_selector(&fs), "none");

		assert_int_equal(features_capable(&fs),
				 all	   ? FEATURE_PRESENT
				 : missing ? FEATURE_MISSING
					   : FEATURE_UNKNOWN);
		assert_int_equal(both, all);
	}
	/* control: whatever else is missing decides nothing */
	for (int f = 0; f < FEATURE_MAX; f++)
		if (!features_decides(&fs, f))
			fs.v[f].state = FEATURE_MISSING;
	assert_int_equal(features_capable(&fs), FEATURE_PRESENT);
	assert_string_equal(features_converter(&fs), "sockproto");
	assert_string_equal(features_selector(&fs), "hs_ctrl");
}

static void rows_say_which_features_decide(void **state)
{
	struct features fs;

	features_of(80, &fs);
	for (int f = 0; f < FEATURE_MAX; f++) {
		bool wanted = false;

		for (size_t i = 0; i < array_size(deciding); i++)
			wanted |= deciding[i] == (enum feature)f;
		if (features_decides(&fs, f) != wanted)
			fail_msg("%s: decides", feature_text(f)->label);
	}
	/* of two selectors only the one that is taken asks for something */
	assert_false(features_decides(&fs, FEATURE_KERN_CTX));
	fs.v[FEATURE_HS_CTRL].state = FEATURE_MISSING;
	assert_true(features_decides(&fs, FEATURE_HS_CTRL));
	assert_true(features_decides(&fs, FEATURE_TCX));
	fs.v[FEATURE_TCX].state = FEATURE_PRESENT;
	assert_string_equal(features_selector(&fs), "synfilter");
	assert_false(features_decides(&fs, FEATURE_HS_CTRL));
	assert_true(features_decides(&fs, FEATURE_TCX));
}

/* A row that needs less makes possible what the others cannot do: one of each
 * is asked for, and no more. */
static void another_row_makes_a_missing_feature_needless(void **state)
{
	static const enum feature smc[] = {FEATURE_IPPROTO_SMC, FEATURE_MAX};
	static const enum feature btf[] = {FEATURE_BTF, FEATURE_MAX};
	static const struct converter sysctl = {.needs = smc};
	static const struct selector filter = {.needs = btf};
	const struct converter *c[] = {&converter_sockproto, &sysctl, NULL};
	const struct selector *s[] = {&selector_hs_ctrl, &filter, NULL};
	struct features fs;

	features_of(80, &fs);
	fs.v[FEATURE_SOCKPROTO].state = FEATURE_MISSING;
	assert_false(pairs_impossible(c, s, &fs));
	fs.v[FEATURE_HS_CTRL].state = FEATURE_MISSING;
	assert_false(pairs_impossible(c, s, &fs));
	/* controls: without one of the rows, without what both need */
	assert_true(pairs_impossible(c, selectors, &fs));
	assert_true(pairs_impossible(converters, s, &fs));
	assert_true(pairs_impossible(c + 2, s, &fs));
	fs.v[FEATURE_IPPROTO_SMC].state = FEATURE_MISSING;
	assert_true(pairs_impossible(c, s, &fs));
}

static void methods_are_all_rows_with_what_they_cannot(void **state)
{
	struct datapath_method v[8];
	struct features fs = {};
	size_t n = datapath_methods(&fs, v, array_size(v));

	assert_int_equal(n, 5);
	assert_int_equal(datapath_methods(&fs, v, 1), 5);
	for (size_t i = 0; i < n; i++)
		assert_false(v[i].possible);
	assert_string_equal(v[0].kind, "converter");
	assert_string_equal(v[0].cannot, converter_sockproto.cannot);
	assert_null(v[1].cannot);
	for (int f = 0; f < FEATURE_MAX; f++)
		fs.v[f].state = FEATURE_PRESENT;
	datapath_methods(&fs, v, array_size(v));
	for (size_t i = 0; i < n; i++)
		assert_true(v[i].possible);
}

static void assert_said(const struct features *fs, const char *text)
{
	_buf_ struct buf out = {};

	features_say(fs, &out);
	assert_string_equal(out.data, text);
}

static void words_say_what_is_taken_or_what_is_not_there(void **state)
{
	struct features fs;

	features_of(80, &fs);
	assert_said(&fs, "converter sockproto: sockets made by io_uring stay "
			 "TCP; selector hs_ctrl");
	fs.v[FEATURE_HS_CTRL].state = FEATURE_MISSING;
	assert_said(&fs, "converter sockproto: sockets made by io_uring stay "
			 "TCP; no selector: hs_ctrl needs BPF struct_ops "
			 "smc_hs_ctrl (missing), synfilter needs BPF links on "
			 "devices (tcx) (missing)");
	fs.v[FEATURE_HS_CTRL].state = FEATURE_PRESENT;
	fs.v[FEATURE_IPPROTO_SMC].state = FEATURE_MISSING;
	fs.v[FEATURE_SOCKPROTO].state = FEATURE_UNKNOWN;
	assert_said(&fs, "no converter: sockproto needs sockets of protocol "
			 "IPPROTO_SMC (missing), the hook "
			 "fmod_ret/update_socket_protocol (not known); "
			 "selector hs_ctrl");
}

/* ---- where each ABI's pins are ---- */

static void test_abi_dir_is_the_root_for_1_and_below_it_later(void **state)
{
	struct abi_dir first, later;

	assert_int_equal(abi_dir_set(&first, "/b/smcmesh", 1), 0);
	assert_string_equal(first.dir, "/b/smcmesh");
	assert_string_equal(first.link_dir, "/b/smcmesh/links");
	assert_int_equal(abi_dir_set(&later, "/b/smcmesh", 12), 0);
	assert_string_equal(later.dir, "/b/smcmesh/v12");
	assert_string_equal(later.link_dir, "/b/smcmesh/v12/links");
	abi_dir_free(&first);
	abi_dir_free(&later);
}

static void touch(const char *root, const char *name, bool dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (dir) {
		assert_int_equal(mkdir(path, 0700), 0);
		return;
	}
	close(creat(path, 0600));
	assert_int_equal(access(path, F_OK), 0);
}

static void test_abi_dirs_are_read_in_order_without_others(void **state)
{
	static const char *const names[] = {"v3",  "v2",  "v10", "v1",
					    "v02", "v-1", "vx",	 "w4"};
	char root[] = "/tmp/test_abis.XXXXXX", clean[64];
	struct abi_dirs dirs = {};

	assert_int_equal(abi_dirs_read("/nowhere", &dirs), 0);
	assert_int_equal(dirs.n, 0);
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < array_size(names); i++)
		touch(root, names[i], true);
	assert_int_equal(abi_dirs_read(root, &dirs), 0);
	assert_int_equal(dirs.n, 3);
	assert_int_equal(dirs.v[0].abi, 2);
	assert_int_equal(dirs.v[1].abi, 3);
	assert_int_equal(dirs.v[2].abi, 10);
	abi_dirs_free(&dirs);
	/* a map of ABI 1 */
	touch(root, "smc_port", false);
	dirs = (struct abi_dirs){};
	assert_int_equal(abi_dirs_read(root, &dirs), 0);
	assert_int_equal(dirs.n, 4);
	assert_int_equal(dirs.v[0].abi, 1);
	abi_dirs_free(&dirs);
	snprintf(clean, sizeof(clean), "rm -r %s", root);
	assert_int_equal(system(clean), 0);
}

/* Our sizes are the ABI's, the object's are what the kernel gets. */
static void test_map_sizes_of_the_object_equal_the_abi(void **state)
{
	_object_ struct bpf_object *obj = object_open();
	const struct bpf_map *map;

	assert_non_null(obj);
	for (size_t i = 0; i < MAP_MAX; i++) {
		map = bpf_object__find_map_by_name(obj, map_rows[i].name);
		if (!map)
			fail_msg("no map %s", map_rows[i].name);
		assert_int_equal(bpf_map__key_size(map), map_rows[i].key_size);
		assert_int_equal(bpf_map__value_size(map),
				 map_rows[i].value_size);
	}
	/* Pins go by names, and the kernel cuts longer ones. */
	bpf_object__for_each_map(map, obj)
	{
		if (object_is_pinned_map(map))
			assert_true(strlen(bpf_map__name(map)) <
				    BPF_OBJ_NAME_LEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_sorted_and_doubles_dropped),
		cmocka_unit_test(test_none_one_and_equal_rows_are_sorted),
		cmocka_unit_test(test_row_is_found_by_its_key_alone),
		cmocka_unit_test(
			test_diff_tells_added_changed_and_removed_rows),
		cmocka_unit_test(test_diff_with_no_rows_adds_or_removes_all),
		cmocka_unit_test(test_selector_name_of_ours_is_read_back),
		cmocka_unit_test(test_selector_name_of_others_is_not_ours),
		cmocka_unit_test(test_next_selector_generation_is_a_free_one),
		cmocka_unit_test(
			test_every_feature_has_texts_and_its_own_label),
		cmocka_unit_test(
			test_only_an_older_kernel_is_told_of_a_newer_one),
		cmocka_unit_test(
			test_every_program_has_a_row_and_every_row_one),
		cmocka_unit_test(test_guards_are_attached_before_the_converter),
		cmocka_unit_test(test_recorders_are_smc_then_sockops),
		cmocka_unit_test(features_decide_what_is_possible),
		cmocka_unit_test(rows_say_which_features_decide),
		cmocka_unit_test(another_row_makes_a_missing_feature_needless),
		cmocka_unit_test(methods_are_all_rows_with_what_they_cannot),
		cmocka_unit_test(words_say_what_is_taken_or_what_is_not_there),
		cmocka_unit_test(
			test_abi_dir_is_the_root_for_1_and_below_it_later),
		cmocka_unit_test(
			test_abi_dirs_are_read_in_order_without_others),
		cmocka_unit_test(test_map_sizes_of_the_object_equal_the_abi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
