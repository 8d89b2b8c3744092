// SPDX-License-Identifier: Apache-2.0
#include "datapath/map_dump.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "datapath/mapio.h"
#include "base/pins.h"
#include "datapath/selector.h"

/* ---- a value ----------------------------------------------------------- */

static int put_number(const struct btf_type *t, const void *data,
		      struct buf *out)
{
	bool is_signed = btf_is_int(t) && btf_int_encoding(t) & BTF_INT_SIGNED;
	__u64 n = 0;

	if (t->size > sizeof(n))
		return -EINVAL;
	memcpy(&n, data, t->size); /* both ends are little-endian */
	if (!is_signed)
		return buf_printf(out, "%llu", n);
	n <<= 64 - 8 * t->size;
	return buf_printf(out, "%lld", (__s64)n >> (64 - 8 * t->size));
}

/* Sixteen bytes are an address, and four an IPv4 one. */
static bool put_address(const struct btf *btf, const struct btf_array *a,
			const unsigned char *data, struct buf *out)
{
	const struct btf_type *t =
		btf__type_by_id(btf, btf__resolve_type(btf, a->type));
	char text[ADDR_STRLEN];
	struct smc_addr addr;

	if (!t || !btf_is_int(t) || t->size != 1)
		return false;
	if (a->nelems == sizeof(addr.ip)) {
		memcpy(addr.ip, data, sizeof(addr.ip));
		buf_printf(out, "\"%s\"", addr_format(&addr, text));
		return true;
	}
	if (a->nelems == 4)
		buf_printf(out, "\"%u.%u.%u.%u\"", data[0], data[1], data[2],
			   data[3]);
	return a->nelems == 4;
}

static int put_array(const struct btf *btf, const struct btf_type *t,
		     const char *data, struct buf *out)
{
	const struct btf_array *a = btf_array(t);
	__s64 size = btf__resolve_size(btf, a->type);
	int err = size < 0 ? -EINVAL : 0;

	if (err || put_address(btf, a, (const unsigned char *)data, out))
		return err;
	buf_add(out, "[", 1);
	for (__u32 i = 0; i < a->nelems && !err; i++) {
		if (i)
			buf_add(out, ",", 1);
		err = map_dump_value(btf, a->type, data + i * size, out);
	}
	buf_add(out, "]", 1);
	return err;
}

static int put_members(const struct btf *btf, const struct btf_type *t,
		       const char *data, struct buf *out)
{
	const struct btf_member *m = btf_members(t);
	int err = 0;

	buf_add(out, "{", 1);
	for (int i = 0; i < btf_vlen(t) && !err; i++, m++) {
		/* no struct of the ABI has bit fields */
		if (btf_member_bitfield_size(t, i))
			return -EINVAL;
		buf_printf(out, "%s\"%s\":", i ? "," : "",
			   btf__name_by_offset(btf, m->name_off) ?: "");
		err = map_dump_value(btf, m->type,
				     data + btf_member_bit_offset(t, i) / 8,
				     out);
	}
	buf_add(out, "}", 1);
	return err;
}

int map_dump_value(const struct btf *btf, unsigned int type, const void *data,
		   struct buf *out)
{
	int id = btf__resolve_type(btf, type);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);
	int err = -EINVAL;

	if (t && (btf_is_int(t) || btf_is_any_enum(t)))
		err = put_number(t, data, out);
	else if (t && btf_is_array(t))
		err = put_array(btf, t, data, out);
	else if (t && btf_is_composite(t))
		err = put_members(btf, t, data, out);
	return err ?: out->err;
}

/* ---- a map ------------------------------------------------------------- */

struct dump {
	const struct btf *btf;
	const struct bpf_map_info *info;
	unsigned int cpus; /* values in a row; 0: it is no per-CPU map */
	size_t rows, left_out;
	struct buf *out;
};

static int put_values(const struct dump *d, const char *value)
{
	size_t slot = (d->info->value_size + 7) & ~7UL;
	int err = 0;

	if (!d->cpus)
		return map_dump_value(d->btf, d->info->btf_value_type_id, value,
				      d->out);
	buf_add(d->out, "[", 1);
	for (unsigned int i = 0; i < d->cpus && !err; i++) {
		if (i)
			buf_add(d->out, ",", 1);
		err = map_dump_value(d->btf, d->info->btf_value_type_id,
				     value + i * slot, d->out);
	}
	buf_add(d->out, "]", 1);
	return err;
}

