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
 *   inspect passing PROG...  load these programs and print how many
 *                          instructions, as the kernel has translated them,
 *                          each runs at most if it calls nothing: NAME
 *                          INSTRUCTIONS
 *   inspect attach         load each program alone and attach it for a moment:
 *                          NAME attached, NAME loaded (it is run, or
 * registered, by the agent), or NAME refused: REASON. The status is 0 in each
 * of these cases
 *
 * Exit status 0: all well, 1: not. It has no sanitizers and no test library,
 * because it also runs in the laboratory's machines.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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

/* ---- what passes ---- */

/* The paths through a translated program that end without a call. */
struct paths {
	struct bpf_insn *insns;
	unsigned int n;
	int *longest; /* from there on; 0: not known yet, -1: none */
};

static int longest_from(struct paths *p, unsigned int at);

static int longer(struct paths *p, unsigned int a, unsigned int b)
{
	int x = longest_from(p, a), y = longest_from(p, b);

	return x > y ? x : y;
}

static int longest_after(struct paths *p, unsigned int at)
{
	const struct bpf_insn *i = &p->insns[at];
	__u8 class = BPF_CLASS(i->code), op = BPF_OP(i->code);

	if (i->code == (BPF_LD | BPF_IMM | BPF_DW))
		return longest_from(p, at + 2);
	if (class != BPF_JMP && class != BPF_JMP32)
		return longest_from(p, at + 1);
	if (op == BPF_EXIT)
		return 0;
	if (op == BPF_CALL)
		return -1;
	if (op == BPF_JA)
		return longest_from(
			p, at + 1 + (class == BPF_JMP32 ? i->imm : i->off));
	return longer(p, at + 1, at + 1 + i->off);
}

/* A loop would have no longest path: its beginning counts as none. */
static int longest_from(struct paths *p, unsigned int at)
{
	int rest;

	if (at >= p->n)
		return -1;
	if (p->longest[at])
		return p->longest[at];
	p->longest[at] = -1;
	rest = longest_after(p, at);
	p->longest[at] = rest < 0 ? -1 : rest + 1;
	return p->longest[at];
}

static int print_passing(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info), size;
	struct paths p = {0};
	int fd = bpf_program__fd(prog), longest;

	if (bpf_prog_get_info_by_fd(fd, &info, &len))
		return 1;
	size = info.xlated_prog_len;
	p.insns = malloc(size);
	p.longest = calloc(size / sizeof(*p.insns), sizeof(*p.longest));
	info = (struct bpf_prog_info){.xlated_prog_len = size,
				      .xlated_prog_insns = (__u64)p.insns};
	if (!p.insns || !p.longest ||
	    bpf_prog_get_info_by_fd(fd, &info, &len) || !info.xlated_prog_insns)
		return 1; /* also if this kernel does not show them */
	p.n = size / sizeof(*p.insns);
	longest = longest_from(&p, 0);
	printf("%s %d\n", bpf_program__name(prog), longest);
	free(p.insns);
	free(p.longest);
	return longest < 0;
}

/* ---- load ---- */

static int each(char *const *names, int (*print)(const struct bpf_program *))
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
		err |= print(prog);
	smcmesh_bpf__destroy(s);
	return err;
}

/* ---- attach ---- */

#define CGROUP "/sys/fs/cgroup"

static char warned[512]; /* the first warning of libbpf's */

static int remember(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN && !*warned)
		vsnprintf(warned, sizeof(warned), fmt, ap);
	return 0;
}

/* What the verifier said last before its statistics; where it was not asked,
 * what libbpf said. */
static const char *reason_in(char *log)
{
	char *end = strstr(log, "\nprocessed "), *line;

	if (end)
		*end = '\0';
	if (!*log)
		log = warned;
	while ((line = strrchr(log, '\n')) && !line[1])
		*line = '\0';
	return line ? line + 1 : log;
}

static bool is_struct_ops(const struct bpf_program *prog)
{
	return bpf_program__type(prog) == BPF_PROG_TYPE_STRUCT_OPS;
}

/* Return: the link; NULL with errno 0 for a program that has none. */
static struct bpf_link *attach_one(struct bpf_program *prog)
{
	struct bpf_link *link;
	int fd;

	errno = 0;
	switch (bpf_program__type(prog)) {
	case BPF_PROG_TYPE_TRACING:
		return bpf_program__attach(prog);
	case BPF_PROG_TYPE_SOCK_OPS:
		fd = open(CGROUP, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return NULL;
		link = bpf_program__attach_cgroup(prog, fd);
		close(fd);
		return link;
	default:
		return NULL;
	}
}

static void try_loaded(struct bpf_program *prog)
{
	struct bpf_link *link = attach_one(prog);
	const char *name = bpf_program__name(prog);

	if (link)
		printf("%s attached\n", name);
	else if (errno)
		printf("%s refused at its attachment: %s\n", name,
		       strerror(errno));
	else
		printf("%s loaded\n", name);
	bpf_link__destroy(link);
}

static int try_one(const char *name)
{
	static char log[256 * 1024];
	struct smcmesh_bpf *s = smcmesh_bpf__open();
	struct bpf_program *prog, *one;
	int err;

	if (!s)
		return -errno;
	one = bpf_object__find_program_by_name(s->obj, name);
	bpf_object__for_each_program(prog, s->obj)
		bpf_program__set_autoload(prog, prog == one);
	bpf_map__set_autocreate(s->maps.smcmesh_ctrl, is_struct_ops(one));
	*log = *warned = '\0';
	bpf_program__set_log_buf(one, log, sizeof(log));
	err = smcmesh_bpf__load(s);
	if (err)
		printf("%s refused: %s: %s\n", name, strerror(-err),
		       reason_in(log));
	else
		try_loaded(one);
	smcmesh_bpf__destroy(s);
	return 0;
}

static int attach(void)
{
	struct smcmesh_bpf *all = smcmesh_bpf__open();
	struct bpf_program *prog;
	int err = 0;

	if (!all) {
		perror("inspect: open");
		return 1;
	}
	libbpf_set_print(remember);
	bpf_object__for_each_program(prog, all->obj) err =
		err ? err : try_one(bpf_program__name(prog));
	smcmesh_bpf__destroy(all);
	if (err)
		fprintf(stderr, "inspect: open: %s\n", strerror(-err));
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "types"))
		return types(argv[2]);
	if (argc >= 2 && !strcmp(argv[1], "cost"))
		return each(argv + 2, print_cost);
	if (argc > 2 && !strcmp(argv[1], "passing"))
		return each(argv + 2, print_passing);
	if (argc == 2 && !strcmp(argv[1], "attach"))
		return attach();
	fprintf(stderr, "usage: inspect types OBJECT | cost [PROG...] | "
			"passing PROG... | attach\n");
	return 2;
}
