/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of which the converter takes no sockets. */
#pragma once

#include "base/cleanup.h"

/*
 * unconverted_mark - From now on the sockets of this process' first thread stay
 * what it asks for, until it ends, also in an armed pod. For a program that has
 * to speak TCP; needs no agent, only the maps that one has pinned.
 * @bpffs: where the BPF file system is mounted.
 * Return: 0, also if nothing is pinned there or the pins are of an ABI that has
 * no such rows: ask the socket (SO_PROTOCOL); or a negative errno.
 */
must_check int unconverted_mark(const char *bpffs, pid_t pid);
