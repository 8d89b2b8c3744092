// SPDX-License-Identifier: Apache-2.0
/* Runs in pods: the generator is started by kubectl exec in the client's pod,
 * `smcmesh bench look` in the containers of the agents. */
#include <math.h>
#include <string.h>
#include "base/clock.h"
#include "base/file.h"
#include "cli/bench_cluster.h"
#include "cli/bench_way.h"
#include "cli/ending.h"

#define PATIENCE_S 60 /* with a first line, on a slow node */
#define LAST_S 5      /* with one after the generator's end */
#define KEEPER_S 15

/* ---- who looks ----------------------------------------------------------- */

/* @to: of whose connections; NULL: none. */
static int start_stream(const struct bench_cluster *c,
			const struct bench_pod *pod, const char *to,
			const char *dir, struct bench_stream *s)
{
	_strv_ char **argv = NULL;
	struct child_how how = {.netns = -1,
				.input = true,
				.dir = dir,
				.out_file = s->file,
				.err_file = s->err_file};
	int err = kubectl_argv(&c->kubectl, &argv, "-n", c->agents, "exec",
			       "-i", pod->agent, "-c", "agent", "--", "smcmesh",
			       "bench", "look", NULL);

	if (!err && to)
		err = strv_push(&argv, to) ?: strv_push(&argv, "--pod")
			      ?: strv_push(&argv, pod->full);
	how.argv = argv;
	return err ?: child_start(&how, &s->child);
}

/* Take the whole lines that came since the last time; the last one counts. */
static void read_on(struct bench_stream *s, const char *dir)
{
	_buf_ struct buf line = {};
	_fclose_ FILE *f = NULL;
	char path[PATH_MAX];
	int c;

	snprintf(path, sizeof(path), "%s/%s", dir, s->file);
	f = fopen(path, "re");
	if (!f || fseek(f, s->read, SEEK_SET))
		return;
	while ((c = getc(f)) != EOF) {
		if (c != '\n') {
			buf_printf(&line, "%c", c);
			continue;
		}
		if (line.data &&
		    !bench_look_read(line.data, line.len, &s->sight))
			s->fresh = true;
		buf_free(&line);
		s->read = ftell(f);
	}
}

/* Until both have said something new. */
static int wait_fresh(struct bench_eyes *eyes, const char *dir,
		      unsigned int seconds)
{
	const __u64 until = clock_now() + seconds * CLOCK_SECOND;

	for (size_t i = 0; i < array_size(eyes->stream);) {
		struct bench_stream *s = &eyes->stream[i];

		read_on(s, dir);
		if (!s->child.pid || s->fresh) {
			i++;
			continue;
		}
		if (child_has_ended(&s->child))
			return -ECHILD;
		if (ending_came())
			return -EINTR;
		if (clock_now() > until)
			return -ETIMEDOUT;
		child_step();
	}
	return 0;
}

static double busy_of(const struct bench_eyes *eyes)
{
	const struct bench_stream *s = eyes->stream;

	return s[0].sight.busy + (s[1].child.pid ? s[1].sight.busy : 0);
}

/* ---- a run --------------------------------------------------------------- */

static int say_blind(const struct bench_cluster *c, struct bench_eyes *eyes,
		     const char *dir, int err, struct buf *error)
{
	if (err == -EINTR)
		return err;
	for (size_t i = 0; i < array_size(eyes->stream); i++) {
		const struct bench_stream *s = &eyes->stream[i];
		_buf_ struct buf said = {};
		const char *last;

		if (s->fresh || !s->child.pid)
			continue;
		last = child_said(dir, s->err_file, &said);
		buf_printf(
			error,
			"the agent's pod %s/%s does not look at connections (smcmesh bench look; is it of this version?): %s",
			c->agents, (i ? c->server : c->client)[0].agent,
			*last ? last : "no answer");
		return err;
	}
	return err;
}

static void take_machines(const struct bench_cluster *c,
			  const struct bench_eyes *eyes, struct bench_result *r)
{
	const struct bench_stream *s = eyes->stream;

	r->machine = s[0].sight.machine;
	snprintf(r->machine.name, sizeof(r->machine.name), "%s",
		 c->client[0].node);
	if (!s[1].child.pid)
		return;
	r->server_machine = s[1].sight.machine;
	snprintf(r->server_machine.name, sizeof(r->server_machine.name), "%s",
		 c->server[0].node);
}

