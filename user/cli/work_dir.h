/* SPDX-License-Identifier: Apache-2.0 */
/* A directory for the files that a command's child processes write. */
#pragma once

#include <limits.h>
#include "base/cleanup.h"

/* work_dir_make - Make one below $TMPDIR or /tmp. @what: of its name. Return:
 * 0, or a negative errno after an error on stderr. */
must_check int work_dir_make(const char *what, char dir[PATH_MAX]);

/* work_dir_empty - Remove the files in it. */
void work_dir_empty(const char *dir);

/* work_dir_remove - And itself. */
void work_dir_remove(const char *dir);
