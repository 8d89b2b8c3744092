/* SPDX-License-Identifier: Apache-2.0 */
/* A directory for a test's files, gone with tmpdir_remove(). */
#pragma once

#include "unit.h"

#include <ftw.h>
#include <unistd.h>

struct tmpdir {
	char dir[64];
};

static inline void tmpdir_make(struct tmpdir *t)
{
	strcpy(t->dir, "/tmp/smcmesh-test-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
}

static inline int tmpdir_remove_one(const char *path, const struct stat *st,
				    int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void tmpdir_remove(struct tmpdir *t)
{
	nftw(t->dir, tmpdir_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* tmpdir_at - The path of @name in it; good for the next few calls. */
static inline const char *tmpdir_at(const struct tmpdir *t, const char *name)
{
	static char path[8][256];
	static unsigned int next;
	char *p = path[next++ % 8];

	snprintf(p, 256, "%s/%s", t->dir, name);
	return p;
}

/* tmpdir_put - A file, by rename over the old one. Return: its path. */
static inline const char *tmpdir_put(const struct tmpdir *t, const char *name,
				     const char *text)
{
	const char *path = tmpdir_at(t, name), *tmp = tmpdir_at(t, ".new");
	FILE *f = fopen(tmp, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(tmp, path), 0);
	return path;
}
