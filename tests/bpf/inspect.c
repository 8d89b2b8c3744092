// SPDX-License-Identifier: Apache-2.0
/*
 * inspect - look at the BPF side with the eyes of the running kernel.
 *
 *   inspect types OBJECT   is every type, field and constant of vmlinux.h (as
 *                          compiled into OBJECT) what this kernel has? One
 *                          line for each that is not; those of SMC are left
 *                          out where the kernel has no SMC
 *   inspect cost [PROG...] load these programs (all without arguments) and
 *                          print what each one cost the verifier:
 *                          NAME INSTRUCTIONS
 *
 * Exit status 0: all well, 1: not. It has no sanitizers and no test library,
 * because it also runs in the laboratory's machines.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smcmesh.skel.h"

/* ---- types ---- */

static struct btf *kernel, *module; /* vmlinux, and smc where it is one */
static unsigned int wrong, compared;

static bool has_smc(void)
{
	return btf__find_by_name_kind(module ?: kernel, "smc_sock",
				      BTF_KIND_STRUCT) > 0;
}

/* Parts of SMC in types of everyone: compiled in with it. */
static bool is_smc(const char *name)
{
	static const char *const parts[] = {"syn_smc", "hs_ctrl"};

	if (!strncmp(name, "smc", 3) || !strncmp(name, "SMC", 3) ||
	    !strcmp(name, "netns_smc"))
		return true;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(name, parts[i]))
			return true;
	return false;
}

/* What a kernel has only with an option that no program of ours needs: it is
 * asked for by bpf_core_field_exists(). */
static bool is_optional(const char *type, const char *field)
{
	return !strcmp(type, "tcp_sock") && !strcmp(field, "ao_info");
}

static void complain(const char *type, const char *field, const char *what)
{
	if (!has_smc() && (is_smc(type) || is_smc(field)))
		return;
	printf("%s%s%s: %s\n", type, *field ? "." : "", field, what);
	wrong++;
}

/* A type of the kernel by its name: vmlinux's, else the module's. */
static const struct btf *find_type(const char *name, __u32 kind, int *id)
{
	*id = btf__find_by_name_kind(kernel, name, kind);
	if (*id > 0)
		return kernel;
	*id = module ? btf__find_by_name_kind(module, name, kind) : -ENOENT;
	return *id > 0 ? module : NULL;
}

static const struct btf_type *bare(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (btf_is_mod(t) || btf_is_typedef(t))
		t = btf__type_by_id(btf, t->type);
	return t;
}

/* The member @name of @t, looked for in anonymous members too. */
static const struct btf_type *find_member(const struct btf *btf,
					  const struct btf_type *t,
					  const char *name, bool *bitfield)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		const char *has = btf__name_by_offset(btf, m[i].name_off);
		const struct btf_type *in = bare(btf, m[i].type);

		if (*has && !strcmp(has, name)) {
			*bitfield = btf_member_bitfield_size(t, i);
			return in;
		}
		if (!*has && btf_is_composite(in)) {
			in = find_member(btf, in, name, bitfield);
			if (in)
				return in;
		}
	}
	return NULL;
}

static void compare_members(const char *type, const struct btf *ours,
			    const struct btf_type *t, const struct btf *theirs,
			    const struct btf_type *k);

static void compare_member(const char *type, const char *field,
			   const struct btf *ours, const struct btf_type *t,
			   const struct btf *theirs, const struct btf_type *k,
			   bool bitfield)
{
	compared++;
	if (btf_is_array(t) && btf_is_array(k)) {
		const struct btf_array *a = btf_array(t), *b = btf_array(k);

		if (a->nelems > b->nelems)
			complain(type, field, "the kernel's array is shorter");
		t = bare(ours, a->type);
		k = bare(theirs, b->type);
	}
	if (btf_kind(t) != btf_kind(k) &&
	    !(btf_is_any_enum(k) && btf_is_int(t)))
		complain(type, field, "of another kind in the kernel");
	else if (btf_is_int(t) && t->size != k->size && !bitfield)
		complain(type, field, "of another size in the kernel");
	else if (btf_is_composite(t) && !t->name_off)
		compare_members(type, ours, t, theirs, k);
}

