// SPDX-License-Identifier: Apache-2.0
/*
 * flood POD: as many open flows as the pod of that number can have, by the
 * program that puts a record for the agent, which counts as the selector's do.
 * Prints {"put": N}, and takes them away when standard input ends: the agent
 * must be at rest.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "prog.h"
#include "smcmesh/abi.h"

#define MOST SMC_FLOW_ENTRIES

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static bool has_name(int fd, const char *name)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {.info = {.bpf_fd = fd,
					.info_len = sizeof(info),
					.info = (uint64_t)&info}};

	return !bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) && !strcmp(info.name, name);
}

/* One that runs: the agent's, which holds it open. */
static int find_program(const char *name)
{
	union bpf_attr next = {0}, get = {0};
	int fd;

	while (!bpf(BPF_PROG_GET_NEXT_ID, &next)) {
		get.prog_id = next.start_id = next.next_id;
		fd = bpf(BPF_PROG_GET_FD_BY_ID, &get);
		if (fd >= 0 && has_name(fd, name))
			return fd;
		close(fd);
	}
	errno = ENOENT;
	die("program %s", name);
}

/* The @i-th record of nobody's connection: of a plain one, for of those that
 * may be SMC a budget leaves fewer. What the program writes comes back
 * to where its context came from. */
static int run(int prog, unsigned int pod, unsigned int i)
{
	struct smc_flow_job job = {
		.key = {.isn = i, .local_port = 1, .kind = SMC_ROLE_CLIENT},
		.flow = {.pod_id = pod, .role = SMC_ROLE_CLIENT},
	};
	union bpf_attr attr = {.test = {.prog_fd = prog,
					.ctx_in = (uint64_t)&job,
					.ctx_size_in = sizeof(job)}};

	if (bpf(BPF_PROG_TEST_RUN, &attr))
		die("run a program");
	return job.result;
}

int main(int argc, char **argv)
{
	int put = find_program("flow_put"), drop = find_program("flow_drop");
	unsigned int pod, n = 0;
	char c;

	if (argc != 2)
		return 2;
	pod = number(argv[1]);
	while (n < MOST && !run(put, pod, n))
		n++;
	printf("{\"put\": %u}\nready\n", n);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	while (n)
		run(drop, pod, --n);
	return 0;
}
