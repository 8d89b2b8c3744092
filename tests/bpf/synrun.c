// SPDX-License-Identifier: Apache-2.0
/*
 * synrun - send packets through synfilter, without a network.
 *
 *   synrun [--no-checksum] <PACKETS >RESULTS
 *
 * A record of PACKETS is an octet of flags (IN, SHARED), the packet's length,
 * two octets with the lower one first, and the packet. RESULTS has the packets
 * as they are afterwards, each behind its length. The namespace is an armed
 * pod's own, or (SHARED) one that armed pods share with others; nobody listens
 * in it and no packet has a socket.
 *
 * --no-checksum: a program that leaves checksums alone, the control: in the
 * object the call of that helper is replaced by "0".
 *
 * Exit status 0: all were run, 1: not. No sanitizers, no test library: it also
 * runs in the laboratory's machines.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smcmesh.skel.h"
#include <smcmesh/abi.h>

#define IN 1
#define SHARED 2
#define LARGEST 2048

struct world {
	struct bpf_object *obj;
	int out, in, rows;
	__u64 cookie;
	int shared; /* the row says so; -1: there is none yet */
};

/* bpf_l4_csum_replace() is helper 11: "call 11" becomes "r0 = 0". */
static bool drop_checksum(unsigned char *elf, size_t size)
{
	static const unsigned char call[8] = {0x85, 0, 0, 0, 11},
				   zero[8] = {0xb7};
	bool found = false;

	for (size_t at = 0; at + 8 <= size; at += 8)
		if (!memcmp(elf + at, call, 8)) {
			memcpy(elf + at, zero, 8);
			found = true;
		}
	return found;
}

static struct bpf_object *load(bool checksum)
{
	const struct bpf_object *opened;
	struct bpf_program *prog;
	struct bpf_map *ctrl;
	unsigned char *elf;
	const void *bytes;
	size_t size;

	bytes = smcmesh_bpf__elf_bytes(&size);
	elf = malloc(size);
	if (!elf)
		return NULL;
	memcpy(elf, bytes, size);
	if (!checksum && !drop_checksum(elf, size)) {
		fprintf(stderr, "synrun: no checksum is mended there\n");
		return NULL;
	}
	opened = bpf_object__open_mem(elf, size, NULL);
	if (!opened)
		return NULL;
	bpf_object__for_each_program(prog, opened) bpf_program__set_autoload(
		prog, !strncmp(bpf_program__section_name(prog), "tcx/", 4));
	ctrl = bpf_object__find_map_by_name(opened, "smcmesh_ctrl");
	if (ctrl)
		bpf_map__set_autocreate(ctrl, false);
	return bpf_object__load((struct bpf_object *)opened)
		       ? NULL
		       : (struct bpf_object *)opened;
}

static int fd_of(const struct bpf_object *obj, const char *prog)
{
	const struct bpf_program *p =
		bpf_object__find_program_by_name(obj, prog);

	return p ? bpf_program__fd(p) : -1;
}

static bool open_world(struct world *w, bool checksum)
{
	socklen_t len = sizeof(w->cookie);
	int fd;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &w->cookie, &len))
		return false;
	close(fd);
	w->obj = load(checksum);
	if (!w->obj)
		return false;
	w->out = fd_of(w->obj, "syn_egress");
	w->in = fd_of(w->obj, "syn_ingress");
	w->rows = bpf_object__find_map_fd_by_name(w->obj, "smc_netns");
	w->shared = -1;
	return w->out >= 0 && w->in >= 0 && w->rows >= 0;
}

static bool share(struct world *w, int shared)
{
	const struct smc_pod row = {.pod_id = shared ? 0 : 7,
				    .flags = shared ? SMC_POD_SHARED : 0,
				    .transports = SMC_TRANSPORT_SMCD};

	if (w->shared == shared)
		return true;
	w->shared = shared;
	return !bpf_map_update_elem(w->rows, &w->cookie, &row, BPF_ANY);
}

/* One packet. Return: 1; 0: that was the last one; -1: errno says why not. */
static int run_one(struct world *w)
{
	unsigned char head[3], packet[LARGEST], after[LARGEST];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet,
		    .data_out = after, .data_size_out = sizeof(after));
	size_t got = fread(head, 1, sizeof(head), stdin);

	if (!got && feof(stdin))
		return 0;
	run.data_size_in = head[1] | head[2] << 8;
	errno = EBADMSG;
	if (got != sizeof(head) || run.data_size_in > sizeof(packet) ||
	    fread(packet, 1, run.data_size_in, stdin) != run.data_size_in ||
	    !share(w, !!(head[0] & SHARED)) ||
	    bpf_prog_test_run_opts(head[0] & IN ? w->in : w->out, &run))
		return -1;
	errno = ERANGE;
	if ((int)run.retval != -1)
		return -1;
	head[1] = run.data_size_out;
	head[2] = run.data_size_out >> 8;
	fwrite(head + 1, 1, 2, stdout);
	return fwrite(after, 1, run.data_size_out, stdout) == run.data_size_out
		       ? 1
		       : -1;
}

int main(int argc, char **argv)
{
	bool checksum = argc < 2 || strcmp(argv[1], "--no-checksum");
	struct world w = {};
	unsigned long n = 0;
	int did;

	if (!open_world(&w, checksum)) {
		perror("synrun: load");
		return 1;
	}
	while ((did = run_one(&w)) > 0)
		n++;
	if (did < 0 || fflush(stdout)) {
		fprintf(stderr, "synrun: packet %lu: %s\n", n, strerror(errno));
		return 1;
	}
	bpf_object__close(w.obj);
	return 0;
}
