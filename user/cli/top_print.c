// SPDX-License-Identifier: Apache-2.0
/* Its columns are of fixed width, so that they stand still while the numbers
 * change: of a line the pod has what the numbers leave. */
#include "cli/top_print.h"

#include <errno.h>
#include <string.h>
#include "base/buf.h"
#include "cli/ask_agent.h"
#include "cli/output.h"
#include "cli/table.h"

#define POD_MIN 12
#define HEAD_LINES 4 /* before the first pod */
#define TEXT_MAX 32

/* ---- numbers ------------------------------------------------------------- */

/* "-" if not known; else of at most five characters. */
static const char *amount(double n, char text[TEXT_MAX])
{
	static const char units[] = "\0KMGTPE";
	size_t unit = 0;

	if (n < 0)
		return "-";
	while (n >= 999.5 && unit < sizeof(units) - 2) {
		n /= 1024;
		unit++;
	}
	snprintf(text, TEXT_MAX, unit && n < 9.95 ? "%.1f%c" : "%.0f%c", n,
		 units[unit]);
	return text;
}

static const char *per_second(double n, char text[TEXT_MAX])
{
	if (n < 0)
		return "-";
	snprintf(text, TEXT_MAX, n < 99.95 ? "%.1f" : "%.0f", n);
	return text;
}

static const char *count(unsigned long long n, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX, "%llu", n);
	return text;
}

static const char *part(unsigned long long held, unsigned long long most,
			char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX, "%llu/%llu", held, most);
	return text;
}

static double both(double rx, double tx)
{
	return rx < 0 || tx < 0 ? -1 : rx + tx;
}

static const char *ration(const struct top_row *row, char text[TEXT_MAX])
{
	if (row->rationed)
		snprintf(text, TEXT_MAX, "%u%%+%llu", top_ration(row),
			 row->rationed);
	else
		snprintf(text, TEXT_MAX, "%u%%", top_ration(row));
	return text;
}

/* ---- columns ------------------------------------------------------------- */

enum column {
	SMC,
	SMCR,
	SMCD,
	TCP,
	NEW,
	FELL_RATE,
	SMCR_BOTH,
	SMCD_BOTH,
	SMCR_IN,
	SMCR_OUT,
	SMCD_IN,
	SMCD_OUT,
	FELL,
	MEMORY,
	RATION,
	PENDING,
	CONNECTIONS,
	RATIONED,
};

/* @width with the blank before it. */
static const struct {
	const char *head;
	int width;
	bool short_has, wide_has;
} columns[] = {
	[SMC] = {"SMC", 5, true, false},
	[SMCR] = {"SMC-R", 6, false, true},
	[SMCD] = {"SMC-D", 6, false, true},
	[TCP] = {"TCP", 6, true, true},
	[NEW] = {"NEW/s", 7, true, true},
	[FELL_RATE] = {"FELL/s", 7, false, true},
	[SMCR_BOTH] = {"SMC-R/s", 8, true, false},
	[SMCD_BOTH] = {"SMC-D/s", 8, true, false},
	[SMCR_IN] = {"R-IN/s", 8, false, true},
	[SMCR_OUT] = {"R-OUT/s", 8, false, true},
	[SMCD_IN] = {"D-IN/s", 8, false, true},
	[SMCD_OUT] = {"D-OUT/s", 8, false, true},
	[FELL] = {"FELL", 6, true, true},
	[MEMORY] = {"MEM", 6, true, true},
	[RATION] = {"RATION", 9, true, false},
	[PENDING] = {"PENDING", 9, false, true},
	[CONNECTIONS] = {"CONNS", 10, false, true},
	[RATIONED] = {"RATIONED", 9, false, true},
};

static bool is_shown(size_t c)
{
	return output_format() == OUTPUT_WIDE ? columns[c].wide_has
					      : columns[c].short_has;
}

static const char *cell(size_t c, const struct top_row *row,
			char text[TEXT_MAX])
{
	switch ((enum column)c) {
	case SMC:
		return count(row->smcr + row->smcd, text);
	case SMCR:
		return count(row->smcr, text);
	case SMCD:
		return count(row->smcd, text);
	case TCP:
		return count(row->tcp, text);
	case NEW:
		return per_second(row->opened, text);
	case FELL_RATE:
		return per_second(row->fell, text);
	case SMCR_BOTH:
		return amount(both(row->smcr_rx, row->smcr_tx), text);
	case SMCD_BOTH:
		return amount(both(row->smcd_rx, row->smcd_tx), text);
	case SMCR_IN:
		return amount(row->smcr_rx, text);
	case SMCR_OUT:
		return amount(row->smcr_tx, text);
	case SMCD_IN:
		return amount(row->smcd_rx, text);
	case SMCD_OUT:
		return amount(row->smcd_tx, text);
	case FELL:
		return count(row->fallbacks, text);
	case MEMORY:
		return amount(row->buffers, text);
	case RATION:
		return ration(row, text);
	case PENDING:
		return part(row->pending, row->pending_max, text);
	case CONNECTIONS:
		return part(row->connections, row->connections_max, text);
	case RATIONED:
		return count(row->rationed, text);
	}
	return "";
}

