// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <bpf/libbpf.h>
#include <smcmesh/abi.h>
#include "base/buf.h"
#include "cli/command.h"
#include "doctor/kernels.h"
#include "telemetry/metrics.h"

enum { METRICS_REFERENCE, KERNELS_REFERENCE, OUTPUT };

static const struct cli_option options[] = {
	[METRICS_REFERENCE] =
		{0, "metrics", NULL, NULL,
		 "print the reference of metrics, reasons and codes (Markdown)"},
	[KERNELS_REFERENCE] = {0, "kernels", NULL, NULL,
			       "print the table of kernels (Markdown)"},
	[OUTPUT] = CLI_OPTION_OUTPUT,
	{},
};

static int print_reference(int (*write)(struct buf *out))
{
	_buf_ struct buf text = {};

	if (write(&text))
		return EXIT_FAILED;
	fwrite(text.data, 1, text.len, stdout);
	return EXIT_OK;
}

static int run(const struct cli_args *args)
{
	if (args->option[METRICS_REFERENCE])
		return print_reference(metrics_reference);
	if (args->option[KERNELS_REFERENCE])
		return print_reference(kernels_reference);
	if (wants_json(args->option[OUTPUT]))
		printf("{\"version\":\"%s\",\"abi\":%u,\"libbpf\":\"%s\"}\n",
		       SMCMESH_VERSION, SMC_ABI_VERSION,
		       libbpf_version_string());
	else
		printf("smcmesh %s, map ABI %u, libbpf %s\n", SMCMESH_VERSION,
		       SMC_ABI_VERSION, libbpf_version_string());
	return EXIT_OK;
}

const struct command command_version = {
	.name = "version",
	.help = "the version, and the reference of what is measured",
	.options = options,
	.run = run,
};
