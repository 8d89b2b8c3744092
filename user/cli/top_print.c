// SPDX-License-Identifier: Apache-2.0
/* Its columns are of fixed width, so that they stand still while the numbers
 * change: of 80 columns the pod has what the numbers leave. */
#include "cli/top_print.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "base/buf.h"
#include "cli/ask_agent.h"

#define NUMBERS_WIDTH 55 /* of all columns behind the pod's */
#define POD_MIN 12
#define HEAD_LINES 4 /* before the first pod */
#define AMOUNT_MAX 16

static unsigned long long number(yyjson_val *o, const char *key)
{
	return yyjson_get_uint(yyjson_obj_get(o, key));
}

/* ---- numbers ------------------------------------------------------------- */

/* "-" if not known; else of at most five characters. */
static const char *amount(double n, char text[AMOUNT_MAX])
{
	static const char units[] = "\0KMGTPE";
	size_t unit = 0;

	if (n < 0)
		return "-";
	while (n >= 999.5 && unit < sizeof(units) - 2) {
		n /= 1024;
		unit++;
	}
	snprintf(text, AMOUNT_MAX, unit && n < 9.95 ? "%.1f%c" : "%.0f%c", n,
		 units[unit]);
	return text;
}

static const char *per_second(double n, char text[AMOUNT_MAX])
{
	if (n < 0)
		return "-";
	snprintf(text, AMOUNT_MAX, n < 99.95 ? "%.1f" : "%.0f", n);
	return text;
}

static double both(double rx, double tx)
{
	return rx < 0 || tx < 0 ? -1 : rx + tx;
}

/* ---- text ---------------------------------------------------------------- */

