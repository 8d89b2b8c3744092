// SPDX-License-Identifier: Apache-2.0
/* user/doctor: the table of checks, each on made-up facts with its control, and
 * the conclusion. What asks this machine's kernel itself has no test here. */
#include "unit.h"
#include "checks.h"
#include "tree.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "doctor/check_list.h"
#include "doctor/checks.h"
#include "doctor/method_list.h"

static struct doctor d;

static void all_features(enum feature_state state)
{
	for (int f = 0; f < FEATURE_MAX; f++)
		d.features.v[f].state = state;
}

static int fresh(void **state)
{
	d = (struct doctor){.proc = "/proc",
			    .host = {.release = "7.3.4", .given = true},
			    .ueids = {.n = 1, .v = {"SMCMESH"}}};
	all_features(FEATURE_PRESENT);
	snprintf(d.host.root, sizeof(d.host.root), "%s", tree_top);
	return tree_empty();
}

/* Beside the status: what is wrong has all its parts, nothing else has advice.
 */
static enum check_status status(const char *id)
{
	_cleanup_(finding_free) struct finding f = ask_check(&d, id);
	bool wrong;

	wrong = f.status != CHECK_PASS && f.status != CHECK_SKIP;
	if (f.status != CHECK_PASS)
		assert_true(f.found.len > 0);
	assert_int_equal(wrong, f.means.len > 0);
	if (!wrong)
		assert_int_equal(f.fix.len, 0);
	return f.status;
}

static void assert_found(const char *id, enum check_status status,
			 const char *found)
{
	_cleanup_(finding_free) struct finding f = ask_check(&d, id);

	assert_string_equal(check_status_word(f.status),
			    check_status_word(status));
	assert_string_equal(f.found.data ?: "", found);
}

/* ---- the table ---- */

static void rows_have_ids_and_whole_sentences(void **state)
{
	size_t n = 0;

	for (const struct doctor_check *c = doctor_checks; c->id; c++, n++) {
		if (check(c->id) != c)
			fail_msg("two checks %s", c->id);
		for (int f = 0; f < FEATURE_MAX; f++)
			assert_string_not_equal(c->id, feature_text(f)->label);
		assert_true(c->severity == CHECK_WARN ||
			    c->severity == CHECK_FAIL);
		assert_non_null(c->probe);
		assert_int_equal(c->means[strlen(c->means) - 1], '.');
		if (c->fix)
			assert_int_equal(c->fix[strlen(c->fix) - 1], '.');
		assert_string_equal(check_meaning(c->id), c->means);
	}
	assert_int_equal(n, 38);
	assert_non_null(check_meaning("ipproto_smc"));
	assert_null(check_meaning("nothing"));
}

/* ---- asking ---- */

/* For the SmcNode: those of the table before features, failures before both. */
static void ids_of_what_is_wrong_are_listed(void **state)
{
	struct mesh_wrong w = {};

	for (const struct doctor_check *c = doctor_checks; c->id; c++)
		assert_true(strlen(c->id) < MESH_WRONG_ID);
	for (int f = 0; f < FEATURE_MAX; f++)
		assert_true(strlen(feature_text(f)->label) < MESH_WRONG_ID);
	d.ueids.n = 0;
	d.features.v[FEATURE_RDMA].state = FEATURE_MISSING;
	d.features.v[FEATURE_BPFFS].state = FEATURE_MISSING;
	d.features.v[FEATURE_SMC_DIAG].state = FEATURE_UNKNOWN;
	check_list_wrong(&d, &w);
	assert_string_equal(w.id[0], "bpffs");
	assert_int_equal(w.n_fails, 1);
	assert_string_equal(w.id[1], "ueid");
	assert_string_equal(w.id[2], "signal-during-connect");
	assert_string_equal(w.id[w.n - 1], "rdma");
	for (size_t i = 0; i < w.n; i++)
		assert_string_not_equal(w.id[i], "smc_diag");
}

static void without_what_a_check_needs_it_is_skipped(void **state)
{
	d.ueids.n = 0;
	assert_int_equal(status("ueid"), CHECK_WARN);
	assert_int_equal(status("signal-during-connect"), CHECK_WARN);
	for (int s = FEATURE_UNKNOWN; s <= FEATURE_MISSING; s++) {
		d.features.v[FEATURE_IPPROTO_SMC].state = s;
		for (const struct doctor_check *c = doctor_checks; c->id; c++)
			if (c->needs)
				assert_int_equal(status(c->id), CHECK_SKIP);
	}
	assert_found("ueid", CHECK_SKIP, "ipproto_smc: missing");
}

static void a_kernel_without_a_ueid_is_told_so(void **state)
{
	_cleanup_(finding_free) struct finding f = {};

	assert_found("ueid", CHECK_PASS, "SMCMESH");
	d.ueids.n = 0;
	assert_found("ueid", CHECK_WARN, "the kernel has no UEID");
	doctor_ask(check("ueid"), &d, &f);
	assert_string_equal(f.means.data, "On x86 every SMC handshake falls "
					  "back to TCP without a UEID.");
	assert_string_equal(f.fix.data, "The agent adds the configured one "
					"when it runs.");
}

