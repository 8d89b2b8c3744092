/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own types and functions: BTF of vmlinux and, where SMC is a
 * module, of the module smc.
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>

struct kbtf;

/* kbtf_open - Return: the types, or NULL where the kernel has no BTF. */
struct kbtf *kbtf_open(void);
void kbtf_cleanup(struct kbtf **k);
#define _kbtf_ _cleanup_(kbtf_cleanup)

/* kbtf_id - The id of a type of the given BTF_KIND_*. @in_module: whether it is
 * the module's; may be NULL. Return: the id, or -ENOENT. */
int kbtf_id(const struct kbtf *k, const char *name, __u32 kind,
	    bool *in_module);

/*
 * kbtf_hook - Does the kernel have the target of a program of ELF section @sec:
 * the function of "fentry/F", "fexit/F" or "fmod_ret/F", the tracepoint of
 * "tp_btf/T"? True for every other kind of section. A static function that the
 * compiler inlined is not in BTF.
 */
bool kbtf_hook(const struct kbtf *k, const char *sec);

/* kbtf_member - Byte offset of a member, also below nested structs when @path
 * has dots ("common.state"). @size: of the member, may be NULL. Return: the
 * offset, or -ENOENT. */
int kbtf_member(const struct kbtf *k, const char *type, const char *path,
		__u32 *size);
