/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up processes in a made-up /proc. Include it after tree.h. */
#pragma once

#define UID1 "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
#define UID1_ "0b1c2d3e_4f50_6172_8394_a5b6c7d8e9f0"
#define UID2 "11111111-2222-3333-4444-555555555555"
#define UID2_ "11111111_2222_3333_4444_555555555555"
#define STATIC_UID "0123456789abcdef0123456789abcdef" /* a static pod's */

/* A process: its namespaces are links to files that stand for them. */
static inline void make_process(int pid, const char *net, const char *user,
				const char *cgroup, long long start)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "proc/%d/stat", pid);
	snprintf(text, sizeof(text),
		 "%d (a ) (b) S 1 %d %d 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %lld 0",
		 pid, pid, pid, start);
	write_text(path, text);
	snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
	write_text(path, cgroup);
	snprintf(path, sizeof(path), "proc/%d/ns", pid);
	make_dirs(path);
	snprintf(path, sizeof(path), "proc/%d/ns/net", pid);
	assert_return_code(symlink(at(net), at(path)), errno);
	snprintf(path, sizeof(path), "proc/%d/ns/user", pid);
	assert_return_code(symlink(at(user), at(path)), errno);
}

/* For cmocka: nothing but the namespaces. */
static inline int empty_proc(void **state)
{
	static const char *const ns[] = {"ns/host", "ns/pod", "ns/inner"};

	tree_empty();
	for (int i = 0; i < 3; i++)
		write_text(ns[i], "");
	make_dirs("proc");
	return 0;
}
