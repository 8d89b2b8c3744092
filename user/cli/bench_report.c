// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_report.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <yyjson.h>
#include "objects/json.h"

/* No report of a generator is larger; h2load's log is read line by line. */
#define REPORT_MAX (64L << 20)
#define LINE_ROOM 512

static FILE *open_report(const struct bench_load *l, const char *name,
			 struct buf *why)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", l->dir, name);
	f = fopen(path, "re");
	if (!f)
		buf_printf(why, "it left no report (%s: %s)", path,
			   strerror(errno));
	return f;
}

static int garbage(struct buf *why, const char *expected)
{
	buf_printf(why, "its report is not what was expected: %s", expected);
	return -EINVAL;
}

/* ---- fortio -------------------------------------------------------------- */

static int read_all(FILE *f, struct buf *out)
{
	char chunk[65536];
	size_t n;

	while (!out->err && out->len < REPORT_MAX &&
	       (n = fread(chunk, 1, sizeof(chunk), f)))
		buf_add(out, chunk, n);
	return out->err ?: ferror(f) ? -EIO : 0;
}

static double number(yyjson_val *o, const char *key)
{
	yyjson_val *v = yyjson_obj_get(o, key);

	return yyjson_is_num(v) ? yyjson_get_num(v) : NAN;
}

static int take_bins(yyjson_val *histogram, struct bench_hist *out)
{
	yyjson_val *bin;
	size_t i, max;
	int err = 0;

	yyjson_arr_foreach (yyjson_obj_get(histogram, "Data"), i, max, bin) {
		err = err
			      ?: bench_hist_add(out, number(bin, "Start"),
						number(bin, "End"),
						number(bin, "Count"));
	}
	return err;
}

/* All answers but "200". */
static double count_bad(yyjson_val *codes)
{
	yyjson_val *key, *value;
	size_t i, max;
	double n = 0;

	yyjson_obj_foreach (codes, i, max, key, value) {
		if (strcmp(yyjson_get_str(key), "200") != 0)
			n += yyjson_get_num(value);
	}
	return n;
}

static int take_fortio(yyjson_val *root, struct bench_report *out,
		       struct buf *why)
{
	yyjson_val *h = yyjson_obj_get(root, "DurationHistogram");
	const double count = number(h, "Count");

	out->seconds = number(root, "ActualDuration") / 1e9;
	if (!(count >= 0) || !(out->seconds > 0) || take_bins(h, &out->times))
		return garbage(why, "fortio's JSON with a DurationHistogram");
	out->errors = count_bad(yyjson_obj_get(root, "RetCodes"));
	out->requests = count - out->errors;
	return 0;
}

int bench_read_fortio(const struct bench_load *l, struct bench_report *out,
		      struct buf *why)
{
	_fclose_ FILE *f = open_report(
		l, l->remote ? BENCH_STDOUT : BENCH_FORTIO_FILE, why);
	_buf_ struct buf text = {};
	_doc_ yyjson_doc *doc = NULL;

	if (!f)
		return -ENOENT;
	if (read_all(f, &text))
		return garbage(why, "a file that can be read");
	doc = yyjson_read(text.data ?: "", text.len, 0);
	return take_fortio(yyjson_doc_get_root(doc), out, why);
}

/* ---- wrk ----------------------------------------------------------------- */

/* Each line of a percentile makes a bin from the last one's. */
struct wrk_lines {
	struct bench_report *out;
	double percent, seconds; /* of the last line */
	bool summed, begun;
	int err;
};

static void take_percentile(struct wrk_lines *w, double percent, double us)
{
	const double seconds = us / 1e6, of = w->out->requests / 100;

	/* its percentiles are rounded: equal, or a step back, is possible */
	if (w->begun && percent > w->percent && seconds >= w->seconds)
		w->err = w->err
				 ?: bench_hist_add(&w->out->times, w->seconds,
						   seconds,
						   (percent - w->percent) * of);
	else if (w->begun)
		return;
	w->begun = true;
	w->percent = percent;
	w->seconds = seconds;
}

static void take_wrk_line(struct wrk_lines *w, const char *line)
{
	double a, b, c;

	if (sscanf(line, "smcmesh %lf %lf %lf", &a, &b, &c) == 3) {
		w->out->seconds = b / 1e6;
		w->out->errors = c;
		w->out->requests = a;
		w->summed = a >= 0 && b > 0 && c >= 0;
	} else if (w->summed &&
		   sscanf(line, "smcmesh-at %lf %lf", &a, &b) == 2) {
		take_percentile(w, a, b);
	}
}

int bench_read_wrk(const struct bench_load *l, struct bench_report *out,
		   struct buf *why)
{
	_fclose_ FILE *f = open_report(l, BENCH_STDOUT, why);
	struct wrk_lines w = {.out = out};
	char line[LINE_ROOM];

	if (!f)
		return -ENOENT;
	while (fgets(line, sizeof(line), f))
		take_wrk_line(&w, line);
	if (!w.summed || w.err || !w.begun)
		return garbage(why, "what the script of smcmesh has wrk print");
	return 0;
}

/* ---- h2load -------------------------------------------------------------- */

static int take_h2load_summary(const struct bench_load *l,
			       struct bench_report *out, struct buf *why)
{
	_fclose_ FILE *f = open_report(l, BENCH_STDOUT, why);
	double total, started, done, good, failed, seconds;
	char line[LINE_ROOM], unit[3];
	bool summed = false;

	if (!f)
		return -ENOENT;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "finished in %lf%2[mus], ", &seconds, unit) ==
		    2)
			out->seconds = !strcmp(unit, "s")    ? seconds
				       : !strcmp(unit, "ms") ? seconds / 1e3
							     : seconds / 1e6;
		summed |= sscanf(line,
				 "requests: %lf total, %lf started, %lf done, "
				 "%lf succeeded, %lf failed",
				 &total, &started, &done, &good, &failed) == 5;
	}
	if (!summed || !(out->seconds > 0))
		return garbage(
			why,
			"h2load's lines \"finished in\" and \"requests:\"");
	out->requests = good;
	out->errors = failed;
	return 0;
}

/* A line is: when it began, the status (-1: failed), the microseconds. */
static int take_h2load_log(FILE *f, struct bench_hist *out, struct buf *why)
{
	_free_ struct bench_tally *t = calloc(1, sizeof(*t));
	char line[LINE_ROOM];
	long long began, us;
	int status;

	if (!t)
		return -ENOMEM;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lld %d %lld", &began, &status, &us) != 3 ||
		    us < 0)
			return garbage(why,
				       "h2load's log of three numbers a line");
		if (status == 200)
			bench_tally_add(t, us);
	}
	return bench_tally_take(t, 1e-6, out);
}

int bench_read_h2load(const struct bench_load *l, struct bench_report *out,
		      struct buf *why)
{
	_fclose_ FILE *f = NULL;
	int err = take_h2load_summary(l, out, why);

	if (err)
		return err;
	f = open_report(l, BENCH_H2LOAD_LOG, why);
	return f ? take_h2load_log(f, &out->times, why) : -ENOENT;
}
