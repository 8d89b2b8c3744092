// SPDX-License-Identifier: GPL-2.0-only
/*
 * Someone else's smc_hs_ctrl, for the tests: lets everything through, as a
 * namespace without one would. Registered with
 * `bpftool struct_ops register foreign.bpf.o`, found by its name, "foreign".
 */
typedef unsigned int __u32;

struct tcp_sock;
struct inet_request_sock;

/* libbpf matches members with the kernel's struct by name. */
struct smc_hs_ctrl {
	char name[16];
	int flags;
	int (*syn_option)(struct tcp_sock *tp);
	int (*synack_option)(const struct tcp_sock *tp,
			     struct inet_request_sock *ireq);
};

#define SEC(name) __attribute__((section(name), used))

SEC("license") char LICENSE[] = "GPL";

SEC("struct_ops/foreign_syn")
int foreign_syn(unsigned long long *ctx)
{
	return 1;
}

SEC("struct_ops/foreign_ack")
int foreign_ack(unsigned long long *ctx)
{
	return 1;
}

SEC(".struct_ops")
struct smc_hs_ctrl foreign = {
	.name = "foreign",
	.syn_option = (void *)foreign_syn,
	.synack_option = (void *)foreign_ack,
};
