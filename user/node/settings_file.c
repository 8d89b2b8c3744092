// SPDX-License-Identifier: Apache-2.0
/*
 * netns 4026532211
 * sysctl wmem 65536 131072
 * nic eth0 SMCMESH0A1B2C3D
 * device rxe0 1 SMCMESH0A1B2C3D
 *
 * (a sysctl's value before us, and ours)
 */
#include "node/settings_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/array.h"
#include "base/file.h"

static void path_of(const struct settings_file *f, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" SETTINGS_DIR "/%llu", f->run,
		 (unsigned long long)f->cookie);
}

/* ---- entries ------------------------------------------------------------- */

static bool same_place(const struct mesh_pnet_entry *a,
		       const struct mesh_pnet_entry *b)
{
	return !strcmp(a->nic, b->nic) && !strcmp(a->device, b->device) &&
	       a->port == b->port;
}

bool settings_has(const struct settings_file *f,
		  const struct mesh_pnet_entry *e)
{
	for (size_t i = 0; i < f->pnet.n; i++)
		if (same_place(&f->pnet.v[i], e) &&
		    !strcmp(f->pnet.v[i].id, e->id))
			return true;
	return false;
}

void settings_drop(struct settings_file *f, const struct mesh_pnet_entry *e)
{
	const struct mesh_pnet_entry place = *e; /* @e may be one of these */
	size_t kept = 0;

	for (size_t i = 0; i < f->pnet.n; i++)
		if (!same_place(&f->pnet.v[i], &place))
			f->pnet.v[kept++] = f->pnet.v[i];
	f->pnet.n = kept;
}

int settings_note(struct settings_file *f, const struct mesh_pnet_entry *e)
{
	struct mesh_pnet_entry *slot;

	settings_drop(f, e);
	slot = array_push(f->pnet.v, f->pnet.n);
	if (!slot)
		return -ENOMEM;
	*slot = *e;
	return 0;
}

bool settings_empty(const struct settings_file *f)
{
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		if (f->sysctl[i].ours != MESH_SYSCTL_NONE)
			return false;
	return !f->pnet.n;
}

/* ---- reading ------------------------------------------------------------- */

static void take_sysctl(const char *line, struct settings_file *f)
{
	struct mesh_sysctl_record r;
	char name[32];

	if (sscanf(line, "sysctl %31s %lld %lld", name, &r.before, &r.ours) !=
	    3)
		return;
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		if (!strcmp(name, mesh_sysctls[i].name))
			f->sysctl[i] = r;
}

/* Return: 0 or -ENOMEM. */
static int take_line(const char *line, struct settings_file *f)
{
	struct mesh_pnet_entry e = {};
	unsigned long long inode;

	if (!f->inode && sscanf(line, "netns %llu", &inode) == 1)
		f->inode = inode;
	take_sysctl(line, f);
	if (sscanf(line, "nic %15s %16s", e.nic, e.id) == 2 ||
	    sscanf(line, "device %63s %u %16s", e.device, &e.port, e.id) == 3)
		return settings_note(f, &e);
	return 0;
}

int settings_open(const char *run, __u64 cookie, __u64 inode,
		  struct settings_file *out)
{
	_cleanup_(settings_close) struct settings_file f = {
		.run = run, .cookie = cookie, .inode = inode};
	_buf_ struct buf text = {}, why = {};
	char path[PATH_MAX], *rest, *line;
	int err;

	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		f.sysctl[i].ours = MESH_SYSCTL_NONE;
	path_of(&f, path);
	err = small_file_read(path, &text, &why);
	if (err == -ENOENT || err == -ENOTDIR)
		err = 0;
	rest = text.data;
	while (!err && (line = strsep(&rest, "\n")))
		err = take_line(line, &f);
	if (err)
		return err;
	*out = f;
	f.pnet = (struct mesh_pnet_table){};
	return 0;
}

void settings_close(struct settings_file *f)
{
	free(f->pnet.v);
	f->pnet = (struct mesh_pnet_table){};
}

/* ---- writing ------------------------------------------------------------- */

static void put(FILE *to, const struct settings_file *f)
{
	fprintf(to, "netns %llu\n", (unsigned long long)f->inode);
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		if (f->sysctl[i].ours != MESH_SYSCTL_NONE)
			fprintf(to, "sysctl %s %lld %lld\n",
				mesh_sysctls[i].name, f->sysctl[i].before,
				f->sysctl[i].ours);
	for (size_t i = 0; i < f->pnet.n; i++) {
		const struct mesh_pnet_entry *e = &f->pnet.v[i];

		if (*e->nic)
			fprintf(to, "nic %s %s\n", e->nic, e->id);
		else
			fprintf(to, "device %s %u %s\n", e->device, e->port,
				e->id);
	}
}

int settings_save(const struct settings_file *f)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8];
	FILE *to;

	path_of(f, path);
	if (settings_empty(f))
		return unlink(path) && errno != ENOENT ? -errno : 0;
	snprintf(fresh, sizeof(fresh), "%s/" SETTINGS_DIR, f->run);
	if (mkdir(fresh, 0700) && errno != EEXIST)
		return -errno;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	to = fopen(fresh, "we");
	if (!to)
		return -errno;
	put(to, f);
	if (fclose(to))
		return -errno;
	return rename(fresh, path) ? -errno : 0;
}
