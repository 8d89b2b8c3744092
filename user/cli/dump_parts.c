// SPDX-License-Identifier: Apache-2.0
#include "cli/dump_parts.h"

#include <bpf/libbpf.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>
#include "base/array.h"
#include "base/revision.h"
#include "base/text.h"
#include "base/when.h"
#include "cli/ask_agent.h"
#include "datapath/map_dump.h"
#include "doctor/report.h"
#include "node/kernel_log.h"
#include "node/program.h"
#include "node/smc_stats.h"

#define ASK_MS 30000
#define AGENT_LOG "agent-log.txt"
#define AGENT_LOG_MAX (4U << 20)

void dump_free(struct dump *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].name);
		buf_free(&d->v[i].text);
	}
	free(d->v);
	buf_free(&d->errors);
	free(d->node);
	*d = (struct dump){};
}

/* A new, empty file of the dump; NULL without memory. */
static struct buf *add_part(struct dump *d, const char *name,
			    enum dump_kind kind)
{
	struct dump_part *p = array_push(d->v, d->n);

	if (!p)
		return NULL;
	p->name = strdup(name);
	p->kind = kind;
	if (p->name)
		return &p->text;
	d->n--;
	return NULL;
}

static void add_missing(struct dump *d, const char *name, const char *why)
{
	d->missing++;
	buf_printf(&d->errors, "%s: %s\n", name, why);
}

/* Takes @doc over. */
static int add_doc(struct dump *d, const char *name, yyjson_mut_doc *doc)
{
	struct buf *to = doc ? add_part(d, name, DUMP_JSON) : NULL;
	_free_ char *text = NULL;
	size_t len;

	if (to)
		text = yyjson_mut_write(
			doc, YYJSON_WRITE_PRETTY | YYJSON_WRITE_NEWLINE_AT_END,
			&len);
	yyjson_mut_doc_free(doc);
	return text ? buf_add(to, text, len) : -ENOMEM;
}

static yyjson_mut_doc *doc_new(yyjson_mut_val **root)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);

	*root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, *root);
	return doc;
}

/* ---- of the agent ------------------------------------------------------ */

static const struct {
	const char *path, *name;
	enum dump_kind kind;
} questions[] = {
	{"/v1/status", "status.json", DUMP_JSON},
	{"/v1/pods", "pods.json", DUMP_JSON},
	{"/v1/endpoints", "endpoints.json", DUMP_JSON},
	{"/v1/flows?limit=all", "flows.json", DUMP_JSON},
	{"/v1/quarantine", "quarantine.json", DUMP_JSON},
	{"/v1/log-level", "log-level.json", DUMP_JSON},
	{"/v1/metrics", "metrics.txt", DUMP_METRICS},
};

static int ask_agent(struct dump *d)
{
	for (size_t i = 0; i < array_size(questions); i++) {
		_buf_ struct buf text = {}, why = {};
		struct buf *to;

		if (client_ask(d->run, questions[i].path, ASK_MS, &text,
			       &why)) {
			add_missing(d, questions[i].name, why.data ?: "");
			continue;
		}
		to = add_part(d, questions[i].name, questions[i].kind);
		if (!to)
			return -ENOMEM;
		*to = text;
		text = (struct buf){};
	}
	return 0;
}

static struct dump_part *find(const struct dump *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->v[i].name, name))
			return &d->v[i];
	return NULL;
}

/* The document of a part; NULL: there is none. */
static yyjson_doc *read_part(const struct dump_part *p)
{
	return p ? yyjson_read(p->text.data ?: "", p->text.len, 0) : NULL;
}

/* ---- of the node ------------------------------------------------------- */

