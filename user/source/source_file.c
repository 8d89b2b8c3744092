// SPDX-License-Identifier: Apache-2.0
/*
 * `--source file:PATH`: a List in a file.
 *
 * It watches the directory, not the file: an atomic rename over the file, and
 * the swap of the symbolic link above it that kubelet does for a ConfigMap,
 * show only there. An event starts a short timer, so that a burst is read once.
 * Once a second it compares the file's stat too, for changes that inotify
 * cannot show: the other end of a 9p or NFS mount, the target of a link into
 * another directory, a directory that was itself replaced or is not there yet.
 *
 * A problem (missing, broken, too big) is reported and changes nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "kube/client.h"
#include "loop/handles.h"
#include "source/source_impl.h"

#define SETTLE_MS 50
#define POLL_MS 1000
#define FILE_MAX (256L << 20)

/* How often in a row a file that is being written may postpone the reading. */
#define TORN_MAX 20

/* Two writes within one tick of the kernel's clock can leave the same stat. 100
 * Hz is the slowest tick there is. */
#define TICK_NS 20000000LL

struct source_file {
	struct source base;
	char *path, *dir, *name, *node;
	uv_fs_event_t watch;
	uv_timer_t settle, poll;
	struct handles handles;
	bool watching, stale;
	dev_t dir_dev; /* what is watched */
	ino_t dir_ino;
	bool force; /* read again, whatever stat says */
	bool have_stat;
	struct stat last; /* of the content that was read */
	unsigned int torn;
};

static void check(struct source_file *f);

static void on_settle(uv_timer_t *timer)
{
	check(timer->data);
}

/* Further events do not push the timer back: in a busy directory it would never
 * fire. */
static void check_soon(struct source_file *f, unsigned int ms)
{
	if (!f->base.closed && !uv_is_active((uv_handle_t *)&f->settle))
		uv_timer_start(&f->settle, on_settle, ms, 0);
}

/* ---- reading --------------------------------------------------------------
 */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) &&
	       same_time(&a->st_ctim, &b->st_ctim);
}

static void problem(struct source_file *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void problem(struct source_file *f, const char *fmt, ...)
{
	char text[256];
	_buf_ struct buf b = {};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&b, "%s: %s", f->path, text);
	source_set_problem(&f->base, b.data ? b.data : text);
	/* Read whatever is there next. */
	f->have_stat = false;
}

static bool good_file(struct source_file *f, const struct stat *st)
{
	if (S_ISREG(st->st_mode) && st->st_size <= FILE_MAX)
		return true;
	if (S_ISREG(st->st_mode))
		problem(f, "%lld bytes are too many: at most %ld are read",
			(long long)st->st_size, FILE_MAX);
	else
		problem(f, "%s, expected a regular file",
			S_ISDIR(st->st_mode)	? "it is a directory"
			: S_ISFIFO(st->st_mode) ? "it is a FIFO"
						: "it is a device or socket");
	return false;
}

/* Up to @size bytes. Return: their number or a negative errno. */
static ssize_t read_all(int fd, char *data, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, data + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
	}
	return len;
}

static bool is_racy(const struct stat *st)
{
	struct timespec now;
	long long age;

	clock_gettime(CLOCK_REALTIME, &now);
	if (llabs((long long)now.tv_sec - st->st_mtim.tv_sec) > 1)
		return false;
	age = (now.tv_sec - st->st_mtim.tv_sec) * 1000000000LL +
	      (now.tv_nsec - st->st_mtim.tv_nsec);
	return llabs(age) < TICK_NS;
}

static void read_file(struct source_file *f)
{
	_free_ char *data = NULL;
	_close_ int fd = -1;
	struct stat before, after;
	ssize_t len;

	/* The caller saw a regular file; if it is a FIFO by now, opening it
	 * must not block. */
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &before)) {
		problem(f, "%s", strerror(errno));
		return;
	}
	if (!good_file(f, &before))
		return;
	data = malloc(before.st_size + 1);
	len = data ? read_all(fd, data, before.st_size) : -ENOMEM;
	if (len < 0) {
		problem(f, "%s", strerror(-len));
		return;
	}
	if ((fstat(fd, &after) || !same_stat(&before, &after)) &&
	    f->torn++ < TORN_MAX) {
		f->force = true;
		check_soon(f, SETTLE_MS);
		return;
	}
	f->torn = 0;
	f->last = before;
	f->have_stat = !is_racy(&before);
	source_decode(&f->base, f->path, f->node, data, len);
}

