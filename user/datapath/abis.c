// SPDX-License-Identifier: Apache-2.0
#include "datapath/abis.h"

#include <bpf/bpf.h>
#include <string.h>

#include "base/array.h"
#include "base/pins.h"

void abi_dir_free(struct abi_dir *d)
{
	free(take_ptr(d->dir));
	free(take_ptr(d->link_dir));
}

int abi_dir_set(struct abi_dir *out, const char *root, unsigned int abi)
{
	char version[16] = "";

	if (abi > 1)
		snprintf(version, sizeof(version), "/v%u", abi);
	*out = (struct abi_dir){.abi = abi};
	if (asprintf(&out->dir, "%s%s", root, version) < 0)
		out->dir = NULL;
	if (asprintf(&out->link_dir, "%s%s/links", root, version) < 0)
		out->link_dir = NULL;
	if (out->dir && out->link_dir)
		return 0;
	abi_dir_free(out);
	return -ENOMEM;
}

void abi_dirs_free(struct abi_dirs *dirs)
{
	for (size_t i = 0; i < dirs->n; i++)
		abi_dir_free(&dirs->v[i]);
	free(dirs->v);
}

static int dirs_add(struct abi_dirs *dirs, const char *root, unsigned int abi)
{
	struct abi_dir *slot = array_push(dirs->v, dirs->n);

	return slot ? abi_dir_set(slot, root, abi) : -ENOMEM;
}

struct search {
	const char *root;
	struct abi_dirs *out;
	bool first; /* something of ABI 1 was seen: a pin, or links/ */
};

static int see_pin(const char *dir, const char *name, void *arg)
{
	((struct search *)arg)->first = true;
	return 0;
}

/* Take the directory of a later ABI ("v7", as abi_dir_set() makes it), and note
 * that of ABI 1's links. */
static int see_dir(const char *dir, const char *name, void *arg)
{
	struct search *s = arg;
	char again[16];
	unsigned long abi;

	if (!strcmp(name, "links")) {
		s->first = true;
		return 0;
	}
	abi = *name == 'v' ? strtoul(name + 1, NULL, 10) : 0;
	snprintf(again, sizeof(again), "v%u", (unsigned int)abi);
	if (abi < 2 || strcmp(name, again))
		return 0;
	return dirs_add(s->out, s->root, abi);
}

static int by_abi(const void *a, const void *b)
{
	const struct abi_dir *x = a, *y = b;

	return x->abi < y->abi ? -1 : x->abi > y->abi;
}

int abi_dirs_read(const char *root, struct abi_dirs *out)
{
	struct search s = {.root = root, .out = out};
	int err;

	err = pin_each(root, see_pin, &s);
	err = err ?: pin_each_dir(root, see_dir, &s);
	if (!err && s.first)
		err = dirs_add(out, root, 1);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_abi);
	return err;
}

int abi_map_open(const char *dir, const char *name, __u32 key_size,
		 __u32 value_size)
{
	_close_ int fd = pin_open(dir, name, PIN_MAP);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int err;

	if (fd < 0)
		return fd;
	err = bpf_map_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	return info.key_size == key_size && info.value_size == value_size
		       ? take_fd(fd)
		       : -EPROTO;
}

/* Return: a descriptor of the map, and in *@value its whole row: free it; or a
 * negative errno. */
static int config_open(const char *dir, size_t size, void **value)
{
	_close_ int fd = pin_open(dir, "smc_config", PIN_MAP);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;
	int err;

	if (fd == -EMEDIUMTYPE)
		return -EPROTO;
	if (fd < 0)
		return fd;
	err = bpf_map_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	/* Fields are only added at the end, so a longer row is fine. */
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size < size)
		return -EPROTO;
	*value = calloc(1, info.value_size);
	if (!*value)
		return -ENOMEM;
	err = bpf_map_lookup_elem(fd, &zero, *value);
	return err ?: take_fd(fd);
}

int abi_config(const char *dir, void *out, size_t size)
{
	_free_ void *value = NULL;
	_close_ int fd = config_open(dir, size, &value);

	if (fd < 0)
		return fd;
	memcpy(out, value, size);
	return 0;
}

int abi_config_write(const char *dir, const void *first, size_t size)
{
	_free_ void *value = NULL;
	_close_ int fd = config_open(dir, size, &value);
	__u32 zero = 0;

	if (fd < 0)
		return fd;
	memcpy(value, first, size);
	return bpf_map_update_elem(fd, &zero, value, BPF_ANY);
}