/* An array has all its rows from the start: those that are zero are empty. */
static bool is_empty(const struct dump *d, const void *value)
{
	const char *p = value;
	size_t size = d->cpus ? d->cpus * ((d->info->value_size + 7) & ~7UL)
			      : d->info->value_size;

	if (d->info->type != BPF_MAP_TYPE_ARRAY &&
	    d->info->type != BPF_MAP_TYPE_PERCPU_ARRAY)
		return false;
	for (size_t i = 0; i < size; i++)
		if (p[i])
			return false;
	return true;
}

static int put_row(const void *key, const void *value, void *arg)
{
	struct dump *d = arg;
	int err;

	if (is_empty(d, value))
		return 0;
	if (d->rows == MAP_DUMP_ROWS) {
		d->left_out++;
		return 0;
	}
	buf_printf(d->out, "%s\n{\"key\":", d->rows++ ? "," : "");
	err = map_dump_value(d->btf, d->info->btf_key_type_id, key, d->out);
	buf_printf(d->out, ",\"value\":");
	err = err ?: put_values(d, value);
	buf_add(d->out, "}", 1);
	return err ?: d->out->err;
}

static bool is_per_cpu(__u32 type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* A ring buffer has no rows, a struct_ops none of ours. */
static bool has_rows(const struct bpf_map_info *info)
{
	return info->type == BPF_MAP_TYPE_HASH ||
	       info->type == BPF_MAP_TYPE_ARRAY ||
	       info->type == BPF_MAP_TYPE_LRU_HASH ||
	       info->type == BPF_MAP_TYPE_LPM_TRIE || is_per_cpu(info->type);
}

static int dump_map(int fd, const struct bpf_map_info *info, struct buf *out)
{
	struct rows shape = {.key_size = info->key_size,
			     .value_size = info->value_size};
	struct dump d = {.info = info, .out = out};
	struct btf *btf = btf__load_from_kernel_by_id(info->btf_id);
	int err;

	if (!btf)
		return -errno;
	d.btf = btf;
	if (is_per_cpu(info->type)) {
		int cpus = libbpf_num_possible_cpus();

		d.cpus = cpus > 0 ? cpus : 1;
		shape.value_size = d.cpus * ((info->value_size + 7) & ~7UL);
	}
	buf_printf(out, "{\"map\":\"%s\",\"entries\":%u,\"rows\":[", info->name,
		   info->max_entries);
	err = map_walk(fd, &shape, put_row, &d);
	buf_printf(out, "],\"left_out\":%zu}\n", d.left_out);
	btf__free(btf);
	return err ?: out->err;
}

/* ---- all of them ------------------------------------------------------- */

struct walk {
	const char *root;
	map_dump_fn fn;
	void *arg;
	size_t n;
};

static int see_pin(const char *dir, const char *name, void *arg)
{
	_buf_ struct buf json = {};
	struct walk *w = arg;
	struct bpf_map_info info;
	_close_ int fd = map_open_ours(dir, name, &info);
	const char *below = dir + strlen(w->root);
	char said[NAME_MAX + 64];
	int err;

	if (fd < 0 || !has_rows(&info) || pin_is_half_made(name))
		return 0;
	w->n++;
	err = dump_map(fd, &info, &json);
	snprintf(said, sizeof(said), "%s%s%s", below + (*below == '/'),
		 *below ? "/" : "", name);
	w->fn(said, &json, err, w->arg);
	return 0;
}

static int see_dir(const char *dir, const char *name, void *arg)
{
	char path[PATH_MAX];

	if (pin_path(path, dir, name))
		return 0;
	return pin_each(path, see_pin, arg);
}

int map_dump_each(const char *bpffs, map_dump_fn fn, void *arg)
{
	char root[PATH_MAX];
	struct walk w = {.root = root, .fn = fn, .arg = arg};
	int err = pin_path(root, bpffs, SMC_PIN_DIR);

	err = err ?: pin_each(root, see_pin, &w);
	err = err ?: pin_each_dir(root, see_dir, &w);
	if (err)
		return err;
	return w.n ? 0 : -ENOENT;
}
