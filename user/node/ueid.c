// SPDX-License-Identifier: Apache-2.0
/*
 * RUN/ueid gets the name before the kernel does: an agent that dies in between
 * leaves a line too many, which costs nothing; the other order could leave a
 * UEID in the kernel that nobody removes.
 */
#include "node/ueid.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "mesh/model.h"
#include "node/smc.h"

static void path_of(const char *run, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/ueid", run);
}

/* Drop lines that are not a UEID: we write none. */
static int ours_read(const char *run, struct smc_ueids *out)
{
	char path[PATH_MAX], line[SMC_UEID_LEN + 2];
	_fclose_ FILE *f = NULL;

	out->n = 0;
	path_of(run, path);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (out->n < array_size(out->v) && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (mesh_ueid_valid(line) && !smc_ueid_has(out, line))
			strcpy(out->v[out->n++], line);
	}
	return 0;
}

static int ours_write(const char *run, const struct smc_ueids *ours)
{
	char path[PATH_MAX], tmp[PATH_MAX + 4];
	FILE *f;
	int err;

	path_of(run, path);
	if (!ours->n)
		return unlink(path) && errno != ENOENT ? -errno : 0;
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "we");
	if (!f)
		return -errno;
	for (unsigned int i = 0; i < ours->n; i++)
		fprintf(f, "%s\n", ours->v[i]);
	if (fclose(f))
		return -errno;
	err = rename(tmp, path) ? -errno : 0;
	return err;
}

static void forget(struct smc_ueids *ours, const char *ueid)
{
	struct smc_ueids left = {};

	for (unsigned int i = 0; i < ours->n; i++)
		if (strcmp(ours->v[i], ueid))
			strcpy(left.v[left.n++], ours->v[i]);
	*ours = left;
}

static int add(const char *run, struct smc_ueids *ours, const char *ueid)
{
	int err;

	if (!smc_ueid_has(ours, ueid)) {
		if (ours->n == array_size(ours->v))
			return -ERANGE;
		strcpy(ours->v[ours->n++], ueid);
		err = ours_write(run, ours);
		if (err)
			return err;
	}
	err = smc_ueid_add(ueid);
	if (err == 1)
		return 0;
	/* The kernel refused it, or someone else added it first: it is not
	 * ours. */
	forget(ours, ueid);
	return ours_write(run, ours) ?: err;
}

/* Remove ours except @keep (NULL: none). One that the kernel does not remove
 * stays ours, for the next try. */
static int drop(struct smc_ueids *ours, const char *keep, struct buf *said)
{
	struct smc_ueids left = {};
	int ret = 0;

	for (unsigned int i = 0; i < ours->n; i++) {
		const char *ueid = ours->v[i];
		bool kept = keep && !strcmp(ueid, keep);
		int err = kept ? 0 : smc_ueid_remove(ueid);

		if (err == 1)
			buf_printf(said, "removed UEID %s\n", ueid);
		if (err < 0 && err != -ENOENT) {
			buf_printf(said, "left UEID %s: %s\n", ueid,
				   strerror(-err));
			ret = ret ?: err;
			kept = true;
		}
		if (kept)
			strcpy(left.v[left.n++], ueid);
	}
	*ours = left;
	return ret;
}

int ueid_ensure(const char *run, const char *ueid)
{
	struct smc_ueids kernel, ours;
	_buf_ struct buf said = {};
	unsigned int before;
	int err, ret;

	err = smc_ueid_list(&kernel) ?: ours_read(run, &ours);
	if (err)
		return err;
	if (!smc_ueid_has(&kernel, ueid)) {
		err = add(run, &ours, ueid);
		if (err)
			return err;
	}
	before = ours.n;
	ret = drop(&ours, ueid, &said);
	err = ours.n != before ? ours_write(run, &ours) : 0;
	return ret ?: err;
}

int ueid_forget(const char *run, struct buf *said)
{
	struct smc_ueids ours;
	int ret, err;

	ret = ours_read(run, &ours);
	if (ret)
		return ret;
	ret = drop(&ours, NULL, said);
	err = ours_write(run, &ours);
	return ret ?: err;
}

int ueid_left(const char *run, struct buf *said)
{
	struct smc_ueids kernel, ours;
	int n = 0, err = ours_read(run, &ours);

	if (err || !ours.n)
		return err;
	err = smc_ueid_list(&kernel);
	if (err) /* no SMC, no table */
		return err == -ENOENT ? 0 : err;
	for (unsigned int i = 0; i < ours.n; i++) {
		if (!smc_ueid_has(&kernel, ours.v[i]))
			continue;
		buf_printf(said, "left: UEID %s\n", ours.v[i]);
		n++;
	}
	return n;
}
