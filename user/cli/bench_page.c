// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_page.h"

#include <math.h>
#include <string.h>
#include "base/cleanup.h"
#include "cli/bench_figure.h"
#include "cli/bench_json.h"
#include "cli/bench_table.h"

/* The colours are told apart by brightness, too, and the lines by dashes. */
static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<title>smcmesh bench</title>\n<style>\n"
	":root{--back:#fff;--text:#1b1b1b;--soft:#5a5a5a;--grid:#d8d8d8;--tcp:#a34700;--smc:#00568f;--control:#5f5f5f}\n"
	"@media (prefers-color-scheme:dark){:root{--back:#15181c;--text:#ececec;--soft:#b0b0b0;--grid:#3a3f45;--tcp:#ffb073;--smc:#7cc4ff;--control:#bdbdbd}}\n"
	"body{background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif;max-width:58rem;margin:1.5rem auto;padding:0 1rem}\n"
	"table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}\n"
	"caption{text-align:left;font-weight:600;padding:.3rem 0}\n"
	"th,td{text-align:right;padding:.25rem .7rem;border-bottom:1px solid var(--grid);white-space:nowrap}\n"
	"th:first-child,th.text,td.text{text-align:left}td.text{white-space:normal}\n"
	"td small{display:block}small,.soft{color:var(--soft)}fieldset{border:1px solid var(--grid);margin:1rem 0;min-width:0}\n"
	".linear-figure,.log-figure{overflow-x:auto}\n"
	"svg{width:100%;min-width:42rem;height:auto}svg text{fill:var(--text);font:12px system-ui,sans-serif}\n"
	".grid{stroke:var(--grid);fill:none}.steps{stroke-width:1;fill-opacity:.22}\n"
	".curve{fill:none;stroke-width:2.2}.tcp{stroke:var(--tcp);fill:var(--tcp)}\n"
	".smc{stroke:var(--smc);fill:var(--smc)}.control{stroke:var(--control);fill:var(--control)}\n"
	".curve.tcp,.curve.smc,.curve.control{fill:none}.curve.tcp{stroke-dasharray:7 4}.curve.control{stroke-dasharray:2 3}\n"
	".steps.control{fill-opacity:.08}\n"
	".log-figure{display:none}fieldset:has(.to-log:checked) .log-figure{display:block}\n"
	"fieldset:has(.to-log:checked) .linear-figure{display:none}\n"
	"</style>\n</head>\n<body>\n<main>\n";

/* Text of the document is data of others. */
static void add_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			buf_printf(out, "&lt;");
			break;
		case '>':
			buf_printf(out, "&gt;");
			break;
		case '&':
			buf_printf(out, "&amp;");
			break;
		case '"':
			buf_printf(out, "&quot;");
			break;
		default:
			buf_add(out, text, 1);
		}
	}
}

static void add_cell(struct buf *out, const char *text)
{
	buf_printf(out, "<td class=\"text\">");
	add_text(out, text);
	buf_printf(out, "</td>");
}

/* ---- the head ------------------------------------------------------------ */

static void add_title(yyjson_val *root, struct buf *out)
{
	const double rate =
		bench_json_number(root, "/load/wanted_requests_per_second");
	const double n = bench_json_number(root, "/machine/processors");
	_buf_ struct buf names = {};

	buf_printf(out, "<h1>smcmesh bench: TCP and SMC</h1>\n<p>");
	add_text(out, bench_json_text(root, "/load/generator"));
	if (rate > 0)
		buf_printf(out, ", wanted %.0f requests/s", rate);
	buf_printf(
		out,
		", %.0f connections, payload of %.0f bytes, %.0f rounds of %.0f s, one side after the other in each.<br>\n<span class=\"soft\">",
		bench_json_number(root, "/load/connections"),
		bench_json_number(root, "/load/payload_bytes"),
		bench_json_number(root, "/rounds"),
		bench_json_number(root, "/load/seconds"));
	add_text(out, bench_machine_names(root, &names));
	buf_printf(out, ": Linux ");
	add_text(out, bench_json_text(root, "/machine/kernel"));
	buf_printf(out, ", %.0f processor%s, ", n, n == 1 ? "" : "s");
	add_text(out, bench_json_text(root, "/machine/processor"));
	buf_printf(out, ", ");
	add_text(out, bench_json_text(root, "/began"));
	buf_printf(out, "</span></p>\n");
}

