// SPDX-License-Identifier: Apache-2.0
#include "datapath/kbtf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kbtf {
	struct btf *vmlinux;
	struct btf *smc; /* split, on top of vmlinux; NULL: built in or none */
};

struct kbtf *kbtf_open(void)
{
	struct kbtf *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->vmlinux = btf__load_vmlinux_btf();
	if (!k->vmlinux) {
		free(k);
		return NULL;
	}
	k->smc = btf__load_module_btf("smc", k->vmlinux);
	return k;
}

void kbtf_cleanup(struct kbtf **k)
{
	if (!*k)
		return;
	btf__free((*k)->smc);
	btf__free((*k)->vmlinux);
	free(*k);
}

/* A split BTF includes its base. */
static const struct btf *widest(const struct kbtf *k)
{
	return k->smc ? k->smc : k->vmlinux;
}

int kbtf_id(const struct kbtf *k, const char *name, __u32 kind, bool *in_module)
{
	int id = btf__find_by_name_kind(widest(k), name, kind);

	if (id < 0)
		return -ENOENT;
	if (in_module)
		*in_module = (__u32)id >= btf__type_cnt(k->vmlinux);
	return id;
}

bool kbtf_hook(const struct kbtf *k, const char *sec)
{
	static const char *const on_function[] = {"fentry", "fexit",
						  "fmod_ret"};
	const char *slash = strchr(sec, '/');
	size_t len = slash ? (size_t)(slash - sec) : 0;
	char name[128];

	if (!slash)
		return true;
	if (len == strlen("tp_btf") && !strncmp(sec, "tp_btf", len)) {
		snprintf(name, sizeof(name), "btf_trace_%s", slash + 1);
		return kbtf_id(k, name, BTF_KIND_TYPEDEF, NULL) > 0;
	}
	for (size_t i = 0; i < 3; i++)
		if (len == strlen(on_function[i]) &&
		    !strncmp(sec, on_function[i], len))
			return kbtf_id(k, slash + 1, BTF_KIND_FUNC, NULL) > 0;
	return true;
}

static const struct btf_member *find_member(const struct btf *btf,
					    const struct btf_type *t,
					    const char *name, size_t len)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++, m++) {
		const char *n = btf__name_by_offset(btf, m->name_off);

		if (n && strlen(n) == len && !strncmp(n, name, len))
			return m;
	}
	return NULL;
}

int kbtf_member(const struct kbtf *k, const char *type, const char *path,
		__u32 *size)
{
	const struct btf *btf = widest(k);
	int id = kbtf_id(k, type, BTF_KIND_STRUCT, NULL);
	const struct btf_member *m;
	__u32 offset = 0;
	size_t len;

	if (id < 0)
		return id;
	for (;; path += len + 1) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		len = strcspn(path, ".");
		if (!t || !btf_is_composite(t))
			return -ENOENT;
		m = find_member(btf, t, path, len);
		if (!m)
			return -ENOENT;
		offset += btf_member_bit_offset(t, m - btf_members(t)) / 8;
		id = btf__resolve_type(btf, m->type);
		if (id < 0)
			return -ENOENT;
		if (!path[len])
			break;
	}
	if (size)
		*size = btf__resolve_size(btf, m->type);
	return offset;
}
