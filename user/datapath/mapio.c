// SPDX-License-Identifier: Apache-2.0
#include "datapath/mapio.h"

#include <bpf/bpf.h>
#include <stdbool.h>
#include <string.h>

/* The kernel's own ENOTSUPP: its answer for a map type without batches
 * (BPF_DO_BATCH() in kernel/bpf/syscall.c). */
#define KERNEL_ENOTSUPP 524

#define BATCH 8192U
#define BATCH_BYTES (2U << 20)
#define KEY_MAX 64 /* bytes; more than any of our keys */

/* Older kernels have no batches at all: EINVAL. */
static bool no_batches(int err)
{
	return err == -KERNEL_ENOTSUPP || err == -EOPNOTSUPP || err == -EINVAL;
}

/* Keys and values in two arrays, as the batch calls need them. */
struct columns {
	unsigned char *keys, *values;
	__u32 room;
};

static void columns_free(struct columns *c)
{
	free(c->keys);
	free(c->values);
}

static int columns_room(struct columns *c, const struct rows *r, __u32 room)
{
	unsigned char *p;

	p = reallocarray(c->keys, room, r->key_size);
	if (!p)
		return -ENOMEM;
	c->keys = p;
	p = reallocarray(c->values, room, r->value_size);
	if (!p)
		return -ENOMEM;
	c->values = p;
	c->room = room;
	return 0;
}

static int add_row(const void *key, const void *value, void *arg)
{
	return rows_add(arg, key, value);
}

/* How many rows go at once: a row may hold values of every CPU. */
static __u32 batch_of(const struct rows *r)
{
	size_t n = BATCH_BYTES / (r->key_size + r->value_size);

	return n < BATCH ? n + 1 : BATCH;
}

/* @none: set if the kernel has no batches for it: then @fn got nothing, and
 *        there is no error. */
static int read_batches(int fd, const struct rows *shape, map_row_fn fn,
			void *arg, bool *none)
{
	_cleanup_(columns_free) struct columns c = {};
	/* A bucket number for hash maps, a key for all others. */
	unsigned char pos[KEY_MAX];
	bool first = true;
	int err, ended = 0;
	__u32 n;

	err = columns_room(&c, shape, batch_of(shape));
	while (!err) {
		n = c.room;
		err = bpf_map_lookup_batch(fd, first ? NULL : pos, pos, c.keys,
					   c.values, &n, NULL);
		/* One bucket has more rows than there is room for: n is 0. */
		if (err == -ENOSPC) {
			err = columns_room(&c, shape, 2 * c.room);
			continue;
		}
		*none = first && no_batches(err);
		if (err && err != -ENOENT)
			return *none ? 0 : err;
		for (__u32 i = 0; !ended && i < n; i++)
			ended = fn(c.keys + i * shape->key_size,
				   c.values + i * shape->value_size, arg);
		if (ended)
			return ended;
		first = false;
	}
	return err == -ENOENT ? 0 : err;
}

/* If a key vanishes between two calls the walk starts again at the first one,
 * so it may see rows twice; sorting removes those. @most bounds it. */
static int read_each(int fd, struct rows *out, size_t most)
{
	_free_ unsigned char *value = malloc(out->value_size);
	unsigned char key[KEY_MAX], next[KEY_MAX];
	bool first = true;
	int err = value ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < most; i++) {
		err = bpf_map_get_next_key(fd, first ? NULL : key, next);
		if (err)
			break;
		first = false;
		memcpy(key, next, out->key_size);
		err = bpf_map_lookup_elem(fd, key, value);
		if (!err)
			err = rows_add(out, key, value);
		else if (err == -ENOENT)
			err = 0;
	}
	return err == -ENOENT ? 0 : err;
}

int map_read(int fd, struct rows *out)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	bool none = false;
	int err;

	out->n = 0;
	if (out->key_size > KEY_MAX)
		return -EINVAL;
	err = read_batches(fd, out, add_row, out, &none);
	if (none) {
		err = bpf_map_get_info_by_fd(fd, &info, &len);
		err = err ?: read_each(fd, out, 4 * (size_t)info.max_entries);
	}
	rows_sort(out);
	return err;
}

