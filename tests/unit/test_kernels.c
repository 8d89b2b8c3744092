// SPDX-License-Identifier: Apache-2.0
/* user/doctor/kernels: the table of kernels, which row a machine has, and what
 * the docs say of it. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/rpm_order.h"
#include "doctor/kernels.h"

static const struct kernel_row *row_of(const char *id, const char *version,
				       const char *machine, const char *release)
{
	struct os_release os = {};
	struct host h = {};

	snprintf(os.id, sizeof(os.id), "%s", id);
	snprintf(os.version, sizeof(os.version), "%s", version);
	snprintf(h.machine, sizeof(h.machine), "%s", machine);
	snprintf(h.release, sizeof(h.release), "%s", release);
	return kernel_row_find(&h, &os);
}

static const struct {
	const char *id, *version, *machine, *release, *name;
} cases[] = {
	{"debian", "12", "x86_64", "6.1.0-42-amd64", "Debian 12"},
	{"debian", "12", "s390x", "6.1.0-42-s390x", "Debian 12 (s390x)"},
	{"debian", "13", "x86_64", "6.12.95+deb13-cloud-amd64",
	 "Debian 13, 12 with backports"},
	{"debian", "12", "aarch64", "6.12.43+deb12-arm64",
	 "Debian 13, 12 with backports"},
	{"debian", "", "x86_64", "7.3.4+deb14-amd64",
	 "Debian forky, sid, 13 with backports"},
	{"debian", "12", "x86_64", "6.8.12-4-pve", "Proxmox VE 8"},
	{"ubuntu", "22.04", "x86_64", "5.15.0-1051-azure", "Ubuntu 22.04"},
	{"ubuntu", "22.04", "x86_64", "6.8.0-52-generic",
	 "Ubuntu 24.04, 22.04 HWE"},
	{"ubuntu", "24.04", "x86_64", "6.14.0-27-generic",
	 "Ubuntu 24.04 HWE, 25.04"},
	{"ubuntu", "26.04", "x86_64", "7.0.0-10-generic",
	 "Ubuntu, since 6.18 (26.04)"},
	{"rocky", "9.3", "x86_64", "5.14.0-362.8.1.el9_3.x86_64",
	 "RHEL, Rocky, AlmaLinux, CentOS Stream 9"},
	{"rhel", "9.3", "s390x", "5.14.0-362.8.1.el9_3.s390x",
	 "RHEL 9 (s390x)"},
	{"centos", "10", "x86_64", "6.12.0-55.el10.x86_64",
	 "RHEL, Rocky, AlmaLinux, CentOS Stream 10"},
	{"fedora", "42", "x86_64", "6.17.5-200.fc42.x86_64", "Fedora 42"},
	{"fedora", "43", "x86_64", "6.18.2-200.fc43.x86_64", "Fedora rawhide"},
	{"fedora", "44", "x86_64", "7.0.1-100.fc44.x86_64",
	 "Fedora, since 6.19"},
	{"amzn", "2023", "x86_64", "6.1.141-155.222.amzn2023.x86_64",
	 "Amazon Linux 2023"},
	{"azurelinux", "3.0", "x86_64", "6.6.134.1-2.azl3", "Azure Linux 3"},
	{"talos", "v1.9.1", "x86_64", "6.12.6-talos", "Talos 1.9"},
	{"flatcar", "4152.2.0", "x86_64", "6.12.103-flatcar", "Flatcar"},
	{"arch", "", "x86_64", "6.18.40-arch1-1", "Arch Linux, before 6.19"},
	{"arch", "", "x86_64", "7.1.7-arch1-1", "Arch Linux"},
	{"alinux", "3", "x86_64", "5.10.134-16.3.al8.x86_64",
	 "Alibaba Cloud Linux 3, Anolis OS 8"},
	{"alinux", "4", "x86_64", "6.6.88-4.2.al4.x86_64",
	 "Alibaba Cloud Linux 4, Anolis OS 23"},
	{"ol", "9.5", "x86_64", "6.16.0-1.el9uek.x86_64", "Oracle Linux, UEK"},
	/* controls: another kernel on the system, another system, a
	 * release that nobody has seen */
	{"debian", "12", "x86_64", "6.18.44-fc-v769", NULL},
	{"debian", "12", "x86_64", "7.3.4", NULL},
	{"debian", "13", "x86_64", "6.13.1+deb13-amd64", NULL},
	{"rocky", "9.3", "x86_64", "6.12.1-1.el9.elrepo.x86_64", NULL},
	{"arch", "", "aarch64", "7.1.7-arch1-1", NULL},
	{"", "", "x86_64", "7.3.4+deb14-amd64", NULL},
	{"deb", "", "x86_64", "7.3.4+deb14-amd64", NULL},
};

static void each_system_has_its_row_by_the_release_that_runs(void **state)
{
	for (size_t i = 0; i < array_size(cases); i++) {
		const struct kernel_row *r =
			row_of(cases[i].id, cases[i].version, cases[i].machine,
			       cases[i].release);

		if (!cases[i].name && r)
			fail_msg("%s %s: %s", cases[i].id, cases[i].release,
				 r->name);
		if (cases[i].name)
			assert_string_equal(r ? r->name : cases[i].release,
					    cases[i].name);
	}
}

/* What nobody has looked at is not guessed. */
static void what_was_not_seen_is_unknown(void **state)
{
	size_t unknown = 0;

	for (const struct kernel_row *r = kernel_rows; r->name; r++) {
		bool seen = *r->evidence;

		assert_int_equal(seen, *r->seen != '\0');
		assert_int_equal(seen, r->has != KERNEL_UNKNOWN);
		assert_true(r->has < KERNEL_HAS_MAX);
		assert_true(seen || (!*r->way && !strcmp(r->memory, "?")));
		assert_true(*r->systems && *r->like);
		assert_true(!*r->from || !*r->before ||
			    rpm_order(r->from, r->before) < 0);
		unknown += !seen;
	}
	assert_true(unknown >= 4);
}

/* "Use Linux >= 6.6" is no advice to whoever runs 6.18. */
static void no_way_names_a_release_that_its_kernels_have_passed(void **state)
{
	for (const struct kernel_row *r = kernel_rows; r->name; r++) {
		for (const char *p = r->way; (p = strstr(p, ">= ")); p++) {
			char first[16];

			snprintf(first, sizeof(first), "%.*s",
				 (int)strspn(p + 3, "0123456789."), p + 3);
			if (!*r->before || rpm_order(r->before, first) > 0)
				fail_msg("%s: %s", r->name, p);
		}
		if (*r->way)
			assert_int_equal(r->way[strlen(r->way) - 1], '.');
	}
}

/* `smcmesh version --kernels` makes it. */
static void docs_have_the_table(void **state)
{
	const char *tree = getenv("SMCMESH_TREE");
	struct buf want = {}, docs = {};
	char path[512], part[4096];
	_fclose_ FILE *f = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/deploy/docs/kernels.md", tree ?: ".");
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s: %m", path);
	while ((n = fread(part, 1, sizeof(part), f)))
		buf_add(&docs, part, n);
	assert_int_equal(kernels_reference(&want), 0);
	if (!strstr(docs.data, want.data))
		fail_msg("deploy/docs/kernels.md lacks what smcmesh version "
			 "--kernels prints now");
	buf_free(&docs);
	buf_free(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			each_system_has_its_row_by_the_release_that_runs),
		cmocka_unit_test(what_was_not_seen_is_unknown),
		cmocka_unit_test(
			no_way_names_a_release_that_its_kernels_have_passed),
		cmocka_unit_test(docs_have_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