/* ---- lines --------------------------------------------------------------- */

struct page {
	const struct top_size *size;
	size_t width; /* of the pods' column */
	size_t lines; /* that were put */
	FILE *to;
};

static void put_line(struct page *p, struct buf *line)
{
	size_t len = line->len;

	if (p->size->columns && len > p->size->columns)
		len = p->size->columns;
	if (!p->size->lines || p->lines++ < p->size->lines)
		fprintf(p->to, "%.*s\n", (int)len, line->data ?: "");
	buf_free(line);
}

static void name_of(const struct top_row *row, char name[512])
{
	snprintf(name, 512, "%s/%s", row->ns, row->pod);
	table_printable(name);
}

/* Of a long name the end, which tells a Deployment's pods apart. */
static void add_name(struct buf *line, const struct top_row *row, size_t width)
{
	char name[512];
	size_t len;

	name_of(row, name);
	len = strlen(name);
	if (len >= width)
		buf_printf(line, "~%s ", name + len - (width - 2));
	else
		buf_printf(line, "%-*s", (int)width, name);
}

static void put_row(struct page *p, const struct top_row *row)
{
	struct buf line = {};
	char text[TEXT_MAX];

	add_name(&line, row, p->width);
	for (size_t c = 0; c < array_size(columns); c++)
		if (is_shown(c))
			buf_printf(&line, " %*s", columns[c].width - 1,
				   cell(c, row, text));
	put_line(p, &line);
}

static void put_titles(struct page *p)
{
	struct buf line = {};

	buf_printf(&line, "%-*s", (int)p->width, "POD");
	for (size_t c = 0; c < array_size(columns); c++)
		if (is_shown(c))
			buf_printf(&line, " %*s", columns[c].width - 1,
				   columns[c].head);
	put_line(p, &line);
}

static void add_sums(struct buf *line, yyjson_val *held)
{
	char bytes[TEXT_MAX], most[TEXT_MAX];

	buf_printf(line,
		   "pending %llu/%llu  connections %llu/%llu  buffers %s/%s  "
		   "rationed %llu",
		   json_count(held, "pending"), json_count(held, "pending_max"),
		   json_count(held, "connections"),
		   json_count(held, "connections_max"),
		   amount(json_count(held, "buffer_bytes"), bytes),
		   amount(json_count(held, "buffer_bytes_max"), most),
		   json_count(held, "rationed"));
}

static void put_head(struct page *p, yyjson_val *now, double seconds)
{
	struct buf line = {};

	buf_printf(&line, "smcmesh top: node %s, %s, the last %.1f s",
		   json_text(now, "node"), json_text(now, "time"), seconds);
	put_line(p, &line);
	add_sums(&line, yyjson_obj_get(now, "held"));
	put_line(p, &line);
	put_line(p, &line);
	put_titles(p);
}

/* ---- how much there is room for ------------------------------------------ */

static size_t numbers_width(void)
{
	size_t width = 0;

	for (size_t c = 0; c < array_size(columns); c++)
		if (is_shown(c))
			width += columns[c].width;
	return width;
}

static size_t pod_width(const struct top_rows *rows,
			const struct top_size *size)
{
	size_t width = POD_MIN, numbers = numbers_width();

	if (size->columns)
		return size->columns > numbers + POD_MIN
			       ? size->columns - numbers
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

/* ---- the whole ----------------------------------------------------------- */

static void print_names(const struct top_rows *rows, FILE *to)
{
	char name[512];

	for (size_t i = 0; i < rows->n; i++) {
		name_of(&rows->v[i], name);
		fprintf(to, "%s\n", name);
	}
}

void top_print(yyjson_val *now, const struct top_rows *rows,
	       const struct top_size *size, FILE *to)
{
	struct page p = {size, pod_width(rows, size), 0, to};
	size_t shown = rows_shown(rows, size);
	struct buf line = {};

	if (output_format() == OUTPUT_NAME) {
		print_names(rows, to);
		return;
	}
	if (output_headers())
		put_head(&p, now, rows->seconds);
	for (size_t i = 0; i < shown; i++)
		put_row(&p, &rows->v[i]);
	if (!rows->n && size->lines) {
		buf_printf(&line, "%s", TOP_EMPTY);
		put_line(&p, &line);
	}
	if (shown < rows->n && size->lines > HEAD_LINES) {
		buf_printf(&line, "and %zu more pods", rows->n - shown);
		put_line(&p, &line);
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