static void add_notes(yyjson_val *root, struct buf *out)
{
	_buf_ struct buf notes = {};
	char *line, *rest;

	bench_notes(root, &notes);
	rest = notes.data;
	buf_printf(out, "<ul>\n");
	while (rest && (line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		buf_printf(out, "<li>");
		add_text(out, line);
		buf_printf(out, "</li>\n");
	}
	buf_printf(out, "</ul>\n");
}

/* ---- tables -------------------------------------------------------------- */

static void add_heads(yyjson_val *root, struct buf *out, const char *caption,
		      bool ratios)
{
	buf_printf(out, "<table>\n<caption>%s</caption>\n<thead><tr><td></td>",
		   caption);
	for (const struct bench_side_name *s = bench_side_names; s->word; s++)
		if (bench_json_side(root, s->word))
			buf_printf(out, "<th scope=\"col\">%s</th>", s->title);
	if (ratios)
		buf_printf(
			out,
			"<th scope=\"col\">SMC/TCP</th><th scope=\"col\">control/TCP</th>");
	buf_printf(out, "</tr></thead>\n<tbody>\n");
}

/* The numbers of a cell as the document has them, for programs. */
static void add_spread(struct buf *out, const char *of, const char *metric,
		       yyjson_val *spread, double scale, int digits)
{
	const double median = bench_json_number(spread, "/median");
	const double low = bench_json_number(spread, "/low");
	const double high = bench_json_number(spread, "/high");

	if (isnan(median))
		buf_printf(out, "<td>-</td>");
	else
		buf_printf(
			out,
			"<td data-of=\"%s\" data-metric=\"%s\" data-median=\"%.17g\" data-low=\"%.17g\" data-high=\"%.17g\">%.*f <small>%.*f-%.*f</small></td>",
			of, metric, median, low, high, digits, median * scale,
			digits, low * scale, digits, high * scale);
}

static void add_metrics(yyjson_val *root, struct buf *out)
{
	yyjson_val *ratio = yyjson_obj_get(root, "ratio");

	add_heads(root, out, "Medians of the rounds, least-most",
		  yyjson_is_obj(ratio));
	for (const struct bench_column *c = bench_columns; c->word; c++) {
		yyjson_val *r = yyjson_obj_get(ratio, c->word);

		buf_printf(out, "<tr><th scope=\"row\">%s</th>", c->title);
		for (const struct bench_side_name *s = bench_side_names;
		     s->word; s++)
			if (bench_json_side(root, s->word))
				add_spread(
					out, s->word, c->word,
					yyjson_obj_get(
						yyjson_obj_get(
							bench_json_side(
								root, s->word),
							"spread"),
						c->word),
					c->scale, c->digits);
		if (r) {
			add_spread(out, "ratio-smc", c->word,
				   yyjson_obj_get(r, "smc"), 1, 2);
			add_spread(out, "ratio-control", c->word,
				   yyjson_obj_get(r, "control"), 1, 2);
		}
		buf_printf(out, "</tr>\n");
	}
	buf_printf(out, "</tbody>\n</table>\n");
}

static void add_paced(yyjson_val *root, struct buf *out)
{
	const double rate =
		bench_json_number(root, "/paced/wanted_requests_per_second");
	yyjson_val *paced = yyjson_obj_get(root, "paced");

	add_heads(root, out, "All at one rate, where latencies are comparable",
		  false);
	for (const struct bench_column *c = bench_columns; c->word; c++) {
		buf_printf(out, "<tr><th scope=\"row\">%s</th>", c->title);
		for (const struct bench_side_name *s = bench_side_names;
		     s->word; s++) {
			const double v = bench_json_numberf(paced, "/%s/%s",
							    s->word, c->word);

			if (!bench_json_side(root, s->word))
				continue;
			if (isnan(v))
				buf_printf(out, "<td>-</td>");
			else
				buf_printf(
					out,
					"<td data-of=\"paced-%s\" data-metric=\"%s\" data-value=\"%.17g\">%.*f</td>",
					s->word, c->word, v, c->digits,
					v * c->scale);
		}
		buf_printf(out, "</tr>\n");
	}
	buf_printf(
		out,
		"</tbody>\n</table>\n<p class=\"soft\">Wanted: %.0f requests/s.</p>\n",
		rate);
}

static void add_connections(yyjson_val *root, struct buf *out)
{
	buf_printf(
		out,
		"<table>\n<caption>What became of the connections, by the kernel's socket diagnosis</caption>\n"
		"<thead><tr><th scope=\"col\">side</th><th scope=\"col\" class=\"text\">to</th><th scope=\"col\" class=\"text\">started by</th><th scope=\"col\" class=\"text\">are</th></tr></thead>\n<tbody>\n");
	for (const struct bench_side_name *s = bench_side_names; s->word; s++) {
		yyjson_val *side = bench_json_side(root, s->word);
		_buf_ struct buf text = {};
		const char *by;

		if (!side)
			continue;
		buf_printf(out, "<tr><th scope=\"row\">%s</th>", s->title);
		add_cell(out, bench_json_text(side, "/target"));
		by = bench_json_text(side, "/started_by");
		add_cell(out, *by ? by : "-");
		bench_connections_text(side, &text);
		buf_printf(
			out,
			"<td class=\"text\" data-connections=\"%s\">%s</td></tr>\n",
			s->word, text.data ?: "");
	}
	buf_printf(out, "</tbody>\n</table>\n");
}

/* ---- figures ------------------------------------------------------------- */

static void add_figures(struct buf *out, const char *id, const char *legend,
			const struct bench_line *lines)
{
	char name[32];

	buf_printf(
		out,
		"<fieldset>\n<legend>%s</legend>\n"
		"<label><input type=\"radio\" name=\"%s\" checked> linear</label>\n"
		"<label><input type=\"radio\" name=\"%s\" class=\"to-log\"> logarithmic</label>\n"
		"<div class=\"linear-figure\">\n",
		legend, id, id);
	snprintf(name, sizeof(name), "%s-linear", id);
	bench_figure(out, name, false, lines);
	buf_printf(out, "</div>\n<div class=\"log-figure\">\n");
	snprintf(name, sizeof(name), "%s-log", id);
	bench_figure(out, name, true, lines);
	buf_printf(out, "</div>\n</fieldset>\n");
}

/* @of: the object whose members are the sides. */
static void add_times(yyjson_val *of, struct buf *out, const char *id,
		      const char *legend)
{
	struct bench_line lines[4] = {};

	for (int i = 0; bench_side_names[i].word; i++) {
		lines[i].word = bench_side_names[i].word;
		lines[i].title = bench_side_names[i].title;
		lines[i].histogram = yyjson_obj_get(
			yyjson_obj_get(of, lines[i].word), "histogram");
	}
	add_figures(out, id, legend, lines);
}

static void add_command(yyjson_val *root, struct buf *out)
{
	yyjson_val *word;
	size_t i, max;

	buf_printf(out, "<p class=\"soft\">smcmesh ");
	add_text(out, bench_json_text(root, "/smcmesh"));
	buf_printf(out, ": <code>");
	yyjson_arr_foreach (yyjson_obj_get(root, "command"), i, max, word) {
		buf_printf(out, "%s", i ? " " : "");
		add_text(out, yyjson_get_str(word) ?: "");
	}
	buf_printf(out, "</code></p>\n");
}

void bench_page(yyjson_val *root, struct buf *out)
{
	buf_add(out, head, sizeof(head) - 1);
	add_title(root, out);
	add_notes(root, out);
	add_metrics(root, out);
	add_times(yyjson_obj_get(root, "sides"), out, "times",
		  "Response times, all rounds: scale of time");
	if (yyjson_is_obj(yyjson_obj_get(root, "paced"))) {
		add_paced(root, out);
		add_times(yyjson_obj_get(root, "paced"), out, "paced",
			  "Response times at one rate: scale of time");
	}
	add_connections(root, out);
	add_command(root, out);
	buf_printf(out, "</main>\n</body>\n</html>\n");
}
