// SPDX-License-Identifier: Apache-2.0
#include "node/nic_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "base/array.h"
#include "base/file.h"

#define FILE_NAME "nics"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static int failed(int err, const char *what, const char *path, struct buf *why)
{
	buf_printf(why, "%s %s: %s", what, path, strerror(-err));
	return err;
}

static int read_boot(struct nic_state *s, struct buf *why)
{
	_buf_ struct buf text = {};
	int err = small_file_read(BOOT_ID, &text, why);

	if (err)
		return err;
	snprintf(s->boot, sizeof(s->boot), "%.*s",
		 text.data ? (int)strcspn(text.data, "\n") : 0,
		 text.data ?: "");
	return 0;
}

/* Somebody else's directory could tell what to take away. */
static int take_lock(struct nic_state *s, struct buf *why)
{
	struct stat st;

	if (mkdir(s->dir, 0700) && errno != EEXIST)
		return failed(-errno, "make the directory", s->dir, why);
	s->lock = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0 || fstat(s->lock, &st))
		return failed(-errno, "open", s->dir, why);
	if (st.st_uid != geteuid())
		return failed(-EPERM, "another user owns", s->dir, why);
	if (flock(s->lock, LOCK_EX))
		return failed(-errno, "lock", s->dir, why);
	return 0;
}

static int add(struct nic_state *s, const struct nic_record *r)
{
	struct nic_record *slot = array_push(s->v, s->n);

	if (!slot)
		return -ENOMEM;
	*slot = *r;
	return 0;
}

static int take_lines(struct nic_state *s, char *text, const char *path,
		      struct buf *why)
{
	struct nic_record r;
	char *line;
	int err = 0;

	for (int n = 1; !err && (line = strsep(&text, "\n")); n++) {
		if (!*line)
			continue;
		if (nic_record_parse(line, &r)) {
			buf_printf(
				why,
				"%s is broken in line %d: see by `ip address` what setup did, and remove the file",
				path, n);
			return -EBADMSG;
		}
		if (!strcmp(r.boot, s->boot))
			err = add(s, &r);
	}
	return err;
}

static int load(struct nic_state *s, struct buf *why)
{
	_buf_ struct buf text = {}, error = {};
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/" FILE_NAME, s->dir);
	err = small_file_read(path, &text, &error);
	if (err == -ENOENT || err == -ENOTDIR)
		return 0;
	if (err)
		buf_printf(why, "%s", error.data ?: "no memory");
	return err ?: text.data ? take_lines(s, text.data, path, why) : 0;
}

int nic_state_open(const char *dir, bool write, struct nic_state *out,
		   struct buf *why)
{
	_cleanup_(nic_state_close) struct nic_state s = {.dir = dir,
							 .lock = -1};
	int err = read_boot(&s, why);

	err = err ?: write ? take_lock(&s, why) : 0;
	err = err ?: load(&s, why);
	if (err)
		return err;
	*out = s;
	s = (struct nic_state){.lock = -1};
	return 0;
}

void nic_state_close(struct nic_state *s)
{
	free(s->v);
	if (s->lock >= 0)
		close(s->lock);
	*s = (struct nic_state){.lock = -1};
}

const struct nic_record *nic_state_find(const struct nic_state *s,
					const struct nic *nic)
{
	for (size_t i = 0; i < s->n; i++)
		if (nic_record_is(&s->v[i], nic))
			return &s->v[i];
	return NULL;
}

/* ---- writing ------------------------------------------------------------- */

static int write_file(const char *path, const struct buf *text)
{
	_fclose_ FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	if (fwrite(text->data ?: "", 1, text->len, f) != text->len || fflush(f))
		return errno ? -errno : -EIO;
	return 0;
}

static int save(const struct nic_state *s, struct buf *why)
{
	char path[PATH_MAX], new[PATH_MAX];
	_buf_ struct buf text = {};
	int err = 0;

	for (size_t i = 0; i < s->n && !err; i++)
		err = nic_record_format(&s->v[i], &text);
	snprintf(path, sizeof(path), "%s/" FILE_NAME, s->dir);
	snprintf(new, sizeof(new), "%s/." FILE_NAME ".new", s->dir);
	err = err ?: write_file(new, &text);
	if (!err && rename(new, path))
		err = -errno;
	return err ? failed(err, "write", path, why) : 0;
}

static void forget(struct nic_state *s, unsigned int ifindex)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].ifindex != ifindex)
			s->v[kept++] = s->v[i];
	s->n = kept;
}

int nic_state_put(struct nic_state *s, const struct nic_record *r,
		  struct buf *why)
{
	struct nic_record own = *r;
	int err;

	memcpy(own.boot, s->boot, sizeof(own.boot));
	forget(s, r->ifindex);
	err = add(s, &own);
	return err ?: save(s, why);
}

int nic_state_drop(struct nic_state *s, unsigned int ifindex, struct buf *why)
{
	forget(s, ifindex);
	return save(s, why);
}
