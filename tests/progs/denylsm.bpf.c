// SPDX-License-Identifier: GPL-2.0-only
/*
 * A security module that refuses IPPROTO_SMC sockets to one user, UID 4242,
 * when they are asked for: before the kernel has made anything.
 * tests/net/lsmctl attaches it.
 */
typedef unsigned long long __u64;

#define SEC(name) __attribute__((section(name), used))
#define EACCES 13
#define IPPROTO_SMC 256
#define UID 4242

static __u64 (*const get_uid_gid)(void) =
	(void *)15; /* bpf_get_current_uid_gid */

SEC("license") char LICENSE[] = "GPL";

/* int socket_create(int family, int type, int protocol, int kern) */
SEC("lsm/socket_create")
int deny_create(__u64 *ctx)
{
	if ((int)ctx[2] != IPPROTO_SMC || (int)ctx[3])
		return 0;
	return (unsigned int)get_uid_gid() == UID ? -EACCES : 0;
}
