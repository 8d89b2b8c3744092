// SPDX-License-Identifier: Apache-2.0
#include "base/tar.h"

#include <string.h>

#define BLOCK 512

/* A header block: octal numbers in ASCII. */
struct header {
	char name[TAR_NAME_MAX];
	char mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8];
	char typeflag;
	char linkname[100];
	char magic[6], version[2];
	char uname[32], gname[32], devmajor[8], devminor[8];
	char prefix[TAR_DIR_MAX];
	char pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

/* The field's digits, and a NUL behind them. */
static void put_octal(char *field, size_t size, unsigned long long n)
{
	field[size - 1] = '\0';
	for (size_t i = size - 1; i-- > 0; n >>= 3)
		field[i] = '0' + (n & 7);
}

/* The sum of all bytes, with blanks in the place of the sum. */
static void put_sum(struct header *h)
{
	const unsigned char *p = (unsigned char *)h;
	unsigned int sum = 0;

	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += p[i];
	put_octal(h->chksum, sizeof(h->chksum) - 1, sum);
}

/* A field that is full has no NUL. */
static int put_text(char *field, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (!len || len > size)
		return -ENAMETOOLONG;
	memcpy(field, text, len);
	return 0;
}

static int put(FILE *to, const void *data, size_t len)
{
	errno = 0;
	if (fwrite(data, 1, len, to) == len)
		return 0;
	return errno ? -errno : -EIO;
}

int tar_add(FILE *to, const char *dir, const char *name, const void *data,
	    size_t len, long long when)
{
	static const char zero[BLOCK];
	struct header h = {.typeflag = '0', .magic = "ustar"};
	int err;

	if (len >> 33)
		return -EFBIG;
	err = put_text(h.name, sizeof(h.name), name)
		      ?: put_text(h.prefix, sizeof(h.prefix), dir);
	if (err)
		return err;
	memcpy(h.version, "00", 2);
	put_octal(h.mode, sizeof(h.mode), 0600);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), len);
	put_octal(h.mtime, sizeof(h.mtime), when > 0 ? when : 0);
	put_sum(&h);
	return put(to, &h, sizeof(h)) ?:
	       put(to, data, len) ?:
	       put(to, zero, -len % BLOCK);
}

int tar_end(FILE *to)
{
	static const char zero[2 * BLOCK];
	int err = put(to, zero, sizeof(zero));

	errno = 0;
	if (!err && (fflush(to) || ferror(to)))
		err = errno ? -errno : -EIO;
	return err;
}
