// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_figure.h"

#include <math.h>
#include "mesh/bench.h"

/* The drawing, in units of its viewBox. */
enum {
	WIDTH = 860,
	HEIGHT = 380,
	LEFT = 70,
	RIGHT = 800,
	TOP = 20,
	BOTTOM = 320
};
#define BINS 60
#define CURVE_POINTS 120
#define LINES_MAX 3
/* What is beyond this percentile is not drawn: some requests of thousands would
 * press all others to the edge. */
#define SHOWN 99.9
#define WIDE 1e4

struct figure {
	struct buf *out;
	const struct bench_line *lines;
	struct bench_hist h[LINES_MAX];
	bool log;
	double min, max; /* seconds at the edges */
	double peak;	 /* the highest share of a bin */
};

/* ---- scales -------------------------------------------------------------- */

/* The time at @part (0 to 1) of the axis. */
static double time_at(const struct figure *f, double part)
{
	return f->log ? f->min * pow(f->max / f->min, part)
		      : f->min + (f->max - f->min) * part;
}

static double x_of(const struct figure *f, double seconds)
{
	const double part =
		f->log ? log(seconds / f->min) / log(f->max / f->min)
		       : (seconds - f->min) / (f->max - f->min);

	return LEFT + part * (RIGHT - LEFT);
}

static double y_of(double part)
{
	return BOTTOM - part * (BOTTOM - TOP);
}

/* Of the requests of one line: the share of bin @i. */
static double share(const struct figure *f, const struct bench_hist *h, int i)
{
	return (bench_hist_below(h, time_at(f, (i + 1.0) / BINS)) -
		bench_hist_below(h, time_at(f, (double)i / BINS))) /
	       h->count;
}

static void read_line(const struct bench_line *line, struct bench_hist *out)
{
	yyjson_val *bin;
	size_t i, max;

	yyjson_arr_foreach (line->histogram, i, max, bin) {
		/* one that is no bin is left out */
		(void)!bench_hist_add(out,
				      yyjson_get_num(yyjson_arr_get(bin, 0)),
				      yyjson_get_num(yyjson_arr_get(bin, 1)),
				      yyjson_get_num(yyjson_arr_get(bin, 2)));
	}
}

static void measure(struct figure *f)
{
	f->min = INFINITY;
	for (int i = 0; i < LINES_MAX; i++) {
		if (!(f->h[i].count > 0))
			continue;
		f->min = fmin(f->min, f->h[i].min);
		f->max = fmax(f->max, bench_hist_percentile(&f->h[i], SHOWN));
	}
	if (!(f->max > 0))
		f->min = f->max = 1e-3;
	/* a logarithmic axis has no zero; the other begins there */
	f->min = f->log ? fmax(f->min, 1e-6) : 0;
	f->max = fmax(f->max, f->min + 1e-6);
	for (int i = 0; i < LINES_MAX; i++)
		for (int bin = 0; f->h[i].count > 0 && bin < BINS; bin++)
			f->peak = fmax(f->peak, share(f, &f->h[i], bin));
	f->peak = f->peak > 0 ? f->peak : 1;
}

/* ---- axes ---------------------------------------------------------------- */

static void tick_x(struct figure *f, double seconds)
{
	const double x = x_of(f, seconds);

	if (x < LEFT - 0.1 || x > RIGHT + 0.1)
		return;
	buf_printf(
		f->out,
		"<path class=\"grid\" d=\"M%.1f %dV%d\"/>"
		"<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
		x, TOP, BOTTOM, x, BOTTOM + 18, seconds * 1e3);
}

/* 1, 2, 5, 10, 20 ... of a unit that gives five to ten of them. */
static double step_of(double range)
{
	const double unit = pow(10, floor(log10(range / 5)));
	const double times = range / 5 / unit;

	return unit * (times >= 5 ? 5 : times >= 2 ? 2 : 1);
}

static void draw_x(struct figure *f)
{
	static const double log_steps[] = {1, 2, 5};

	if (f->log) {
		/* a wide range has room for the powers alone */
		const int n = f->max / f->min > WIDE ? 1 : 3;

		for (int decade = -6; decade <= 3; decade++)
			for (int i = 0; i < n; i++)
				tick_x(f, log_steps[i] * pow(10, decade));
	} else {
		const double step = step_of(f->max);

		for (int i = 0; i * step <= f->max; i++)
			tick_x(f, i * step);
	}
	buf_printf(
		f->out,
		"<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">response time in ms (%s)</text>\n",
		(LEFT + RIGHT) / 2, HEIGHT - 12,
		f->log ? "logarithmic" : "linear");
}

