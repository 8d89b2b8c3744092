// SPDX-License-Identifier: GPL-2.0-only
/* A device filter that lets nobody open anything, as a container's does not but
 * for a few. tests/lab/test_probe.py attaches it. */
#define SEC(name) __attribute__((section(name), used))

SEC("license") char LICENSE[] = "GPL";

SEC("cgroup/dev")
int denydev(void *ctx)
{
	return 0;
}
