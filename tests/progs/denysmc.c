// SPDX-License-Identifier: Apache-2.0
/*
 * denysmc CGROUP: refuse IPPROTO_SMC sockets to the programs of a cgroup, as a
 * security policy that knows nothing of SMC would (a cgroup/sock_create BPF
 * program, the same place where an LSM's answer counts). Prints "ready"; ends,
 * and gives them back, when standard input ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "prog.h"

#define INSN(c, d, s, o, i)                \
	((struct bpf_insn){.code = (c),    \
			   .dst_reg = (d), \
			   .src_reg = (s), \
			   .off = (o),     \
			   .imm = (i)})

static int load(void)
{
	/* return ctx->protocol != IPPROTO_SMC */
	const struct bpf_insn code[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1,
		     offsetof(struct bpf_sock, protocol), 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1),
		INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 1, IPPROTO_SMC),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK,
		.expected_attach_type = BPF_CGROUP_INET_SOCK_CREATE,
		.insns = (uintptr_t)code,
		.insn_cnt = sizeof(code) / sizeof(code[0]),
		.license = (uintptr_t)"GPL",
	};

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

int main(int argc, char **argv)
{
	union bpf_attr attr = {0};
	int cgroup, prog, link;
	char c;

	errno = 0;
	if (argc != 2)
		die("usage: denysmc CGROUP");
	cgroup = open(argv[1], O_RDONLY | O_DIRECTORY);
	if (cgroup < 0)
		die("%s", argv[1]);
	prog = load();
	if (prog < 0)
		die("load");
	attr.link_create.prog_fd = prog;
	attr.link_create.target_fd = cgroup;
	attr.link_create.attach_type = BPF_CGROUP_INET_SOCK_CREATE;
	link = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (link < 0)
		die("attach to %s", argv[1]);
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
