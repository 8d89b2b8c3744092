/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a tar archive: the ustar format of POSIX.1-1988, which every tar
 * reads. The image has no tar to start, and libarchive would bring libxml2 and
 * ICU along: 15 MiB, more than all the rest of it.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include "base/cleanup.h"

#define TAR_NAME_MAX 100
#define TAR_DIR_MAX 155

/*
 * tar_add - Write a regular file, mode 0600, of user and group 0.
 * @dir:  at most TAR_DIR_MAX bytes; @name: at most TAR_NAME_MAX, both relative.
 * @when: seconds since 1970.
 * Return: 0; -ENAMETOOLONG; -EFBIG: 8 GiB or more; or another errno of @to.
 */
must_check int tar_add(FILE *to, const char *dir, const char *name,
		       const void *data, size_t len, long long when);

/* tar_end - Write the archive's end. Return: 0 or errno: also where what was
 * written before could not be. */
must_check int tar_end(FILE *to);
