// SPDX-License-Identifier: Apache-2.0
/*
 * lsmctl OBJECT: load a BPF object and attach all of its programs, as a
 * security module does. Prints "ready"; ends, and takes them away, when
 * standard input ends. (bpftool cannot do it before its version 7.2.)
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct bpf_program *prog;
	struct bpf_object *obj;
	char c;

	if (argc != 2) {
		fprintf(stderr, "usage: lsmctl OBJECT\n");
		return 2;
	}
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj || bpf_object__load(obj))
		die(argv[1]);
	bpf_object__for_each_program(prog, obj) if (!bpf_program__attach(prog))
		die(bpf_program__name(prog));
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
