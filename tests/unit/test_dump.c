// SPDX-License-Identifier: Apache-2.0
/* What sysdump is made of: rows of maps as JSON (datapath/map_dump), and the
 * archive (base/tar). */
#include "unit.h"

#include <bpf/btf.h>
#include <string.h>
#include "base/tar.h"
#include "datapath/map_dump.h"

/* ---- a row of a map ------------------------------------------------------ */

struct row {
	unsigned char ip[16];
	unsigned short port;
	unsigned short list[2];
	int code;
	unsigned char own[4];
	unsigned long long until;
};

static int member(struct btf *btf, const char *name, int type, size_t offset)
{
	return btf__add_field(btf, name, type, offset * 8, 0);
}

/* struct row, behind a typedef. */
static int add_types(struct btf *btf)
{
	int u8 = btf__add_int(btf, "unsigned char", 1, 0);
	int u16 = btf__add_int(btf, "unsigned short", 2, 0);
	int s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int u64 = btf__add_int(btf, "unsigned long long", 8, 0);
	int ip = btf__add_array(btf, u64, u8, 16);
	int list = btf__add_array(btf, u64, u16, 2);
	int four = btf__add_array(btf, u64, u8, 4);
	int row = btf__add_struct(btf, "row", sizeof(struct row));

	member(btf, "ip", ip, offsetof(struct row, ip));
	member(btf, "port", u16, offsetof(struct row, port));
	member(btf, "list", list, offsetof(struct row, list));
	member(btf, "code", s32, offsetof(struct row, code));
	member(btf, "own", four, offsetof(struct row, own));
	member(btf, "until", u64, offsetof(struct row, until));
	return btf__add_typedef(btf, "row_t", row);
}

static void a_row_is_an_object(void **state)
{
	const struct row row = {.ip = {[10] = 0xff, 0xff, 10, 1, 2, 3},
				.port = 443,
				.list = {1, 65535},
				.code = -5,
				.own = {192, 0, 2, 7},
				.until = ~0ULL};
	struct btf *btf = btf__new_empty();
	_buf_ struct buf out = {};

	assert_int_equal(map_dump_value(btf, add_types(btf), &row, &out), 0);
	assert_string_equal(
		out.data,
		"{\"ip\":\"10.1.2.3\",\"port\":443,\"list\":[1,65535],"
		"\"code\":-5,\"own\":\"192.0.2.7\","
		"\"until\":18446744073709551615}");
	btf__free(btf);
}

static void types_without_an_end_are_refused(void **state)
{
	struct btf *btf = btf__new_empty();
	_buf_ struct buf out = {};
	int u8 = btf__add_int(btf, "unsigned char", 1, 0);
	int pointer = btf__add_ptr(btf, u8);

	assert_int_equal(map_dump_value(btf, pointer, "12345678", &out),
			 -EINVAL);
	assert_int_equal(map_dump_value(btf, 77, "12345678", &out), -EINVAL);
	btf__free(btf);
}

/* ---- the archive --------------------------------------------------------- */

static void archive_has_headers_and_whole_blocks(void **state)
{
	_free_ char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	assert_int_equal(tar_add(to, "n1", "x.txt", "hello", 5, 8), 0);
	assert_int_equal(tar_add(to, "n1", "empty", "", 0, 8), 0);
	assert_int_equal(tar_end(to), 0);
	fclose(to);
	/* two headers, one block of data, two of nothing */
	assert_int_equal(len, 5 * 512);
	assert_string_equal(text, "x.txt");
	assert_string_equal(text + 345, "n1");
	assert_memory_equal(text + 257,
			    "ustar\0"
			    "00",
			    8);
	assert_string_equal(text + 100, "0000600");
	assert_string_equal(text + 124, "00000000005");
	assert_string_equal(text + 136, "00000000010");
	assert_string_equal(text + 512, "hello");
}

static void what_no_archive_can_have_is_refused(void **state)
{
	char name[TAR_NAME_MAX + 2], dir[TAR_DIR_MAX + 2];
	FILE *to = fopen("/dev/null", "w");

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memset(dir, 'd', sizeof(dir));
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(tar_add(to, "d", name, "", 0, 0), -ENAMETOOLONG);
	assert_int_equal(tar_add(to, dir, "n", "", 0, 0), -ENAMETOOLONG);
	assert_int_equal(tar_add(to, "d", "", "", 0, 0), -ENAMETOOLONG);
	assert_int_equal(tar_add(to, "d", "n", "", 1ULL << 33, 0), -EFBIG);
	assert_int_equal(tar_add(to, dir + 1, name + 1, "", 0, 0), 0);
	fclose(to);
}

static void full_disk_is_an_error(void **state)
{
	FILE *to = fopen("/dev/full", "w");
	int err = tar_add(to, "d", "n", "x", 1, 0);

	assert_int_equal(err ? err : tar_end(to), -ENOSPC);
	fclose(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_an_object),
		cmocka_unit_test(types_without_an_end_are_refused),
		cmocka_unit_test(archive_has_headers_and_whole_blocks),
		cmocka_unit_test(what_no_archive_can_have_is_refused),
		cmocka_unit_test(full_disk_is_an_error),
	};

	return cmocka_run_group_tests_name("sysdump", tests, NULL, NULL);
}