static int add_version(struct dump *d, const struct doctor *doctor)
{
	char when[WHEN_STRLEN];
	struct utsname name = {};
	yyjson_mut_val *root;
	yyjson_mut_doc *doc = doc_new(&root);

	(void)!uname(&name);
	yyjson_mut_obj_add_strcpy(doc, root, "time",
				  when_format(time(NULL), when));
	yyjson_mut_obj_add_strcpy(doc, root, "node", d->node);
	yyjson_mut_obj_add_str(doc, root, "smcmesh", SMCMESH_VERSION);
	yyjson_mut_obj_add_str(doc, root, "commit", revision()->commit);
	yyjson_mut_obj_add_str(doc, root, "date", revision()->date);
	yyjson_mut_obj_add_uint(doc, root, "abi", SMC_ABI_VERSION);
	yyjson_mut_obj_add_str(doc, root, "libbpf", libbpf_version_string());
	yyjson_mut_obj_add_strcpy(doc, root, "kernel", doctor->host.release);
	yyjson_mut_obj_add_strcpy(doc, root, "kernel_build", name.version);
	yyjson_mut_obj_add_strcpy(doc, root, "machine", name.machine);
	yyjson_mut_obj_add_strcpy(doc, root, "system", doctor->os.name);
	return add_doc(d, "version.json", doc);
}

static void add_traffic(yyjson_mut_doc *doc, yyjson_mut_val *to,
			const char *key, const struct smc_traffic *t)
{
	yyjson_mut_val *o = yyjson_mut_obj_add_obj(doc, to, key);

	yyjson_mut_obj_add_uint(doc, o, "rx_bytes", t->rx_bytes);
	yyjson_mut_obj_add_uint(doc, o, "tx_bytes", t->tx_bytes);
	yyjson_mut_obj_add_uint(doc, o, "rx_calls", t->rx_calls);
	yyjson_mut_obj_add_uint(doc, o, "tx_calls", t->tx_calls);
	yyjson_mut_obj_add_uint(doc, o, "rx_buffers", t->rx_buffers);
	yyjson_mut_obj_add_uint(doc, o, "tx_buffers", t->tx_buffers);
}

static void add_space(yyjson_mut_doc *doc, yyjson_mut_val *arr,
		      const struct doctor_namespace *ns,
		      const struct smc_stats_of *of)
{
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr);

	yyjson_mut_obj_add_strcpy(doc, o, "path", ns->path);
	yyjson_mut_obj_add_uint(doc, o, "cookie", ns->cookie);
	yyjson_mut_obj_add_bool(doc, o, "armed", ns->armed);
	yyjson_mut_obj_add_strcpy(doc, o, "selector", ns->ctrl);
	yyjson_mut_obj_add_bool(doc, o, "selector_is_ours", ns->ours);
	yyjson_mut_obj_add_int(doc, o, "smc_sockets", ns->smc_sockets);
	if (of->err) {
		yyjson_mut_obj_add_str(doc, o, "problem", strerror(-of->err));
		return;
	}
	add_traffic(doc, o, "smcr", &of->stats.smcr);
	add_traffic(doc, o, "smcd", &of->stats.smcd);
}

static int add_spaces(struct dump *d, const struct doctor *doctor)
{
	const struct doctor_namespaces *spaces = &doctor->spaces;
	_free_ struct smc_stats_of *stats =
		calloc(spaces->n + 1, sizeof(*stats));
	yyjson_mut_doc *doc;
	yyjson_mut_val *root, *arr;
	int err;

	if (!stats)
		return -ENOMEM;
	for (size_t i = 0; i < spaces->n; i++)
		stats[i].netns = (struct netns_ref){.path = spaces->v[i].path,
						    .proc = doctor->proc};
	err = smc_stats_each(stats, spaces->n);
	if (err)
		add_missing(d, "namespaces.json, SMC's statistics",
			    strerror(-err));
	if (spaces->unseen)
		add_missing(
			d, "namespaces.json",
			"not every namespace could be looked at: run it as root");
	doc = doc_new(&root);
	arr = yyjson_mut_obj_add_arr(doc, root, "namespaces");
	for (size_t i = 0; i < spaces->n; i++)
		add_space(doc, arr, &spaces->v[i], &stats[i]);
	return add_doc(d, "namespaces.json", doc);
}

