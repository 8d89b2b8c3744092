// SPDX-License-Identifier: GPL-2.0-only
/* The ration of answers alone, for test_answers.c, which also says what time it
 * is: one event in a map, run by bpf_prog_test_run(). */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "answers.bpf.h"
#include "answers_case.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct answers_case);
} answers_case SEC(".maps");

SEC("tc")
int answers(void *ctx)
{
	struct smc_answer_rows rows;
	struct answers_case *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&answers_case, &zero);
	if (!c)
		return 1;
	smc_answer_rows_of(&rows, c->peer.ip);
	if (c->what == ANSWERS_LEFT)
		c->left = smc_answers_left(&rows, c->now);
	else if (c->what == ANSWERS_GIVEN)
		smc_answers_take(&rows, c->now);
	else
		smc_answers_give_back(&rows, c->given, c->now);
	return 0;
}