int map_walk(int fd, const struct rows *shape, map_row_fn fn, void *arg)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = shape->key_size, .value_size = shape->value_size};
	bool none = false;
	int err = -EINVAL;

	if (shape->key_size <= KEY_MAX)
		err = read_batches(fd, shape, fn, arg, &none);
	if (!none)
		return err;
	err = map_read(fd, &rows);
	for (size_t i = 0; !err && i < rows.n; i++)
		err = fn(rows_key(&rows, i), rows_value(&rows, i), arg);
	return err;
}

static void rows_to_columns(const struct rows *r, size_t from, __u32 n,
			    struct columns *c)
{
	for (__u32 i = 0; i < n; i++) {
		memcpy(c->keys + i * r->key_size, rows_key(r, from + i),
		       r->key_size);
		memcpy(c->values + i * r->value_size, rows_value(r, from + i),
		       r->value_size);
	}
}

static void keep_first(int *err, int e)
{
	if (e && !*err)
		*err = e;
}

enum write_op { OP_PUT, OP_DELETE };

static int do_batch(int fd, enum write_op op, const struct rows *r,
		    const struct columns *c, __u32 from, __u32 *n)
{
	const void *keys = c->keys + from * r->key_size;

	if (op == OP_DELETE)
		return bpf_map_delete_batch(fd, keys, n, NULL);
	return bpf_map_update_batch(fd, keys, c->values + from * r->value_size,
				    n, NULL);
}

static int do_one(int fd, enum write_op op, const struct rows *r,
		  const struct columns *c, __u32 i)
{
	const void *key = c->keys + i * r->key_size;

	if (op == OP_DELETE)
		return bpf_map_delete_elem(fd, key);
	return bpf_map_update_elem(fd, key, c->values + i * r->value_size,
				   BPF_ANY);
}

/* Judge the error of the row on which a call stopped. */
static void judge(int e, unsigned int *full, int *err)
{
	/* A full hash returns E2BIG, a full trie ENOSPC
	 * (trie_update_elem()). */
	if (e == -E2BIG || e == -ENOSPC)
		++*full;
	else if (e != -ENOENT)
		keep_first(err, e);
}

/* A batch stops at the first row that fails; judge and skip that one. */
static size_t write_columns(int fd, enum write_op op, const struct rows *r,
			    const struct columns *c, __u32 n,
			    unsigned int *full, int *err)
{
	size_t did = 0;
	__u32 i = 0, count;
	int e;

	while (i < n) {
		count = n - i;
		e = do_batch(fd, op, r, c, i, &count);
		/* If there are batches the kernel has lowered count. */
		if (no_batches(e) && count == n - i) {
			count = 0;
			e = do_one(fd, op, r, c, i);
			count += !e;
		}
		did += count;
		i += count;
		if (e) {
			judge(e, full, err);
			i++;
		}
	}
	return did;
}

static size_t write_rows(int fd, enum write_op op, const struct rows *r,
			 size_t from, size_t to, unsigned int *full, int *err)
{
	_cleanup_(columns_free) struct columns c = {};
	const __u32 most = batch_of(r);
	size_t did = 0;
	__u32 n;

	if (from < to && columns_room(&c, r, most)) {
		keep_first(err, -ENOMEM);
		return 0;
	}
	for (size_t i = from; i < to; i += n) {
		n = to - i < most ? to - i : most;
		rows_to_columns(r, i, n, &c);
		did += write_columns(fd, op, r, &c, n, full, err);
	}
	return did;
}

size_t map_write(int fd, const struct rows *r, size_t from, size_t to,
		 unsigned int *full, int *err)
{
	return write_rows(fd, OP_PUT, r, from, to, full, err);
}

size_t map_delete(int fd, const struct rows *r, int *err)
{
	unsigned int full = 0;

	return write_rows(fd, OP_DELETE, r, 0, r->n, &full, err);
}

int map_lacks(int fd, const struct rows *want, struct rows *out)
{
	_cleanup_(rows_free) struct rows have = {
		.key_size = want->key_size, .value_size = want->value_size};
	_cleanup_(rows_delta_free) struct rows_delta delta = {};
	int err;

	err = map_read(fd, &have);
	err = err ?: rows_diff(want, &have, &delta);
	if (err)
		return err;
	*out = delta.added;
	delta.added = (struct rows){};
	return 0;
}
