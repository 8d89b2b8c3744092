// SPDX-License-Identifier: Apache-2.0
#include "base/pins.h"

#include <bpf/bpf.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/fault.h"

/* The kernel's names for its descriptors (kernel/bpf/syscall.c): a link is
 * bpf_link for its maker and bpf-link for those who open its pin. */
static const struct {
	const char *text;
	enum pin_kind kind;
} kinds[] = {
	{"anon_inode:bpf-map", PIN_MAP},
	{"anon_inode:bpf-link", PIN_LINK},
	{"anon_inode:bpf_link", PIN_LINK},
	{"anon_inode:bpf-prog", PIN_PROG},
};

int pin_path(char out[PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The kind of object behind a BPF descriptor. */
static enum pin_kind pin_kind_of(int fd)
{
	char link[64], text[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, sizeof(text) - 1);
	if (n < 0)
		return PIN_OTHER;
	text[n] = '\0';
	for (size_t i = 0; i < array_size(kinds); i++)
		if (!strcmp(text, kinds[i].text))
			return kinds[i].kind;
	return PIN_OTHER;
}

int pin_open(const char *dir, const char *name, enum pin_kind want)
{
	char path[PATH_MAX];
	_close_ int fd = -1;
	int err;

	err = pin_path(path, dir, name);
	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	return pin_kind_of(fd) == want ? take_fd(fd) : -EMEDIUMTYPE;
}

int pin_id(int fd, enum pin_kind kind, __u32 *id)
{
	struct bpf_map_info map = {};
	struct bpf_link_info link = {};
	struct bpf_prog_info prog = {};
	__u32 len;
	int err;

	switch (kind) {
	case PIN_MAP:
		len = sizeof(map);
		err = bpf_map_get_info_by_fd(fd, &map, &len);
		*id = map.id;
		return err;
	case PIN_LINK:
		len = sizeof(link);
		err = bpf_link_get_info_by_fd(fd, &link, &len);
		*id = link.id;
		return err;
	case PIN_PROG:
		len = sizeof(prog);
		err = bpf_prog_get_info_by_fd(fd, &prog, &len);
		*id = prog.id;
		return err;
	default:
		return -EMEDIUMTYPE;
	}
}

int pin_is(const char *dir, const char *name, int fd)
{
	enum pin_kind kind = pin_kind_of(fd);
	_close_ int there = -1;
	__u32 a, b;
	int err;

	there = pin_open(dir, name, kind);
	if (there == -EMEDIUMTYPE)
		return 0;
	if (there < 0)
		return there;
	err = pin_id(fd, kind, &a);
	err = err ?: pin_id(there, kind, &b);
	return err ?: a == b;
}

/* What a pin is called before it gets its name. */
#define FRESH "_new"

/* The path where a pin is made before it gets its name. */
static int fresh_path(char fresh[PATH_MAX], const char *dir, const char *name)
{
	int len = snprintf(fresh, PATH_MAX, "%s/%s" FRESH, dir, name);

	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int pin_put(int fd, const char *dir, const char *name)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int err;

	err = pin_path(path, dir, name) ?: fresh_path(fresh, dir, name);
	if (err)
		return err;
	/* An agent that died right here may have left one. */
	if (unlink(fresh) && errno != ENOENT)
		return -errno;
	fault_point("pin:before");
	err = bpf_obj_pin(fd, fresh);
	if (err)
		return err;
	fault_point("pin:fresh");
	if (!rename(fresh, path))
		return 0;
	err = -errno;
	unlink(fresh);
	return err;
}

bool pin_is_named(const char *pin, const char *name)
{
	size_t len = strlen(name);

	return len && !strncmp(pin, name, len) &&
	       (!pin[len] || !strcmp(pin + len, FRESH));
}

bool pin_is_half_made(const char *pin)
{
	size_t len = strlen(pin), end = strlen(FRESH);

	return len > end && !strcmp(pin + len - end, FRESH);
}

static int drop_path(const char *path)
{
	if (!unlink(path))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

int pin_drop(const char *dir, const char *name)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int err, half, whole;

	err = pin_path(path, dir, name) ?: fresh_path(fresh, dir, name);
	if (err)
		return err;
	half = drop_path(fresh);
	whole = drop_path(path);
	if (half < 0 || whole < 0)
		return half < 0 ? half : whole;
	return half || whole;
}

int pin_dir_make(const char *dir)
{
	struct stat st;

	if (!mkdir(dir, 0700))
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(dir, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

struct names {
	char **v;
	size_t n;
};

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

/* @dirs: list the directories, or all others. */
static int names_read(const char *dir, bool dirs, struct names *out)
{
	_closedir_ DIR *d = opendir(dir);
	struct dirent *e;
	char **slot;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		if ((e->d_type == DT_DIR) != dirs || e->d_name[0] == '.')
			continue;
		slot = array_push(out->v, out->n);
		if (!slot)
			return -ENOMEM;
		*slot = strdup(e->d_name);
		if (!*slot)
			return -ENOMEM;
	}
	return 0;
}

static int each(const char *dir, bool dirs, pin_fn fn, void *arg)
{
	_cleanup_(names_free) struct names names = {};
	int err;

	err = names_read(dir, dirs, &names);
	for (size_t i = 0; !err && i < names.n; i++)
		err = fn(dir, names.v[i], arg);
	return err;
}

int pin_each(const char *dir, pin_fn fn, void *arg)
{
	return each(dir, false, fn, arg);
}

int pin_each_dir(const char *dir, pin_fn fn, void *arg)
{
	return each(dir, true, fn, arg);
}