static int add_rdma(struct dump *d, const struct doctor *doctor)
{
	yyjson_mut_doc *doc;
	yyjson_mut_val *root, *arr;

	if (doctor->n_ports < 0) {
		add_missing(d, "rdma.json",
			    doctor->n_ports == -ENOENT
				    ? "the kernel has no RDMA devices"
				    : strerror(-doctor->n_ports));
		return 0;
	}
	doc = doc_new(&root);
	arr = yyjson_mut_obj_add_arr(doc, root, "links");
	for (int i = 0; i < doctor->n_ports; i++) {
		const struct rdma_port *p = &doctor->ports[i];
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr);

		yyjson_mut_obj_add_strcpy(doc, o, "device", p->device);
		yyjson_mut_obj_add_uint(doc, o, "port", p->port);
		yyjson_mut_obj_add_strcpy(doc, o, "type", p->node_type);
		yyjson_mut_obj_add_strcpy(doc, o, "state", p->state);
		yyjson_mut_obj_add_strcpy(doc, o, "link_layer", p->link_layer);
		yyjson_mut_obj_add_strcpy(doc, o, "netdev", p->netdev);
		yyjson_mut_obj_add_uint(doc, o, "gids_v1", p->gids_v1);
		yyjson_mut_obj_add_uint(doc, o, "gids_v2", p->gids_v2);
	}
	return add_doc(d, "rdma.json", doc);
}

/* Does a word of @text begin with @word? */
static bool has_word(const char *text, const char *word)
{
	const char *at = text;

	while ((at = strcasestr(at, word)) && at != text &&
	       isalnum((unsigned char)at[-1]))
		at++;
	return at;
}

/* A message that may be of SMC, of RDMA or of BPF programs; never the kernel's
 * command line, in which there may be anything. */
static void take_message(__u64 usec, const char *text, void *arg)
{
	static const char *const words[] = {
		"smc", "rdma", "infiniband",	       "ib_", "roce", "rxe",
		"siw", "mlx",  "unregister_netdevice", "bpf", "dibs", "erdma",
	};
	struct buf *out = arg;

	if (strcasestr(text, "command line:"))
		return;
	for (size_t i = 0; i < array_size(words); i++) {
		if (!has_word(text, words[i]))
			continue;
		buf_printf(out, "[%llu.%06llu] %s\n", usec / 1000000,
			   usec % 1000000, text);
		return;
	}
}

static int add_kernel_log(struct dump *d, const struct doctor *doctor)
{
	struct buf *to = add_part(d, "kernel-log.txt", DUMP_TEXT);
	int err =
		to ? kernel_log_each(&doctor->host, take_message, to) : -ENOMEM;

	if (err)
		add_missing(d, "kernel-log.txt", strerror(-err));
	return to && !to->err ? 0 : -ENOMEM;
}

/* What the service manager's journal has of the agent, and of its starts and
 * ends; also where it runs no more. In a container there is no journal. */
static int add_agent_log(struct dump *d)
{
	char *argv[] = {"journalctl", "--quiet",	   "--no-pager",
			"--utc",      "--unit=smcmesh",	   "--lines=2000",
			"--output",   "short-iso-precise", NULL};
	_buf_ struct buf text = {};
	struct buf *to;
	int status = program_ask(argv, AGENT_LOG_MAX, &text);

	if (status || !text.len) {
		add_missing(
			d, "agent-log.txt",
			status == -ENOENT ? "there is no journalctl"
			: status < 0	  ? strerror(-status)
			: status
				? "journalctl failed"
				: "the journal has nothing of smcmesh.service");
		return text.err;
	}
	to = add_part(d, AGENT_LOG, DUMP_TEXT);
	return to ? buf_add(to, text.data, text.len) : -ENOMEM;
}

static int look_at_node(struct dump *d)
{
	yyjson_doc *status = read_part(find(d, "status.json"));
	struct doctor doctor;
	int err;

	doctor_open(&d->opt, d->root, &doctor);
	doctor.agent = yyjson_doc_get_root(status);
	doctor.agent_err = status ? 0 : -ENOTCONN;
	err = add_version(d, &doctor) ?:
	      add_doc(d, "doctor.json", doctor_report(&doctor)) ?:
	      add_spaces(d, &doctor) ?:
	      add_rdma(d, &doctor) ?:
	      add_kernel_log(d, &doctor) ?:
	      add_agent_log(d);
	doctor_close(&doctor);
	yyjson_doc_free(status);
	return err;
}

static void take_map(const char *map, const struct buf *json, int err,
		     void *arg)
{
	struct dump *d = arg;
	char name[NAME_MAX + 80];
	struct buf *to;

	snprintf(name, sizeof(name), "maps/%s.json", map);
	if (err) {
		add_missing(d, name, strerror(-err));
		return;
	}
	to = add_part(d, name, DUMP_JSON);
	if (!to || buf_add(to, json->data, json->len))
		add_missing(d, name, strerror(ENOMEM));
}

