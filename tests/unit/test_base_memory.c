// SPDX-License-Identifier: Apache-2.0
/* When memory is given back. That it is: tests/net/test_agent_native.py, for
 * this program's malloc() is ASan's. */
#include "unit.h"

#include <sys/mman.h>
#include "base/memory.h"

#define SECOND 1000000000ULL
#define MIB ((size_t)1 << 20)

static void memory_is_given_back_when_it_is_due(void **state)
{
	struct memory_kept kept = {};
	__u64 now = 1000 * SECOND;
	char *grown;

	assert_false(memory_give_back(&kept, now));
	kept.due = true;
	assert_true(memory_give_back(&kept, now));
	assert_true(kept.resident > MIB);
	/* it was done, and has not become due again */
	assert_false(memory_give_back(&kept, now + 1000 * SECOND));
	kept.due = true;
	assert_false(memory_give_back(&kept, now + 5 * SECOND));
	assert_true(kept.due);
	assert_true(memory_give_back(&kept, now + 61 * SECOND));
	/* of a process that has grown, at once */
	kept.due = true;
	grown = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	assert_ptr_not_equal(grown, MAP_FAILED);
	assert_true(memory_give_back(&kept, now + 62 * SECOND));
	kept.due = true;
	assert_false(memory_give_back(&kept, now + 63 * SECOND));
	munmap(grown, 8 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_given_back_when_it_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