static void draw_y(struct figure *f)
{
	for (int i = 0; i <= 4; i++) {
		const double y = y_of(i / 4.0);

		buf_printf(
			f->out,
			"<path class=\"grid\" d=\"M%d %.1fH%d\"/>"
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.1f%%</text>"
			"<text x=\"%d\" y=\"%.1f\">%d%%</text>\n",
			LEFT, y, RIGHT, LEFT - 6, y + 4, f->peak * 100 * i / 4,
			RIGHT + 6, y + 4, 25 * i);
	}
	buf_printf(
		f->out,
		"<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">share of requests (steps)</text>\n"
		"<text transform=\"translate(%d %d) rotate(-90)\" text-anchor=\"middle\">at most so long (curve)</text>\n",
		(TOP + BOTTOM) / 2, WIDTH - 6, (TOP + BOTTOM) / 2);
}

/* ---- lines --------------------------------------------------------------- */

static void draw_steps(struct figure *f, int line)
{
	const struct bench_hist *h = &f->h[line];

	buf_printf(f->out, "<path class=\"steps %s\" d=\"M%d %d",
		   f->lines[line].word, LEFT, BOTTOM);
	for (int i = 0; i < BINS; i++)
		buf_printf(f->out, "V%.2f H%.2f ",
			   y_of(share(f, h, i) / f->peak),
			   LEFT + (RIGHT - LEFT) * (i + 1.0) / BINS);
	buf_printf(f->out, "V%dZ\"/>\n", BOTTOM);
}

static void draw_curve(struct figure *f, int line)
{
	const struct bench_hist *h = &f->h[line];

	buf_printf(f->out, "<path class=\"curve %s\" d=\"",
		   f->lines[line].word);
	for (int i = 0; i <= CURVE_POINTS; i++) {
		const double part = (double)i / CURVE_POINTS;
		const double y =
			bench_hist_below(h, time_at(f, part)) / h->count;

		buf_printf(f->out, "%s%.2f %.2f ", i ? "L" : "M",
			   LEFT + (RIGHT - LEFT) * part, y_of(y));
	}
	buf_printf(f->out, "\"/>\n");
}

static void draw_percentiles(struct figure *f, int line)
{
	for (int i = 0; i < BENCH_PERCENTILES; i++) {
		const double p = bench_percentiles[i];
		const double t = bench_hist_percentile(&f->h[line], p);

		if (t > f->max * (1 + 1e-9) || t < f->min)
			continue;
		buf_printf(
			f->out,
			"<circle class=\"mark %s\" cx=\"%.2f\" cy=\"%.2f\" r=\"4\" data-percentile=\"%g\" data-seconds=\"%.9g\"><title>%s P%g: %.3f ms</title></circle>\n",
			f->lines[line].word, x_of(f, t), y_of(p / 100), p, t,
			f->lines[line].title, p, t * 1e3);
	}
}

static void draw_legend(struct figure *f)
{
	int x = LEFT + 12;

	for (int i = 0; i < LINES_MAX && f->lines[i].word; i++) {
		if (!(f->h[i].count > 0))
			continue;
		buf_printf(
			f->out,
			"<path class=\"curve %s\" d=\"M%d 10h28\"/><text x=\"%d\" y=\"14\">%s</text>\n",
			f->lines[i].word, x, x + 34, f->lines[i].title);
		x += 130;
	}
}

static void open_svg(struct figure *f, const char *id)
{
	buf_printf(
		f->out,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-t %s-d\" data-scale=\"%s\" data-bins=\"%d\" data-min=\"%.9g\" data-max=\"%.9g\" data-left=\"%d\" data-right=\"%d\" data-top=\"%d\" data-bottom=\"%d\" data-peak=\"%.9g\">\n"
		"<title id=\"%s-t\">Response times, %s scale</title>\n"
		"<desc id=\"%s-d\">Histograms as steps and cumulative curves; the same numbers are in the table. Up to percentile %g.</desc>\n",
		WIDTH, HEIGHT, id, id, f->log ? "log" : "linear", BINS, f->min,
		f->max, LEFT, RIGHT, TOP, BOTTOM, f->peak, id,
		f->log ? "logarithmic" : "linear", id, SHOWN);
}

void bench_figure(struct buf *out, const char *id, bool log,
		  const struct bench_line *lines)
{
	struct figure f = {.out = out, .lines = lines, .log = log};

	for (int i = 0; i < LINES_MAX && lines[i].word; i++)
		read_line(&lines[i], &f.h[i]);
	measure(&f);
	open_svg(&f, id);
	draw_x(&f);
	draw_y(&f);
	for (int i = 0; i < LINES_MAX; i++) {
		if (!(f.h[i].count > 0))
			continue;
		draw_steps(&f, i);
		draw_curve(&f, i);
		draw_percentiles(&f, i);
	}
	draw_legend(&f);
	buf_printf(out, "</svg>\n");
	for (int i = 0; i < LINES_MAX; i++)
		bench_hist_free(&f.h[i]);
}
