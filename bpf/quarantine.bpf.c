// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes over what is in quarantine under another ABI, row by row, while other
 * programs may run that make rows, too. abi.h says what it does.
 *
 * | program        | section | needs            |
 * |----------------|---------|------------------|
 * | quarantine_put | syscall | run by the agent |
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "quarantine.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("syscall")
int quarantine_put(struct smc_quarantine_job *job)
{
	struct smc_quarantine_key key = job->key;
	struct smc_quarantine row = job->row;

	job->result =
		bpf_map_update_elem(&smc_quarantine, &key, &row, BPF_NOEXIST);
	if (job->result)
		return 0;
	smc_rows_until(row.until_ns);
	smc_quarantine_began();
	return 0;
}
