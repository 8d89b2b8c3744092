/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes, in the order that cmocka wants it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "base/addr.h"

/* addr - The address that @text is; the test fails if it is none. */
static inline struct smc_addr addr(const char *text)
{
	struct smc_addr a;

	assert_return_code(addr_parse(text, &a), 0);
	return a;
}

/* assert_addr - @a is the address @text. */
#define assert_addr(a, text)                                          \
	do {                                                          \
		char _got[ADDR_STRLEN];                               \
		assert_string_equal(addr_format(&(a), _got), (text)); \
	} while (0)

/* assert_says - @text is there and contains @part. */
static inline void assert_says_(const char *text, const char *part,
				const char *file, int line)
{
	if (text && strstr(text, part))
		return;
	print_error("\"%s\" does not say \"%s\"\n", text ? text : "(null)",
		    part);
	_fail(file, line);
}
#define assert_says(text, part) assert_says_((text), (part), __FILE__, __LINE__)