static void check(struct source_file *f)
{
	bool force = f->force;
	struct stat st;

	f->force = false;
	if (stat(f->path, &st)) {
		problem(f, "%s", strerror(errno));
		return;
	}
	if (!force && f->have_stat && same_stat(&st, &f->last))
		return;
	if (good_file(f, &st))
		read_file(f);
}

/* ---- watching -------------------------------------------------------------
 */

static void on_event(uv_fs_event_t *watch, const char *name, int events,
		     int status)
{
	struct source_file *f = watch->data;
	const char *slash = strrchr(f->dir, '/');

	/* An event for the file itself means more than its stat. Others in the
	 * directory may concern it too: a link on the way to it. */
	if (!name || !strcmp(name, f->name))
		f->force = true;
	/* When the directory itself goes libuv gives its name. The next one may
	 * have the same inode number, so this is the only sign. */
	if (!name || !strcmp(name, slash ? slash + 1 : f->dir))
		f->stale = true;
	check_soon(f, SETTLE_MS);
}

/* Watch the directory that exists now. Without one the poll goes on trying;
 * check() reports the problem. */
static void watch_dir(struct source_file *f)
{
	struct stat st;
	bool there = !stat(f->dir, &st);

	if (there && f->watching && !f->stale && st.st_dev == f->dir_dev &&
	    st.st_ino == f->dir_ino)
		return;
	if (f->watching)
		uv_fs_event_stop(&f->watch);
	f->stale = false;
	f->watching =
		there && !uv_fs_event_start(&f->watch, on_event, f->dir, 0);
	if (!f->watching)
		return;
	f->dir_dev = st.st_dev;
	f->dir_ino = st.st_ino;
	check_soon(f, 0);
}

static void on_poll(uv_timer_t *timer)
{
	struct source_file *f = timer->data;

	watch_dir(f);
	check_soon(f, 0);
}

/* ---- opening and closing --------------------------------------------------
 */

static void file_free(void *source)
{
	struct source_file *f = source;

	source_clear(&f->base);
	free(f->path);
	free(f->dir);
	free(f->name);
	free(f->node);
	free(f);
}

static void file_close(struct source *s)
{
	struct source_file *f = (struct source_file *)s;

	handles_close(&f->handles, &f->watch);
	handles_close(&f->handles, &f->settle);
	handles_close(&f->handles, &f->poll);
	handles_free(&f->handles, file_free, f);
}

static void file_reread(struct source *s)
{
	struct source_file *f = (struct source_file *)s;

	f->force = true;
	check_soon(f, 0);
}

static const struct source_ops file_ops = {
	.close = file_close,
	.reread = file_reread,
};

/* Split "dir/name": dirname() and basename() write into their arguments. */
static int copy_names(struct source_file *f, const char *path, const char *node)
{
	_free_ char *for_dir = strdup(path), *for_name = strdup(path);

	f->path = strdup(path);
	if (for_dir)
		f->dir = strdup(dirname(for_dir));
	if (for_name)
		f->name = strdup(basename(for_name));
	if (node)
		f->node = strdup(node);
	return f->path && f->dir && f->name && (f->node || !node) ? 0 : -ENOMEM;
}

int source_file_open(uv_loop_t *loop, const char *path,
		     const struct kube_options *opt,
		     const struct source_events *events, struct source **out)
{
	struct source_file *f;
	int err;

	if (!*path)
		return log_refuse("source file: expected a path");
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	if (copy_names(f, path, opt ? opt->node : NULL)) {
		file_free(f);
		return -ENOMEM;
	}
	f->base.ops = &file_ops;
	f->base.events = *events;
	f->watch.data = f->settle.data = f->poll.data = f;
	/* These two only fill in the handle. */
	uv_timer_init(loop, &f->settle);
	uv_timer_init(loop, &f->poll);
	uv_fs_event_init(loop, &f->watch);
	watch_dir(f);
	check_soon(f, 0);
	err = uv_timer_start(&f->poll, on_poll, POLL_MS, POLL_MS);
	if (err) {
		source_close(&f->base);
		return log_err(err, "source file %s", path);
	}
	*out = &f->base;
	return 0;
}
