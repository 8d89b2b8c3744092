/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of the test's own, for made-up /proc and cgroup trees. Include it
 * after unit.h. */
#pragma once

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_top[] = "/tmp/test_tree.XXXXXX";

/* at - @path in the tree. The last eight answers stay valid. */
static inline const char *at(const char *path)
{
	static char room[8][4096];
	static unsigned int next;
	char *to = room[next++ % 8];

	snprintf(to, sizeof(room[0]), "%s/%s", tree_top, path);
	return to;
}

/* make_dirs - @path and what is missing above it. */
static inline void make_dirs(const char *path)
{
	char part[4096];

	snprintf(part, sizeof(part), "%s", at(path));
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(part, 0755);
		*p = '/';
	}
	mkdir(part, 0755);
}

/* write_text - The file @path, and its directory. */
static inline void write_text(const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	char dir[2048];
	FILE *f;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0,
		 path);
	make_dirs(dir);
	f = fopen(at(path), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static inline int tree_remove_entry(const char *path, const struct stat *st,
				    int type, struct FTW *ftw)
{
	return remove(path);
}

/* remove_tree - @path and all below it. */
static inline int remove_tree(const char *path)
{
	return nftw(at(path), tree_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* For cmocka's groups and tests. */
static inline int tree_make(void **state)
{
	return mkdtemp(tree_top) ? 0 : -1;
}

static inline int tree_remove(void **state)
{
	return remove_tree("");
}

static inline int tree_empty(void)
{
	remove_tree("");
	return mkdir(tree_top, 0755);
}
