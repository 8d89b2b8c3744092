// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "cli/ask_agent.h"
#include "node/host.h"

/* The first of "model name : X", or of other machines "Processor : X". */
static bool take_model(char *line, void *arg)
{
	struct bench_machine *m = arg;
	const char *colon = strstr(line, ": ");

	if (!colon || (strncmp(line, "model name", 10) != 0 &&
		       strncmp(line, "Processor", 9) != 0))
		return true;
	snprintf(m->processor, sizeof(m->processor), "%s", colon + 2);
	return false;
}

void bench_machine_here(const char *proc, struct bench_machine *out)
{
	struct utsname u;
	struct host host;

	*out = (struct bench_machine){};
	host_open(proc, NULL, &host);
	(void)!host_each_line(&host, "/proc/cpuinfo", take_model, out);
	out->processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (uname(&u))
		return;
	snprintf(out->name, sizeof(out->name), "%s", u.nodename);
	snprintf(out->kernel, sizeof(out->kernel), "%s", u.release);
	snprintf(out->architecture, sizeof(out->architecture), "%s", u.machine);
}

void bench_machine_add(const struct bench_machine *m, yyjson_mut_doc *doc,
		       yyjson_mut_val *to, const char *key)
{
	yyjson_mut_val *o = yyjson_mut_obj_add_obj(doc, to, key);

	yyjson_mut_obj_add_strcpy(doc, o, "name", m->name);
	yyjson_mut_obj_add_strcpy(doc, o, "kernel", m->kernel);
	yyjson_mut_obj_add_strcpy(doc, o, "architecture", m->architecture);
	yyjson_mut_obj_add_strcpy(doc, o, "processor", m->processor);
	yyjson_mut_obj_add_int(doc, o, "processors", m->processors);
}

void bench_machine_read(yyjson_val *o, struct bench_machine *out)
{
	*out = (struct bench_machine){};
	json_copy(o, "name", out->name, sizeof(out->name));
	json_copy(o, "kernel", out->kernel, sizeof(out->kernel));
	json_copy(o, "architecture", out->architecture,
		  sizeof(out->architecture));
	json_copy(o, "processor", out->processor, sizeof(out->processor));
	out->processors = yyjson_get_int(yyjson_obj_get(o, "processors"));
}