static void add_maps(struct dump *d)
{
	int err = map_dump_each(d->opt.bpffs, take_map, d);

	if (err == -ENOENT)
		add_missing(d, "maps", "no maps of ours are pinned");
	else if (err)
		add_missing(d, "maps", strerror(-err));
}

/* The node's name by the agent, or the host's. */
static int name_node(struct dump *d)
{
	yyjson_doc *status = read_part(find(d, "status.json"));
	char host[HOST_NAME_MAX + 1] = "";
	const char *node;
	int err;

	(void)!gethostname(host, sizeof(host) - 1);
	node = json_text(yyjson_doc_get_root(status), "node");
	err = text_set(&d->node, *node ? node : *host ? host : "localhost");
	yyjson_doc_free(status);
	return err;
}

int dump_gather(struct dump *d)
{
	int err = ask_agent(d) ?: name_node(d) ?: look_at_node(d);

	if (err)
		return err;
	add_maps(d);
	return d->errors.err;
}

/* ---- hiding ------------------------------------------------------------ */

static void hide_host(struct hide *h, const char *name)
{
	char first[HOST_NAME_MAX + 1];

	hide_name(h, name);
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(name, "."), name);
	hide_name(h, first);
}

static void collect_names(const struct dump *d, struct hide *h)
{
	char host[HOST_NAME_MAX + 1] = "";

	(void)!gethostname(host, sizeof(host) - 1);
	hide_host(h, host);
	hide_host(h, d->node);
	for (size_t i = 0; i < d->n; i++) {
		yyjson_doc *doc =
			d->v[i].kind == DUMP_JSON ? read_part(&d->v[i]) : NULL;

		hide_names_of(h, yyjson_doc_get_root(doc));
		yyjson_doc_free(doc);
	}
	hide_ready(h);
}

static int hide_doc(const struct hide *h, const struct buf *text,
		    struct buf *out)
{
	yyjson_doc *doc = yyjson_read(text->data ?: "", text->len, 0);
	yyjson_mut_doc *mut = yyjson_doc_mut_copy(doc, NULL);
	_free_ char *written = NULL;
	size_t len = 0;

	yyjson_doc_free(doc);
	if (mut && !hide_json(h, mut))
		written = yyjson_mut_write(
			mut, YYJSON_WRITE_PRETTY | YYJSON_WRITE_NEWLINE_AT_END,
			&len);
	yyjson_mut_doc_free(mut);
	return written ? buf_add(out, written, len) : -ENOMEM;
}

/* Replace @text by one without what @h hides. */
static int hide_in(const struct hide *h, enum dump_kind kind, struct buf *text)
{
	struct buf out = {};
	int err = 0;

	if (kind == DUMP_JSON)
		err = hide_doc(h, text, &out);
	else if (kind == DUMP_METRICS)
		hide_quoted(h, text->data, text->len, &out);
	else
		hide_text(h, text->data, text->len, &out);
	err = err ?: out.err;
	if (err) {
		buf_free(&out);
		return err;
	}
	buf_free(text);
	*text = out;
	return 0;
}

/* Its lines name pods that nobody knows any more. */
static void drop_agent_log(struct dump *d)
{
	struct dump_part *p = find(d, AGENT_LOG);

	if (!p)
		return;
	free(p->name);
	buf_free(&p->text);
	*p = d->v[--d->n];
	add_missing(d, AGENT_LOG,
		    "left out: it may have names that are not known here");
}

int dump_hide(struct dump *d, struct hide *h)
{
	struct buf node = {};
	int err = 0;

	if (h->names)
		drop_agent_log(d);
	collect_names(d, h);
	err = h->err ?: hide_in(h, DUMP_TEXT, &d->errors);
	for (size_t i = 0; i < d->n && !err; i++)
		err = hide_in(h, d->v[i].kind, &d->v[i].text);
	hide_text(h, d->node, strlen(d->node), &node);
	free(d->node);
	d->node = buf_take(&node);
	buf_free(&node);
	return err ?: d->node ? 0 : -ENOMEM;
}
