// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_generator.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "cli/bench_report.h"

/* With an answer: one that is late is no failed one, on a machine that is busy
 * with the load. */
#define PATIENCE "60s"

static int push(char ***argv, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int push(char ***argv, const char *fmt, ...)
{
	char text[PATH_MAX + 32];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return strv_push(argv, text);
}

/* Its threads: no more than connections or processors. */
static unsigned int threads_of(const struct bench_load *l)
{
	const long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n < (long)l->connections ? n : l->connections;
}

static FILE *create(const struct bench_load *l, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", l->dir, name);
	return fopen(path, "we");
}

static int finish(FILE *f)
{
	const bool bad = fflush(f) || ferror(f);

	return fclose(f) || bad ? -EIO : 0;
}

/* ---- fortio -------------------------------------------------------------- */

/* Bins of 10 microseconds for short times, as its default of a millisecond has
 * all of them in one. */
static int prepare_fortio(const struct bench_load *l, char ***argv)
{
	char file[PATH_MAX + 32];

	snprintf(file, sizeof(file), "%s/" BENCH_FORTIO_FILE, l->dir);
	return push(argv, "fortio") ?: push(argv, "load")
	       ?: push(argv, "-quiet")
	       ?: push(argv, "-qps") ?: push(argv, "%.0f", l->rate)
	       ?: push(argv, "-t") ?: push(argv, "%us", l->seconds)
	       ?: push(argv, "-c") ?: push(argv, "%u", l->connections)
	       ?: push(argv, "-payload-size") ?: push(argv, "%u", l->payload)
	       ?: push(argv, "-timeout") ?: push(argv, PATIENCE)
	       ?: push(argv, "-r") ?: push(argv, "0.00001")
	       ?: push(argv, "-json")
	       ?: push(argv, "%s", l->remote ? "-" : file)
	       ?: push(argv, "%s", l->url);
}

/* ---- wrk ----------------------------------------------------------------- */

/* Its own text has five percentiles and no histogram: a script is told more
 * when it is done. (latency(i), each value that occurred, takes a time that
 * grows by the square of their number.) */
static const char wrk_done[] =
	"done = function(summary, latency, requests)\n"
	"  local e = summary.errors\n"
	"  io.write(string.format(\"\\nsmcmesh %d %d %d\\n\", summary.requests,\n"
	"    summary.duration, e.connect + e.read + e.write + e.status +\n"
	"    e.timeout))\n"
	"  for i = 0, 599 do\n"
	"    local p = i < 495 and i / 5 or 99 + (i - 495) / 105\n"
	"    io.write(string.format(\"smcmesh-at %.4f %d\\n\", p,\n"
	"      latency:percentile(p)))\n"
	"  end\n"
	"  io.write(string.format(\"smcmesh-at 100 %d\\n\", latency.max))\n"
	"end\n";

static int prepare_wrk(const struct bench_load *l, char ***argv)
{
	FILE *f = create(l, "wrk.lua");
	int err;

	if (!f)
		return -errno;
	fprintf(f,
		"wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", %u)\n%s",
		l->payload, wrk_done);
	err = finish(f);
	return err ?: push(argv, "wrk")
			       ?: push(argv, "-t%u", threads_of(l))
			       ?: push(argv, "-c%u", l->connections)
			       ?: push(argv, "-d%us", l->seconds)
			       ?: push(argv, "--timeout=" PATIENCE)
			       ?: push(argv, "-s%s/wrk.lua", l->dir)
			       ?: push(argv, "%s", l->url);
}

/* ---- h2load -------------------------------------------------------------- */

static int prepare_h2load(const struct bench_load *l, char ***argv)
{
	FILE *f = create(l, "payload");
	int err;

	if (!f)
		return -errno;
	for (unsigned int i = 0; i < l->payload; i++)
		fputc('x', f);
	err = finish(f);
	err = err ?: push(argv, "h2load") ?: push(argv, "--h1")
			       ?: push(argv, "-t%u", threads_of(l))
			       ?: push(argv, "-c%u", l->connections)
			       ?: push(argv, "-D%u", l->seconds)
			       ?: push(argv, "--log-file=%s/" BENCH_H2LOAD_LOG,
				       l->dir);
	if (!err && l->payload)
		err = push(argv, "-d%s/payload", l->dir);
	/* its rate is one connection's */
	if (!err && l->rate > 0)
		err = push(argv, "--rps=%.0f",
			   fmax(1, round(l->rate / l->connections)));
	return err ?: push(argv, "%s", l->url);
}

/* ---- the table ----------------------------------------------------------- */

const struct bench_generator bench_generators[] = {
	{
		.name = "fortio",
		.package = "fortio (fortio.org; the image fortio/fortio)",
		.paces = true,
		.goes_remote = true,
		.latency =
			"from when a request was sent; how long it had to wait for its turn is not counted",
		.prepare = prepare_fortio,
		.read = bench_read_fortio,
	},
	{
		.name = "wrk",
		.package = "wrk (Debian's package wrk)",
		.latency =
			"from when a request was sent, and for long ones those that could not be sent meanwhile, as wrk estimates them",
		.prepare = prepare_wrk,
		.read = bench_read_wrk,
	},
	{
		.name = "h2load",
		.package = "h2load (Debian's package nghttp2-client)",
		.paces = true,
		.latency =
			"from when a request was sent; how long it had to wait for its turn is not counted",
		.prepare = prepare_h2load,
		.read = bench_read_h2load,
	},
	{},
};

static bool is_on_path(const char *program)
{
	const char *dirs = getenv("PATH") ?: "/usr/bin:/bin";
	char path[PATH_MAX];

	while (*dirs) {
		const size_t len = strcspn(dirs, ":");

		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs,
			 program);
		if (!access(path, X_OK))
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

const struct bench_generator *bench_generator_find(const char *name,
						   struct buf *error)
{
	const struct bench_generator *g;
	const char *comma = "";

	for (g = bench_generators; g->name; g++)
		if ((!name || !strcmp(name, g->name)) && is_on_path(g->name))
			return g;
	buf_printf(error, "%s%s is not on the PATH. It takes ",
		   name ? "" : "no load generator: ", name ?: "one");
	for (g = bench_generators; g->name; g++) {
		if (name && strcmp(name, g->name) != 0)
			continue;
		buf_printf(error, "%s%s", comma, g->package);
		comma = ", or ";
	}
	return NULL;
}
