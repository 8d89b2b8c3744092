/* SPDX-License-Identifier: Apache-2.0 */
/* Files that people or kubelet write for us. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/* More than this is no file of settings. */
#define SMALL_FILE_MAX (4L << 20)

/*
 * small_file_read - The bytes of a file.
 * @out:   gets them, behind what it has.
 * @error: gets a sentence that names the path.
 * Return: 0 or a negative errno: -EFBIG: it has more than SMALL_FILE_MAX bytes.
 */
must_check int small_file_read(const char *path, struct buf *out,
			       struct buf *error);
