// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_client.h"

#include <limits.h>
#include <string.h>
#include "base/file.h"
#include "cli/bench_json.h"
#include "cli/bench_measure.h"
#include "cli/bench_page.h"
#include "cli/bench_table.h"
#include "cli/command.h"
#include "cli/ending.h"
#include "cli/output.h"
#include "objects/json.h"

#define JSON_FILE "bench.json"
#define PAGE_FILE "bench.html"

/* ---- files --------------------------------------------------------------- */

static int cannot_write(const char *path, int err)
{
	fprintf(stderr, "smcmesh bench: cannot write %s: %s\n", path,
		strerror(-err));
	return err;
}

/* Whole or not at all: by another name first. */
static int write_file(const char *dir, const char *name, const char *text,
		      size_t len)
{
	char path[PATH_MAX], new[PATH_MAX + 8];
	FILE *f;
	int err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "we");
	if (!f)
		return cannot_write(path, -errno);
	errno = 0;
	err = fwrite(text, 1, len, f) != len || fflush(f) ? -(errno ?: EIO) : 0;
	if (fclose(f) && !err)
		err = -errno;
	if (!err && rename(new, path))
		err = -errno;
	if (!err)
		return 0;
	unlink(new);
	return cannot_write(path, err);
}

bool bench_can_show(const struct bench_show *how)
{
	const char *dir = how->directory;

	if (!dir || !access(dir, W_OK | X_OK))
		return true;
	fprintf(stderr,
		"smcmesh bench: --directory %s: %m; expected a directory that can be written to\n",
		dir);
	return false;
}

static int write_files(yyjson_val *root, const char *text, size_t len,
		       const char *dir)
{
	_buf_ struct buf page = {};
	int err;

	if (!dir)
		return 0;
	bench_page(root, &page);
	err = page.err ?: write_file(dir, JSON_FILE, text, len);
	err = err ?: write_file(dir, PAGE_FILE, page.data, page.len);
	if (!err)
		fprintf(stderr,
			"smcmesh bench: %s/" JSON_FILE " and %s/" PAGE_FILE
			" are written\n",
			dir, dir);
	return err;
}

/* ---- results ------------------------------------------------------------- */

/* What was measured is shown even if it could not be kept. */
static int show(const struct bench_plan *plan, const struct bench_result *r,
		const struct bench_show *how)
{
	size_t len = 0;
	_free_ char *text = bench_json(plan, r, &len);
	_doc_ yyjson_doc *doc = text ? yyjson_read(text, len, 0) : NULL;
	yyjson_val *root = yyjson_doc_get_root(doc);

	if (!root) {
		fprintf(stderr, "smcmesh bench: out of memory\n");
		return -ENOMEM;
	}
	if (how->json && data_print(text, len))
		return -ENOMEM;
	if (!how->json)
		bench_table(root, stdout);
	return write_files(root, text, len, how->directory);
}

static int measure_and_show(const struct bench_plan *plan,
			    const struct bench_show *how,
			    struct bench_result *r)
{
	int err = bench_measure(plan, r);

	if (err == -EINTR || (err && !r->rounds))
		return EXIT_UNTOLD;
	if (show(plan, r, how) || err)
		return EXIT_FAILED;
	return r->verdict == BENCH_SAID ? EXIT_OK : EXIT_FAILED;
}

int bench_client(const struct bench_plan *plan, const struct bench_show *how)
{
	struct bench_result *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return EXIT_UNTOLD;
	ret = measure_and_show(plan, how, r);
	bench_result_free(r);
	free(r);
	return ret;
}

int bench_redraw(const char *path)
{
	_buf_ struct buf text = {}, why = {}, page = {};
	_doc_ yyjson_doc *doc = NULL;

	if (small_file_read(path, &text, &why)) {
		fprintf(stderr, "smcmesh bench: %s\n", why.data ?: path);
		return EXIT_FAILED;
	}
	doc = yyjson_read(text.data ?: "", text.len, 0);
	if (!doc)
		buf_printf(&why, "it is no JSON");
	if (!doc || bench_json_check(yyjson_doc_get_root(doc), &why)) {
		fprintf(stderr,
			"smcmesh bench: %s is no result of smcmesh bench client: %s\n",
			path, why.data ?: "");
		return EXIT_FAILED;
	}
	bench_page(yyjson_doc_get_root(doc), &page);
	if (page.err)
		return EXIT_FAILED;
	fwrite(page.data, 1, page.len, stdout);
	return EXIT_OK;
}
