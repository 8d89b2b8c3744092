// SPDX-License-Identifier: Apache-2.0
/*
 * user/datapath: a kernel that refuses one program takes the others. See
 * world.h. This program's own bpf_object__load() stands before libbpf's: it
 * spoils one program of the object, so that the verifier refuses it.
 */
#include "world.h"

#include <dlfcn.h>
#include <sys/mman.h>

static const char *spoilt; /* the program's name; NULL: none */

/* Its last instruction is no exit any more, but "r0 = 0". */
static void spoil(struct bpf_program *prog)
{
	size_t n = bpf_program__insn_cnt(prog);
	struct bpf_insn *insns = calloc(n, sizeof(*insns));

	assert_non_null(insns);
	memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
	insns[n - 1].code = BPF_ALU64 | BPF_MOV | BPF_K;
	assert_int_equal(bpf_program__set_insns(prog, insns, n), 0);
	free(insns);
}

int bpf_object__load(struct bpf_object *obj)
{
	int (*load)(struct bpf_object *) = (int (*)(struct bpf_object *))dlsym(
		RTLD_NEXT, "bpf_object__load");
	struct bpf_program *prog =
		spoilt ? bpf_object__find_program_by_name(obj, spoilt) : NULL;

	assert_non_null(load);
	if (prog)
		spoil(prog);
	return load(obj);
}

/* What is said while the datapath is opened. */
static struct datapath *open_told(const char *program, char *told, size_t room)
{
	int keep = dup(STDERR_FILENO), file = memfd_create("told", MFD_CLOEXEC);
	struct datapath *dp = NULL;
	int err;
	ssize_t n;

	assert_return_code(keep, errno);
	assert_return_code(file, errno);
	dup2(file, STDERR_FILENO);
	spoilt = program;
	err = datapath_open(&opt, &dp);
	spoilt = NULL;
	dup2(keep, STDERR_FILENO);
	close(keep);
	n = pread(file, told, room - 1, 0);
	close(file);
	told[n > 0 ? n : 0] = '\0';
	assert_int_equal(err, 0);
	return dp;
}

static bool is_there(const struct datapath *dp, const char *program)
{
	return object_program(dp, program);
}

static void assert_refused(const char *told, const char *program,
			   const char *lost)
{
	char says[256];

	snprintf(says, sizeof(says), "%s is not accepted by this kernel: %s",
		 program, lost);
	assert_says(told, says);
	assert_says(told, "verifier: last insn is not an exit or jmp");
}

static void test_refused_job_is_left_out_alone(void **state)
{
	static char told[65536];
	struct datapath *dp = open_told("flow_drop", told, sizeof(told));

	assert_refused(told, "flow_drop", job_rows[JOB_FLOW_DROP].lost);
	assert_false(is_there(dp, "flow_drop"));
	assert_true(is_there(dp, "flow_put"));
	assert_true(is_there(dp, "counter_add"));
	assert_true(is_there(dp, "flow_sockops"));
	datapath_close(dp);
	remove_all();
}

static void test_refused_link_is_left_out_alone(void **state)
{
	static char told[65536];
	struct datapath *dp = open_told("flow_sockops", told, sizeof(told));

	assert_refused(told, "flow_sockops",
		       link_rows[links_find("flow_sockops")].lost);
	assert_false(is_there(dp, "flow_sockops"));
	for (size_t i = 0; i < JOB_MAX; i++)
		assert_true(is_there(dp, job_rows[i].name));
	/* the maps are there, and work */
	assert_int_equal(datapath_follow(dp, true), 0);
	assert_int_equal(config_now(dp).uses & SMC_USE_FOLLOWED,
			 SMC_USE_FOLLOWED);
	datapath_close(dp);
	/* the next agent, with a kernel that takes it, has all */
	dp = open_told(NULL, told, sizeof(told));
	assert_null(strstr(told, "not accepted"));
	assert_true(is_there(dp, "flow_sockops"));
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refused_job_is_left_out_alone),
		TEST(test_refused_link_is_left_out_alone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
