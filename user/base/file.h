/* SPDX-License-Identifier: Apache-2.0 */
/* Files that people or kubelet write for the agent. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/* No file of settings is larger. */
#define SMALL_FILE_MAX (4L << 20)

/*
 * small_file_read - Append the content of a file.
 * @out:   keeps what it has.
 * @error: gets a sentence that names the path.
 * Return: 0 or a negative errno: -EFBIG: it is larger than SMALL_FILE_MAX.
 */
must_check int small_file_read(const char *path, struct buf *out,
			       struct buf *error);
