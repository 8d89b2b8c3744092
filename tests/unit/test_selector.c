// SPDX-License-Identifier: Apache-2.0
/* The namespace halves of selectors (node/selector.h): hs_ctrl on a made-up
 * sysctl, and that every row of the datapath has its half. */
#include "unit.h"
#include "tree.h"

#include "datapath/selector.h"
#include "node/selector.h"

#define SYSCTL "proc/sys/net/smc/hs_ctrl"

static char *our_names[] = {"smcmesh_7", "smcmesh_3", NULL};

static struct netns_ref ref(void)
{
	static char proc[64];

	snprintf(proc, sizeof(proc), "%s", at("proc"));
	return (struct netns_ref){.proc = proc, .ours = our_names};
}

/* @text: NULL: this kernel has no such sysctl. */
static void sysctl_is(const char *text)
{
	make_dirs("proc/sys/net/smc");
	unlink(at(SYSCTL));
	if (text)
		write_text(SYSCTL, text);
}

static int checked(struct netns_facts *f)
{
	const struct netns_ref r = ref();

	*f = (struct netns_facts){};
	return netns_selector_check(&r, f);
}

static int set_to(const char *name, struct netns_facts *f)
{
	const struct netns_ref r = ref();

	*f = (struct netns_facts){};
	return netns_selector_find("hs_ctrl")->set(&r, name, f);
}

static void every_row_has_the_half_of_its_name(void **state)
{
	size_t n = 0;

	for (; selectors[n]; n++) {
		const struct netns_selector *half =
			netns_selector_find(selectors[n]->name);

		assert_non_null(half);
		assert_string_equal(half->name, selectors[n]->name);
	}
	assert_int_equal(n, 2);
	assert_null(netns_selector_find("none"));
}

static void check_tells_ours_from_foreign(void **state)
{
	struct netns_facts f;

	sysctl_is("smcmesh_3\n");
	assert_int_equal(checked(&f), 0);
	assert_true(f.ctrl_is_ours);
	assert_string_equal(f.ctrl, "smcmesh_3");
	sysctl_is("smcmesh_4\n");
	assert_int_equal(checked(&f), -EEXIST);
	assert_int_equal(f.reason, SMC_REASON_FOREIGN_SELECTOR);
	assert_string_equal(f.detail, "smcmesh_4");
	assert_false(f.ctrl_is_ours);
	sysctl_is("\n");
	assert_int_equal(checked(&f), -ENODATA);
	assert_int_equal(f.reason, SMC_REASON_SELECTOR_FAILED);
	sysctl_is(NULL);
	assert_int_equal(checked(&f), -ENOENT);
	assert_int_equal(f.reason, SMC_REASON_SELECTOR_FAILED);
}

static void set_changes_ours_and_nothing_foreign(void **state)
{
	struct netns_facts f;

	sysctl_is("smcmesh_3\n");
	assert_int_equal(set_to("smcmesh_7", &f), 0);
	assert_string_equal(f.ctrl, "smcmesh_7");
	assert_true(f.ctrl_is_ours);
	assert_int_equal(checked(&f), 0);
	assert_string_equal(f.ctrl, "smcmesh_7");
	sysctl_is("other\n");
	assert_int_equal(set_to("smcmesh_7", &f), -EEXIST);
	assert_int_equal(checked(&f), -EEXIST);
	assert_string_equal(f.ctrl, "other");
	sysctl_is("smcmesh_3\n");
	assert_int_equal(set_to(NULL, &f), -EOPNOTSUPP);
	assert_int_equal(f.reason, SMC_REASON_NO_SELECTOR);
	assert_int_equal(checked(&f), 0);
	assert_string_equal(f.ctrl, "smcmesh_3");
	sysctl_is(NULL);
	assert_int_equal(set_to("smcmesh_7", &f), -ENOENT);
	assert_int_equal(f.reason, SMC_REASON_SELECTOR_FAILED);
}

static void release_takes_away_what_is_ours_alone(void **state)
{
	const struct netns_ref r = ref();
	char name[SMC_CTRL_NAME_MAX] = "";
	struct netns_facts f;

	sysctl_is("smcmesh_3\n");
	assert_int_equal(netns_selector_left(&r, name), 1);
	assert_string_equal(name, "smcmesh_3");
	assert_int_equal(netns_selector_release(&r), 1);
	assert_int_equal(netns_selector_left(&r, name), 0);
	assert_int_equal(checked(&f), -ENODATA);
	assert_int_equal(netns_selector_release(&r), 0);
	sysctl_is("other\n");
	assert_int_equal(netns_selector_left(&r, name), 0);
	assert_int_equal(netns_selector_release(&r), 0);
	assert_int_equal(checked(&f), -EEXIST);
	/* a kernel without it has nothing of ours; what cannot be read may be
	 */
	sysctl_is(NULL);
	assert_int_equal(netns_selector_left(&r, name), 0);
	assert_int_equal(netns_selector_release(&r), 0);
	make_dirs(SYSCTL);
	assert_int_equal(netns_selector_left(&r, name), -EISDIR);
	assert_int_equal(netns_selector_release(&r), -EISDIR);
	rmdir(at(SYSCTL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_the_half_of_its_name),
		cmocka_unit_test(check_tells_ours_from_foreign),
		cmocka_unit_test(set_changes_ours_and_nothing_foreign),
		cmocka_unit_test(release_takes_away_what_is_ours_alone),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}
