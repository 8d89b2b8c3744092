// SPDX-License-Identifier: GPL-2.0-only
/*
 * Someone else's programs where ours are, for the tests: one that decides on
 * sockets' protocols and leaves them as they are, one of type sock_ops with a
 * map that holds sockets, in which it puts none.
 */
#define SEC(name) __attribute__((section(name), used))

SEC("license") char LICENSE[] = "GPL";

SEC("fmod_ret/update_socket_protocol")
int others_proto(unsigned long long *ctx)
{
	return ctx[2];
}

/* BPF_MAP_TYPE_SOCKHASH, and bpf_map_delete_elem() */
struct {
	int (*type)[18];
	int (*max_entries)[16];
	unsigned int *key;
	unsigned long long *value;
} others_socks SEC(".maps");
static long (*const delete_elem)(void *map, const void *key) = (void *)3;

SEC("sockops")
int others_sockops(void *ctx)
{
	unsigned int key = 0;

	delete_elem(&others_socks, &key);
	return 1;
}