static void a_hook_that_is_missing_is_told(void **state)
{
	static const struct {
		enum feature feature;
		const char *id;
	} hooks[] = {{FEATURE_LSM_CONNECT, "second-connect"},
		     {FEATURE_SMC_COUNT, "handshake-rations"},
		     {FEATURE_LSM_REQUEST, "busy-listener"}};

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(status(hooks[i].id), CHECK_PASS);
		d.features.v[hooks[i].feature].state = FEATURE_UNKNOWN;
		assert_int_equal(status(hooks[i].id), CHECK_WARN);
		for (size_t j = i + 1; j < 3; j++)
			assert_int_equal(status(hooks[j].id), CHECK_PASS);
	}
	strcpy(d.features.v[FEATURE_LSM_REQUEST].detail, "not permitted");
	assert_found("busy-listener", CHECK_WARN,
		     "BPF on security_inet_conn_request is unknown: not "
		     "permitted");
}

static void without_maps_the_agent_is_not_called_silent(void **state)
{
	assert_int_equal(status("agent-silent"), CHECK_SKIP);
}

static void without_an_rdma_device_no_path_is_missed(void **state)
{
	assert_int_equal(status("path-probes"), CHECK_SKIP);
}

static void selinux_is_told_only_while_it_enforces(void **state)
{
	const char *path = "sys/fs/selinux/enforce";

	assert_int_equal(status("selinux"), CHECK_PASS);
	write_text(path, "0\n");
	assert_found("selinux", CHECK_PASS, "/sys/fs/selinux/enforce is 0");
	write_text(path, "1\n");
	assert_found("selinux", CHECK_WARN, "/sys/fs/selinux/enforce is 1");
	remove_tree(path);
	make_dirs(path); /* is there, and cannot be read */
	assert_int_equal(status("selinux"), CHECK_UNKNOWN);
}

/* As on a kernel without Landlock: of a child alone, whose exit status is the
 * answer. */
static enum check_status status_without_landlock(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			 __NR_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	const struct sock_fprog filter = {4, code};
	pid_t child = fork();
	int how;

	if (!child) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
			_exit(CHECK_STATUS_MAX);
		_exit(status("landlock"));
	}
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_true(WIFEXITED(how));
	return WEXITSTATUS(how);
}

/* Its rules for TCP came with ABI 4. */
static void landlock_is_told_by_its_own_call(void **state)
{
	long abi = syscall(__NR_landlock_create_ruleset, NULL, 0, 1);

	assert_int_equal(status("landlock"),
			 abi >= 4 ? CHECK_WARN : CHECK_PASS);
	assert_int_equal(status_without_landlock(), CHECK_PASS);
}

static enum check_status knows_better(const struct doctor_check *c,
				      const struct doctor *unused,
				      struct finding *f)
{
	buf_printf(&f->found, "a device");
	buf_printf(&f->fix, "Do this.");
	return check_wrong(c, true);
}

static void what_the_probe_knows_better_replaces_the_rows_text(void **state)
{
	const struct doctor_check c = {"x",	     CHECK_FAIL, NULL,
				       knows_better, "Alas.",	 "Wait."};
	_cleanup_(finding_free) struct finding f = {};

	doctor_ask(&c, &d, &f);
	assert_int_equal(f.status, CHECK_FAIL);
	assert_string_equal(f.found.data, "a device");
	assert_string_equal(f.means.data, "Alas.");
	assert_string_equal(f.fix.data, "Do this.");
}

/* ---- the list of them ---- */

static yyjson_mut_doc *doc;

static yyjson_mut_val *listed(const struct check_list *list, const char *id)
{
	yyjson_mut_val *o;
	size_t i, max;

	yyjson_mut_arr_foreach(list->checks, i, max, o)
	{
		if (!strcmp(yyjson_mut_get_str(yyjson_mut_obj_get(o, "id")),
			    id))
			return o;
	}
	fail_msg("%s is not listed", id);
	return NULL;
}

static struct check_list listing(void)
{
	yyjson_mut_doc_free(doc);
	doc = yyjson_mut_doc_new(NULL);
	return check_list_make(doc, &d);
}

static int forget(void **state)
{
	yyjson_mut_doc_free(doc);
	doc = NULL;
	return 0;
}

static void assert_listed(const char *id, const char *status, const char *fix)
{
	const struct check_list list = listing();
	yyjson_mut_val *o = listed(&list, id);

	assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(o, "status")),
			    status);
	assert_says(yyjson_mut_get_str(yyjson_mut_obj_get(o, "fix")), fix);
	assert_non_null(yyjson_mut_obj_get(o, "found"));
	assert_int_equal(yyjson_mut_get_len(yyjson_mut_obj_get(o, "means")) > 0,
			 strcmp(status, "pass") && strcmp(status, "skip"));
}

