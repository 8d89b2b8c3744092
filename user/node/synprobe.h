/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends the SYNs of `smcmesh syncheck` and looks at the answers.
 *
 * A child process in a cgroup of its own connects as any program does; a BPF
 * program on that cgroup (bpf/tools/syncheck.bpf.c) adds the options to its
 * SYNs and keeps the header of the SYN-ACK. So the SYNs take the same way as an
 * application's: through a socket-level load balancer, kube-proxy, NAT and the
 * balancers behind it; and no kernel needs SMC for it. An option stands where
 * SMC's own does, at the end of the header, with the padding after it and not
 * before.
 */
#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "mesh/syncheck.h"

#define SYNPROBE_MAX 16 /* addresses */

struct synprobe {
	int netns; /* a descriptor of the network namespace; -1: the caller's */
	unsigned int tries; /* for each address, SYN_TRIES_MAX at most */
	/* Runs in the child before it makes a socket. Return: 0 or errno. */
	int (*prepare)(const void *arg);
	const void *arg;
	const struct sockaddr_storage *to; /* with their ports */
	size_t n;			   /* SYNPROBE_MAX at most */
};

/*
 * synprobe_run - Ask these addresses one after the other. Takes 3 seconds and
 * more for each try that gets no answer.
 *
 * SIGINT, SIGTERM and SIGHUP end it, and then this process, as they would
 * without it, once all that it made is removed.
 * @out: @n results.
 * @error: gets a sentence that says what to do.
 * Return: 0, or a negative errno with @out untouched: nothing could be told.
 */
must_check int synprobe_run(const struct synprobe *p, struct syn_result *out,
			    struct buf *error);
