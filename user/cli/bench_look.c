// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_look.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/pod_space.h"
#include "node/cpu_time.h"
#include "objects/json.h"

#define EACH_MS 1000

/* ---- printing ------------------------------------------------------------ */

static int print(const struct bench_sight *s)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *o = yyjson_mut_obj(doc);

	yyjson_mut_doc_set_root(doc, o);
	yyjson_mut_obj_add_uint(doc, o, "smcr", s->found.smcr);
	yyjson_mut_obj_add_uint(doc, o, "smcd", s->found.smcd);
	yyjson_mut_obj_add_uint(doc, o, "tcp", s->found.tcp);
	yyjson_mut_obj_add_uint(doc, o, "pending", s->found.pending);
	yyjson_mut_obj_add_uint(doc, o, "kernel_code", s->found.code);
	yyjson_mut_obj_add_str(doc, o, "software_rdma", s->found.software);
	yyjson_mut_obj_add_str(doc, o, "why", s->why.sentence);
	yyjson_mut_obj_add_str(doc, o, "remedy", s->why.remedy);
	if (isfinite(s->busy))
		yyjson_mut_obj_add_real(doc, o, "busy_seconds", s->busy);
	bench_machine_add(&s->machine, doc, o, "machine");
	return json_print(doc, 0) || fflush(stdout) ? -EPIPE : 0;
}

/* Return: does standard input still stand? */
static bool wait_a_moment(void)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	char rest[256];

	return poll(&in, 1, EACH_MS) <= 0 || read(0, rest, sizeof(rest)) > 0;
}

/* Of a pod that is gone nothing is found. */
static int look_once(const char *run, const struct place *at, const char *pod,
		     const struct smc_addr_port *to, struct bench_sight *s)
{
	int err;

	s->found = (struct peer_flows){};
	err = pod ? peer_flows_count(at, to, true, &s->found) : 0;
	if (err && err != -ENOENT)
		return err;
	if (s->found.tcp && !*s->why.sentence)
		bench_why(run, pod, to, &s->found, &s->why);
	return 0;
}

int bench_look(const char *run, const char *proc, const char *pod,
	       const struct smc_addr_port *to)
{
	_free_ struct bench_sight *s = calloc(1, sizeof(*s));
	_place_ struct place at = PLACE_NONE;
	int err;

	if (!s || (pod && pod_space(run, proc, pod, &at)))
		return EXIT_UNTOLD;
	signal(SIGPIPE, SIG_IGN);
	bench_machine_here(proc, &s->machine);
	do {
		err = look_once(run, &at, pod, to, s);
		if (cpu_time_busy(proc, &s->busy))
			s->busy = NAN;
		/* a node that is busy answers the next time */
		if (err)
			fprintf(stderr,
				"smcmesh bench look: the connections of %s could not be read: %s\n",
				pod, strerror(-err));
	} while ((err || !print(s)) && wait_a_moment());
	return EXIT_OK;
}

/* ---- reading ------------------------------------------------------------- */

int bench_look_read(const char *line, size_t len, struct bench_sight *out)
{
	_doc_ yyjson_doc *doc = yyjson_read(line, len, 0);
	yyjson_val *o = yyjson_doc_get_root(doc), *busy;

	if (!yyjson_is_num(yyjson_obj_get(o, "tcp")))
		return -EINVAL;
	out->found = (struct peer_flows){
		.smcr = json_count(o, "smcr"),
		.smcd = json_count(o, "smcd"),
		.tcp = json_count(o, "tcp"),
		.pending = json_count(o, "pending"),
		.code = json_count(o, "kernel_code"),
	};
	json_copy(o, "software_rdma", out->found.software,
		  sizeof(out->found.software));
	json_copy(o, "why", out->why.sentence, sizeof(out->why.sentence));
	json_copy(o, "remedy", out->why.remedy, sizeof(out->why.remedy));
	busy = yyjson_obj_get(o, "busy_seconds");
	out->busy = yyjson_is_num(busy) ? yyjson_get_num(busy) : NAN;
	bench_machine_read(yyjson_obj_get(o, "machine"), &out->machine);
	return 0;
}