static void features_are_checks_and_fail_where_all_depends_on_them(void **state)
{
	assert_false(listing().failed);
	assert_listed("sockproto", "pass", "");
	d.features.v[FEATURE_RDMA].state = FEATURE_MISSING;
	assert_listed("rdma", "warn", "add an RDMA NIC");
	assert_false(listing().failed);
	d.features.v[FEATURE_SOCKPROTO].state = FEATURE_UNKNOWN;
	assert_listed("sockproto", "unknown", "lockdown");
	d.features.v[FEATURE_CAPABILITIES].state = FEATURE_MISSING;
	assert_listed("sockproto", "unknown", "as root");
	fresh(NULL);
	d.features.v[FEATURE_SOCKPROTO].state = FEATURE_MISSING;
	assert_listed("sockproto", "fail", "CONFIG_MPTCP");
	assert_true(listing().failed);
}

static void warnings_are_what_warns_and_fails_of_the_rows(void **state)
{
	const struct check_list before = listing();
	size_t n = yyjson_mut_arr_size(before.warnings);
	struct check_list list;
	const char *first;

	d.ueids.n = 0;
	d.features.v[FEATURE_RDMA].state = FEATURE_MISSING;
	list = listing();
	assert_int_equal(yyjson_mut_arr_size(list.warnings), n + 1);
	first = yyjson_mut_get_str(yyjson_mut_arr_get(list.warnings, 0));
	assert_string_equal(first,
			    "The kernel has no UEID. On x86 every SMC "
			    "handshake falls back to TCP without a UEID. The "
			    "agent adds the configured one when it runs.");
}

/* ---- the conclusion ---- */

static void conclusion_follows_from_features_and_devices(void **state)
{
	assert_says(doctor_conclusion(&d), "This node can make");
	d.features.v[FEATURE_LOOPBACK].state = FEATURE_MISSING;
	assert_says(doctor_conclusion(&d), "neither shared memory nor");
	d.n_rdma = 2;
	assert_says(doctor_conclusion(&d), "neither shared memory nor");
	d.rdma[1].active = true;
	assert_says(doctor_conclusion(&d), "This node can make");
	d.features.v[FEATURE_SOCKPROTO].state = FEATURE_UNKNOWN;
	assert_says(doctor_conclusion(&d), "refuses to be tried");
	d.features.v[FEATURE_CAPABILITIES].state = FEATURE_MISSING;
	assert_says(doctor_conclusion(&d), "run it as root");
	d.features.v[FEATURE_HS_CTRL].state = FEATURE_MISSING;
	d.features.v[FEATURE_TCX].state = FEATURE_MISSING;
	assert_says(doctor_conclusion(&d), "This node cannot");
}

static void recorder_is_the_first_that_can_be_had(void **state)
{
	assert_string_equal(doctor_recorder(&d), "smc");
	d.features.v[FEATURE_SMC_TRACE].state = FEATURE_MISSING;
	assert_string_equal(doctor_recorder(&d), "sockops");
	d.features.v[FEATURE_CGROUP2].state = FEATURE_MISSING;
	assert_string_equal(doctor_recorder(&d), "none");
}

/* ---- the list of converters, selectors and recorders ---- */

static char *list_text(void)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	char *text;

	yyjson_mut_doc_set_root(doc, method_list_json(doc, &d.features));
	text = yyjson_mut_write(doc, 0, NULL);
	yyjson_mut_doc_free(doc);
	assert_non_null(text);
	return text;
}

static void list_says_what_each_lacks_and_cannot_do(void **state)
{
	static const char *const rows[] = {
		"{\"kind\":\"converter\",\"name\":\"sockproto\",\"possible\":"
		"false,\"cannot\":\"sockets made by io_uring stay TCP\","
		"\"lacks\":[\"sockproto\"]}",
		"{\"kind\":\"selector\",\"name\":\"hs_ctrl\",\"possible\":true,"
		"\"cannot\":\"\",\"lacks\":[]}"};
	char *text;

	text = list_text();
	assert_null(strstr(text, rows[0]));
	assert_says(text, rows[1]);
	free(text);
	d.features.v[FEATURE_SOCKPROTO].state = FEATURE_UNKNOWN;
	text = list_text();
	assert_says(text, rows[0]);
	assert_says(text, rows[1]);
	free(text);
}

#define test(f) cmocka_unit_test_setup_teardown(f, fresh, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(rows_have_ids_and_whole_sentences),
		test(without_what_a_check_needs_it_is_skipped),
		test(ids_of_what_is_wrong_are_listed),
		test(a_kernel_without_a_ueid_is_told_so),
		test(a_hook_that_is_missing_is_told),
		test(without_maps_the_agent_is_not_called_silent),
		test(without_an_rdma_device_no_path_is_missed),
		test(selinux_is_told_only_while_it_enforces),
		test(landlock_is_told_by_its_own_call),
		test(what_the_probe_knows_better_replaces_the_rows_text),
		test(features_are_checks_and_fail_where_all_depends_on_them),
		test(warnings_are_what_warns_and_fails_of_the_rows),
		test(conclusion_follows_from_features_and_devices),
		test(recorder_is_the_first_that_can_be_had),
		test(list_says_what_each_lacks_and_cannot_do),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}
