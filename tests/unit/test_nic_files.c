// SPDX-License-Identifier: Apache-2.0
/* user/node/nic_state.c, nic_manager.c: the file of what setup did, and the
 * files of those that manage NICs. */
#include "tmpdir.h"

#include <sys/stat.h>
#include "node/nic_manager.h"
#include "node/nic_state.h"

static struct tmpdir tmp;
static const struct nic eth1 = {
	.ifindex = 3, .name = "eth1", .mac = "00:16:3e:00:00:06"};

static int fresh(void **state)
{
	tmpdir_make(&tmp);
	return 0;
}

static int gone(void **state)
{
	tmpdir_remove(&tmp);
	return 0;
}

/* ---- the state file ------------------------------------------------------ */

static struct nic_state opened(const char *dir, bool write)
{
	_buf_ struct buf why = {};
	struct nic_state s;

	if (nic_state_open(dir, write, &s, &why))
		fail_msg("%s", why.data);
	return s;
}

static struct nic_record record(unsigned int ifindex)
{
	struct nic_record r = {
		.ifindex = ifindex,
		.name = "eth1",
		.mac = "00:16:3e:00:00:06",
		.steps = NIC_STEP_ADDRESS,
		.want = {.addr = addr("10.0.0.6"), .bits = 24},
		.metric = 101,
	};

	return r;
}

static void put(const char *dir, const struct nic_record *r)
{
	_cleanup_(nic_state_close) struct nic_state s = opened(dir, true);
	_buf_ struct buf why = {};

	assert_int_equal(nic_state_put(&s, r, &why), 0);
}

static void records_last_until_they_are_dropped(void **state)
{
	const char *dir = tmpdir_at(&tmp, "state");
	struct nic_record r = record(3), other = record(4);
	_buf_ struct buf why = {};
	struct nic_state s;

	put(dir, &r);
	put(dir, &other);
	r.metric = 202;
	put(dir, &r); /* in place of the first */
	s = opened(dir, false);
	assert_int_equal(s.n, 2);
	assert_int_equal(nic_state_find(&s, &eth1)->metric, 202);
	nic_state_close(&s);
	s = opened(dir, true);
	assert_int_equal(nic_state_drop(&s, 3, &why), 0);
	nic_state_close(&s);
	s = opened(dir, false);
	assert_int_equal(s.n, 1);
	assert_null(nic_state_find(&s, &eth1));
	nic_state_close(&s);
}

static void missing_file_has_no_records(void **state)
{
	struct nic_state s = opened(tmpdir_at(&tmp, "none"), false);

	assert_int_equal(s.n, 0);
	assert_int_equal(access(tmpdir_at(&tmp, "none"), F_OK), -1);
	nic_state_close(&s);
}

static void records_of_another_boot_are_not_there(void **state)
{
	struct nic_record r = record(3);
	_buf_ struct buf text = {};
	struct nic_state s;

	strcpy(r.boot, "00000000-0000-0000-0000-000000000000");
	assert_int_equal(nic_record_format(&r, &text), 0);
	tmpdir_put(&tmp, "nics", text.data);
	s = opened(tmp.dir, false);
	assert_int_equal(s.n, 0);
	nic_state_close(&s);
}

static void broken_file_is_an_error_with_its_line(void **state)
{
	_buf_ struct buf why = {};
	struct nic_state s;

	tmpdir_put(&tmp, "nics", "\n\nboot=1 what\n");
	assert_int_equal(nic_state_open(tmp.dir, false, &s, &why), -EBADMSG);
	assert_says(why.data, "/nics is broken in line 3");
}

static void what_is_no_directory_is_an_error(void **state)
{
	const char *file = tmpdir_put(&tmp, "file", "");
	_buf_ struct buf why = {};
	struct nic_state s;

	assert_int_equal(nic_state_open(file, true, &s, &why), -ENOTDIR);
	assert_says(why.data, file);
}

/* ---- who manages a NIC --------------------------------------------------- */

static void file_of(const char *dir, const char *name, const char *text)
{
	_buf_ struct buf path = {};

	buf_printf(&path, "%s", tmp.dir);
	for (const char *p = dir; *p;) {
		size_t len = strcspn(p, "/");

		buf_printf(&path, "/%.*s", (int)len, p);
		mkdir(path.data, 0700);
		p += len + (p[len] == '/');
	}
	buf_printf(&path, "/%s", name);
	tmpdir_put(&tmp, path.data + strlen(tmp.dir) + 1, text);
}

static void assert_manager(const char *who, const char *sign)
{
	_buf_ struct buf found = {};
	const char *name;

	assert_int_equal(nic_manager(tmp.dir, &eth1, &name, &found), 0);
	if (!who) {
		assert_null(name);
		assert_int_equal(found.len, 0);
		return;
	}
	assert_non_null(name);
	assert_string_equal(name, who);
	assert_says(found.data, sign);
}

#define LINKS "run/systemd/netif/links"
#define DEVICES "run/NetworkManager/devices"
#define PLUGINS "var/lib/kubelet/device-plugins"

static void nobody_manages_a_nic_without_files(void **state)
{
	assert_manager(NULL, NULL);
}

static void networkd_manages_what_is_not_unmanaged(void **state)
{
	file_of(LINKS, "4", "ADMIN_STATE=configured\n"); /* another one */
	assert_manager(NULL, NULL);
	file_of(LINKS, "3",
		"# private\nADMIN_STATE=unmanaged\nOPER_STATE=off\n");
	assert_manager(NULL, NULL);
	file_of(LINKS, "3", "# private\nADMIN_STATE=configuring\n");
	assert_manager("systemd-networkd",
		       "links/3 has ADMIN_STATE=configuring");
	file_of(LINKS, "3", "ADMIN_STATE=pending");
	assert_manager("systemd-networkd", "pending");
	file_of(LINKS, "3", "");
	assert_manager(NULL, NULL);
}

static void networkmanager_manages_what_it_says(void **state)
{
	file_of(DEVICES, "3", "[device]\nmanaged=false\n");
	assert_manager(NULL, NULL);
	file_of(DEVICES, "3", "[device]\nconnection-uuid=x\nmanaged=true\n");
	assert_manager("NetworkManager", "devices/3 has managed=true");
	file_of(DEVICES, "3", "[device]\nperm-hw-addr-fake=x\n");
	assert_manager(NULL, NULL);
}

static void erdma_controller_shows_by_its_socket(void **state)
{
	file_of(PLUGINS, "kubelet.sock", "");
	file_of(PLUGINS, "nvidia-gpu.sock", "");
	assert_manager(NULL, NULL);
	file_of(PLUGINS, "1764489000-erdma.sock", "");
	assert_manager("the erdma-controller", "1764489000-erdma.sock");
}

static void file_that_cannot_be_read_is_an_error(void **state)
{
	_buf_ struct buf found = {};
	const char *name;

	file_of(LINKS "/3", "x", ""); /* a directory in its place */
	assert_int_equal(nic_manager(tmp.dir, &eth1, &name, &found), -EISDIR);
	assert_says(found.data, "systemd-networkd manages eth1 is not known");
}

#define test(fn) cmocka_unit_test_setup_teardown(fn, fresh, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(records_last_until_they_are_dropped),
		test(missing_file_has_no_records),
		test(records_of_another_boot_are_not_there),
		test(broken_file_is_an_error_with_its_line),
		test(what_is_no_directory_is_an_error),
		test(nobody_manages_a_nic_without_files),
		test(networkd_manages_what_is_not_unmanaged),
		test(networkmanager_manages_what_it_says),
		test(erdma_controller_shows_by_its_socket),
		test(file_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
