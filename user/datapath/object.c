// SPDX-License-Identifier: Apache-2.0
/* The BPF object of this binary, and its programs that are never attached: the
 * agent runs them. */
#include <bpf/bpf.h>
#include <string.h>

#include "base/log.h"
#include "datapath/state.h"
#include "smcmesh.skel.h"

const struct job_row job_rows[JOB_MAX] = {
#define DATAPATH_JOB_ROW(id, name, lost) [JOB_##id] = {name, lost},
	DATAPATH_JOBS(DATAPATH_JOB_ROW)
#undef DATAPATH_JOB_ROW
};

static bool quiet;

/* For debugging alone: we log failures ourselves, with their consequence. */
static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];
	size_t len;

	if (quiet || level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	len = strlen(line);
	if (len && line[len - 1] == '\n')
		line[len - 1] = '\0';
	log_debug("%s", line);
	return 0;
}

bool object_is_pinned_map(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) &&
	       bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS;
}

struct bpf_object *object_open(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "smcmesh");
	const void *elf;
	size_t size;

	libbpf_set_print(on_libbpf);
	elf = smcmesh_bpf__elf_bytes(&size);
	return bpf_object__open_mem(elf, size, &opts);
}

const struct bpf_program *object_program(const struct datapath *dp,
					 const char *name)
{
	const struct bpf_program *prog =
		dp->obj ? bpf_object__find_program_by_name(dp->obj, name)
			: NULL;

	return prog && bpf_program__fd(prog) >= 0 ? prog : NULL;
}

int job_run(const struct datapath *dp, enum job_id id, void *context,
	    __u32 size)
{
	const struct bpf_program *prog = object_program(dp, job_rows[id].name);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = context,
		    .ctx_size_in = size);

	/* The kernel copies the context back to the same place. */
	return prog ? bpf_prog_test_run_opts(bpf_program__fd(prog), &opts)
		    : -ENOSYS;
}

void object_cleanup(struct bpf_object **obj)
{
	bpf_object__close(*obj);
}

void object_quiet(bool is)
{
	quiet = is;
}