/* Of a long name the end, which tells a Deployment's pods apart. */
static void add_name(struct buf *line, const struct top_row *row, size_t width)
{
	char name[512];
	size_t len;

	snprintf(name, sizeof(name), "%s/%s", row->ns, row->pod);
	for (char *c = name; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	len = strlen(name);
	if (len >= width)
		buf_printf(line, "~%s ", name + len - (width - 2));
	else
		buf_printf(line, "%-*s", (int)width, name);
}

static void add_ration(struct buf *line, const struct top_row *row)
{
	char text[32];

	if (row->rationed)
		snprintf(text, sizeof(text), "%u%%+%llu", top_ration(row),
			 row->rationed);
	else
		snprintf(text, sizeof(text), "%u%%", top_ration(row));
	buf_printf(line, " %8s", text);
}

static void add_row(struct buf *line, const struct top_row *row, size_t width)
{
	char opened[AMOUNT_MAX], r[AMOUNT_MAX], d[AMOUNT_MAX], mem[AMOUNT_MAX];

	add_name(line, row, width);
	buf_printf(line, "%5llu %5llu %6s %7s %7s %5llu %5s",
		   row->smcr + row->smcd, row->tcp,
		   per_second(row->opened, opened),
		   amount(both(row->smcr_rx, row->smcr_tx), r),
		   amount(both(row->smcd_rx, row->smcd_tx), d), row->fallbacks,
		   amount(row->buffers, mem));
	add_ration(line, row);
}

static void add_sums(struct buf *line, yyjson_val *held)
{
	char bytes[AMOUNT_MAX], most[AMOUNT_MAX];

	buf_printf(line,
		   "pending %llu/%llu  connections %llu/%llu  buffers %s/%s  "
		   "rationed %llu",
		   number(held, "pending"), number(held, "pending_max"),
		   number(held, "connections"), number(held, "connections_max"),
		   amount(number(held, "buffer_bytes"), bytes),
		   amount(number(held, "buffer_bytes_max"), most),
		   number(held, "rationed"));
}

static void put_line(struct buf *line, const struct top_size *size, FILE *to)
{
	size_t len = line->len;

	if (size->columns && len > size->columns)
		len = size->columns;
	fprintf(to, "%.*s\n", (int)len, line->data ?: "");
	buf_free(line);
	*line = (struct buf){};
}

static size_t pod_width(const struct top_rows *rows,
			const struct top_size *size)
{
	size_t width = POD_MIN;

	if (size->columns)
		return size->columns > NUMBERS_WIDTH + POD_MIN
			       ? size->columns - NUMBERS_WIDTH
			       : POD_MIN;
	for (size_t i = 0; i < rows->n; i++) {
		size_t len = strlen(rows->v[i].ns) + strlen(rows->v[i].pod) + 2;

		if (len > width)
			width = len;
	}
	return width;
}

/* How many pods there is room for; the last line may be that of the rest. */
static size_t rows_shown(const struct top_rows *rows,
			 const struct top_size *size)
{
	size_t room = size->lines > HEAD_LINES ? size->lines - HEAD_LINES : 0;

	if (!size->lines || rows->n <= room)
		return rows->n;
	return room ? room - 1 : 0;
}

void top_print(yyjson_val *now, const struct top_rows *rows,
	       const struct top_size *size, FILE *to)
{
	size_t width = pod_width(rows, size), shown = rows_shown(rows, size);
	struct buf line = {};

	buf_printf(&line, "smcmesh top: node %s, %s, the last %.1f s",
		   json_text(now, "node"), json_text(now, "time"),
		   rows->seconds);
	put_line(&line, size, to);
	add_sums(&line, yyjson_obj_get(now, "held"));
	put_line(&line, size, to);
	put_line(&line, size, to);
	buf_printf(&line, "%-*s%5s %5s %6s %7s %7s %5s %5s %8s", (int)width,
		   "POD", "SMC", "TCP", "NEW/s", "SMC-R/s", "SMC-D/s", "FELL",
		   "MEM", "RATION");
	put_line(&line, size, to);
	for (size_t i = 0; i < shown; i++) {
		add_row(&line, &rows->v[i], width);
		put_line(&line, size, to);
	}
	if (shown < rows->n && size->lines > HEAD_LINES) {
		buf_printf(&line, "and %zu more pods", rows->n - shown);
		put_line(&line, size, to);
	}
}

/* ---- JSON ---------------------------------------------------------------- */

static void add_rate(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key,
		     double n)
{
	if (n < 0)
		yyjson_mut_obj_add_null(doc, o, key);
	else
		yyjson_mut_obj_add_real(doc, o, key, n);
}

static void add_pod(yyjson_mut_doc *doc, yyjson_mut_val *arr,
		    const struct top_row *row)
{
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr);

	yyjson_mut_obj_add_str(doc, o, "namespace", row->ns);
	yyjson_mut_obj_add_str(doc, o, "pod", row->pod);
	yyjson_mut_obj_add_uint(doc, o, "smcr", row->smcr);
	yyjson_mut_obj_add_uint(doc, o, "smcd", row->smcd);
	yyjson_mut_obj_add_uint(doc, o, "tcp", row->tcp);
	add_rate(doc, o, "opened_per_second", row->opened);
	add_rate(doc, o, "fallbacks_per_second", row->fell);
	add_rate(doc, o, "smcr_rx_bytes_per_second", row->smcr_rx);
	add_rate(doc, o, "smcr_tx_bytes_per_second", row->smcr_tx);
	add_rate(doc, o, "smcd_rx_bytes_per_second", row->smcd_rx);
	add_rate(doc, o, "smcd_tx_bytes_per_second", row->smcd_tx);
	yyjson_mut_obj_add_uint(doc, o, "fallbacks", row->fallbacks);
	yyjson_mut_obj_add_uint(doc, o, "buffer_bytes", row->buffers);
	yyjson_mut_obj_add_uint(doc, o, "pending", row->pending);
	yyjson_mut_obj_add_uint(doc, o, "pending_max", row->pending_max);
	yyjson_mut_obj_add_uint(doc, o, "connections", row->connections);
	yyjson_mut_obj_add_uint(doc, o, "connections_max",
				row->connections_max);
	yyjson_mut_obj_add_uint(doc, o, "rationed", row->rationed);
}

int top_print_json(yyjson_val *now, const struct top_rows *rows)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = yyjson_mut_obj(doc), *arr;

	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_str(doc, root, "time", json_text(now, "time"));
	yyjson_mut_obj_add_str(doc, root, "node", json_text(now, "node"));
	yyjson_mut_obj_add_real(doc, root, "seconds", rows->seconds);
	yyjson_mut_obj_add_val(
		doc, root, "held",
		yyjson_val_mut_copy(doc, yyjson_obj_get(now, "held")));
	arr = yyjson_mut_obj_add_arr(doc, root, "pods");
	for (size_t i = 0; i < rows->n; i++)
		add_pod(doc, arr, &rows->v[i]);
	return json_print(doc, 0);
}