static int arguments(const struct bench_plan *plan, enum bench_side side,
		     const struct bench_load *load, char ***argv)
{
	const struct bench_cluster *c = plan->cluster;

	return kubectl_argv(&c->kubectl, argv, "-n", BENCH_NS, "exec",
			    c->client[bench_pair_of(side)].name, "--", NULL)
		       ?: plan->generator->prepare(load, argv);
}

/*
 * An RDMA path that was not in use for some seconds lets one or two connections
 * through until it was probed again, and a run opens all at once: the others
 * would be TCP for its whole length. So one connection with a request a second
 * is there before. It ends by itself.
 */
static int keep_path(const struct bench_plan *plan, enum bench_side side,
		     const struct bench_load *load, struct bench_eyes *eyes)
{
	const __u64 until = clock_now() + KEEPER_S * CLOCK_SECOND / 2;
	struct bench_stream *s = &eyes->stream[0];
	struct bench_load one = *load;
	_strv_ char **argv = NULL;
	int err;

	one.connections = 1;
	one.rate = 1;
	one.seconds = KEEPER_S;
	err = arguments(plan, side, &one, &argv)
		      ?: child_start(
				 &(struct child_how){.argv = argv,
						     .netns = -1,
						     .dir = load->dir,
						     .out_file = "keeper",
						     .err_file = "keeper.err"},
				 &eyes->keeper);
	while (!err && !s->sight.found.smcr && clock_now() < until &&
	       !child_has_ended(&eyes->keeper)) {
		if (ending_came())
			return -EINTR;
		child_step();
		read_on(s, load->dir);
	}
	return err;
}

static int begin(const struct bench_plan *plan, enum bench_side side,
		 const struct bench_load *load, struct bench_eyes *eyes,
		 struct bench_result *r, struct buf *error)
{
	const struct bench_cluster *c = plan->cluster;
	const enum bench_pair pair = bench_pair_of(side);
	const struct bench_pod *client = &c->client[pair];
	const struct bench_pod *server = &c->server[pair];
	char at[ADDR_PORT_STRLEN];
	int err;

	for (size_t i = 0; i < array_size(eyes->stream); i++) {
		struct bench_stream *s = &eyes->stream[i];

		snprintf(s->file, sizeof(s->file), "look.%zu", i);
		snprintf(s->err_file, sizeof(s->err_file), "look.%zu.err", i);
	}
	err = start_stream(c, client, addr_port_format(&plan->end[side].to, at),
			   load->dir, &eyes->stream[0]);
	if (!err && strcmp(client->node, server->node) != 0)
		err = start_stream(c, server, NULL, load->dir,
				   &eyes->stream[1]);
	if (err)
		return err;
	err = wait_fresh(eyes, load->dir, PATIENCE_S);
	if (err)
		return say_blind(c, eyes, load->dir, err, error);
	take_machines(c, eyes, r);
	if (side == BENCH_SMC && eyes->stream[1].child.pid) {
		err = keep_path(plan, side, load, eyes);
		if (err)
			return err;
	}
	eyes->dir = load->dir;
	eyes->busy = busy_of(eyes);
	return 0;
}

static bool look(const struct bench_plan *plan, enum bench_side side, pid_t pid,
		 bool why, struct bench_eyes *eyes, struct bench_sight *out)
{
	struct bench_stream *s = &eyes->stream[0];

	/* why is in the line */
	read_on(s, eyes->dir);
	if (!s->fresh)
		return false;
	s->fresh = false;
	*out = s->sight;
	return true;
}

static double end(const struct bench_plan *plan, struct bench_eyes *eyes)
{
	for (size_t i = 0; i < array_size(eyes->stream); i++) {
		read_on(&eyes->stream[i], eyes->dir);
		eyes->stream[i].fresh = false;
	}
	return wait_fresh(eyes, eyes->dir, LAST_S) ? NAN
						   : busy_of(eyes) - eyes->busy;
}

const struct bench_way bench_in_cluster = {
	.begin = begin, .arguments = arguments, .look = look, .end = end};
