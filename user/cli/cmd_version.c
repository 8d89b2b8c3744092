// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <bpf/libbpf.h>
#include <smcmesh/abi.h>
#include "base/buf.h"
#include "base/revision.h"
#include "cli/ask_agent.h"
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

static int print_json(void)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = yyjson_mut_obj(doc);

	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_str(doc, root, "version", SMCMESH_VERSION);
	yyjson_mut_obj_add_str(doc, root, "commit", revision()->commit);
	yyjson_mut_obj_add_str(doc, root, "date", revision()->date);
	yyjson_mut_obj_add_str(doc, root, "architecture",
			       revision()->architecture);
	yyjson_mut_obj_add_uint(doc, root, "abi", SMC_ABI_VERSION);
	yyjson_mut_obj_add_str(doc, root, "libbpf", libbpf_version_string());
	return json_print(doc, 0);
}

static int run(const struct cli_args *args)
{
	const struct revision *r = revision();

	if (args->option[METRICS_REFERENCE])
		return print_reference(metrics_reference);
	if (args->option[KERNELS_REFERENCE])
		return print_reference(kernels_reference);
	if (wants_json(args->option[OUTPUT]))
		return print_json() ? EXIT_FAILED : EXIT_OK;
	printf("smcmesh %s, commit %s of %s, %s, map ABI %u, libbpf %s\n",
	       SMCMESH_VERSION, r->commit, r->date, r->architecture,
	       SMC_ABI_VERSION, libbpf_version_string());
	return EXIT_OK;
}

const struct command command_version = {
	.name = "version",
	.help = "the version and its commit, and the reference of what is measured",
	.options = options,
	.run = run,
};
