/* SPDX-License-Identifier: Apache-2.0 */
/* Another program of this system, asked for what it knows. */
#pragma once

#include <stddef.h>
#include "base/buf.h"
#include "base/cleanup.h"

/*
 * program_ask - Run @argv, found on the PATH, without input, and quietly: its
 * standard error is dropped. One that writes nothing for five seconds is
 * killed.
 * @out: gets what it writes, of that at most the first @most bytes; NULL: none.
 * Return: its exit status, or a negative errno: -ENOENT: there is no such
 * program; -ETIMEDOUT.
 */
must_check int program_ask(char *const *argv, size_t most, struct buf *out);