static void compare_members(const char *type, const struct btf *ours,
			    const struct btf_type *t, const struct btf *theirs,
			    const struct btf_type *k)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		const char *field = btf__name_by_offset(ours, m[i].name_off);
		const struct btf_type *mine = bare(ours, m[i].type), *has;
		bool bitfield = false;

		if (!*field) {
			compare_members(type, ours, mine, theirs, k);
			continue;
		}
		has = find_member(theirs, k, field, &bitfield);
		if (!has && is_optional(type, field))
			continue;
		if (has)
			compare_member(type, field, ours, mine, theirs, has,
				       bitfield);
		else
			complain(type, field, "not in the kernel");
	}
}

static void compare_struct(const struct btf *ours, const struct btf_type *t)
{
	const char *flavour, *name = btf__name_by_offset(ours, t->name_off);
	const struct btf *theirs;
	char plain[128];
	int id;

	flavour = strstr(name, "___");
	snprintf(plain, sizeof(plain), "%.*s",
		 (int)(flavour ? flavour - name : (long)strlen(name)), name);
	theirs = find_type(plain, btf_kind(t), &id);
	if (!theirs)
		complain(plain, "", "not in the kernel");
	else
		compare_members(plain, ours, t, theirs,
				btf__type_by_id(theirs, id));
}

/* Enumerators are looked for in every enum: those of include/uapi are in
 * anonymous ones. */
static bool find_value(const struct btf *btf, const char *name, __s64 *value)
{
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const struct btf_enum *e = btf_enum(t);

		if (!btf_is_enum(t))
			continue;
		for (int i = 0; i < btf_vlen(t); i++)
			if (!strcmp(btf__name_by_offset(btf, e[i].name_off),
				    name)) {
				*value = e[i].val;
				return true;
			}
	}
	return false;
}

static void compare_enum(const struct btf *ours, const struct btf_type *t)
{
	const struct btf_enum *e = btf_enum(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(ours, e[i].name_off);
		__s64 value;

		compared++;
		if (!find_value(kernel, name, &value) &&
		    !(module && find_value(module, name, &value)))
			complain(name, "", "not in the kernel");
		else if (value != e[i].val)
			complain(name, "", "another number in the kernel");
	}
}

static int types(const char *object)
{
	struct btf *ours = btf__parse_elf(object, NULL);

	kernel = btf__load_vmlinux_btf();
	if (!ours || !kernel) {
		fprintf(stderr, "inspect: %s: %s\n",
			ours ? "the kernel's BTF" : object, strerror(errno));
		return 1;
	}
	module = btf__load_module_btf("smc", kernel);
	for (__u32 id = 1; id < btf__type_cnt(ours); id++) {
		const struct btf_type *t = btf__type_by_id(ours, id);

		if (btf_is_composite(t) && t->name_off && btf_vlen(t))
			compare_struct(ours, t);
		else if (btf_is_enum(t))
			compare_enum(ours, t);
	}
	fprintf(stderr, "inspect: %u compared, %u wrong%s\n", compared, wrong,
		has_smc() ? "" : " (no SMC in this kernel)");
	btf__free(module);
	btf__free(kernel);
	btf__free(ours);
	return wrong || !compared;
}

/* ---- cost ---- */

static bool named(const char *name, char *const *names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

static int print_cost(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len)) {
		perror(bpf_program__name(prog));
		return 1;
	}
	printf("%s %u\n", bpf_program__name(prog), info.verified_insns);
	return 0;
}

static int cost(char *const *names)
{
	struct smcmesh_bpf *s = smcmesh_bpf__open();
	struct bpf_program *prog;
	int err = 0;

	if (!s) {
		perror("inspect: open");
		return 1;
	}
	bpf_object__for_each_program(prog, s->obj) bpf_program__set_autoload(
		prog, named(bpf_program__name(prog), names));
	bpf_map__set_autocreate(s->maps.smcmesh_ctrl,
				named("syn_option", names));
	if (smcmesh_bpf__load(s))
		return 1;
	bpf_object__for_each_program(prog,
				     s->obj) if (bpf_program__autoload(prog))
		err |= print_cost(prog);
	smcmesh_bpf__destroy(s);
	return err;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "types"))
		return types(argv[2]);
	if (argc >= 2 && !strcmp(argv[1], "cost"))
		return cost(argv + 2);
	fprintf(stderr, "usage: inspect types OBJECT | cost [PROG...]\n");
	return 2;
}
