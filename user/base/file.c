// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int small_file_read(const char *path, struct buf *out, struct buf *error)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char part[4096];
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && out->len <= SMALL_FILE_MAX) {
		n = read(fd, part, sizeof(part));
		if (n > 0 && buf_add(out, part, n))
			return -ENOMEM;
	}
	if (n < 0) {
		int err = -errno;

		buf_printf(error, "%s: %s", path, strerror(-err));
		return err;
	}
	if (out->len <= SMALL_FILE_MAX)
		return 0;
	buf_printf(error, "%s: more than %ld bytes", path, SMALL_FILE_MAX);
	return -EFBIG;
}
