// SPDX-License-Identifier: Apache-2.0
/*
 * What this node can do, asked of the kernel and not of the agent. The answers
 * are gathered into one JSON document; the tables for people are printed from
 * it, so that both say the same.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include "base/strv.h"
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/table.h"
#include "datapath/datapath.h"
#include "node/encrypt.h"
#include "node/netns.h"
#include "node/probe.h"
#include "node/smc.h"
#include "telemetry/flows.h"
#include "telemetry/reason.h"

#define RDMA_MAX 64
#define METHODS_MAX 16

enum { OUTPUT, BPFFS, CGROUP, PROC };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	{},
};

struct report {
	yyjson_mut_doc *doc;
	yyjson_mut_val *root;
	const char *proc;
	bool smc;	       /* the kernel has SMC at all */
	bool capable;	       /* converter and selector */
	bool known;	       /* whether it is capable */
	bool rights;	       /* all that may be asked for */
	bool unseen;	       /* some namespace could not be looked at */
	bool transport;	       /* one of the host, at least */
	struct datapath *maps; /* as they are pinned, or NULL */
	char **ours;	       /* our selectors' names; NULL: not known */
};

/* ---- gather ------------------------------------------------------------ */

static void gather_features(struct report *r, const struct features *features)
{
	static const char *const states[] = {[FEATURE_UNKNOWN] = "unknown",
					     [FEATURE_MISSING] = "missing",
					     [FEATURE_PRESENT] = "present"};
	yyjson_mut_val *arr = yyjson_mut_arr(r->doc);

	for (unsigned int f = 0; f < FEATURE_MAX; f++) {
		const struct feature_text *text = feature_text(f);
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->doc, arr);

		yyjson_mut_obj_add_str(r->doc, o, "feature", text->label);
		yyjson_mut_obj_add_str(r->doc, o, "state",
				       states[features->v[f].state]);
		yyjson_mut_obj_add_str(r->doc, o, "what", text->what);
		yyjson_mut_obj_add_strcpy(r->doc, o, "detail",
					  features->v[f].detail);
		yyjson_mut_obj_add_str(r->doc, o, "loss", text->loss);
		yyjson_mut_obj_add_str(r->doc, o, "how", text->how);
	}
	yyjson_mut_obj_add_val(r->doc, r->root, "features", arr);
}

/* The one that is taken where the configuration does not say one. */
static const char *recorder_of(const struct features *features)
{
	struct datapath_method v[METHODS_MAX];
	size_t n = datapath_methods(features, v, METHODS_MAX);

	for (size_t i = 0; i < n && i < METHODS_MAX; i++)
		if (v[i].possible && !strcmp(v[i].kind, "recorder"))
			return v[i].name;
	return "none";
}

static void gather_choice(struct report *r, const struct features *features)
{
	const char *converter = features_converter(features);
	const char *selector = features_selector(features);

	r->smc = feature_present(features, FEATURE_IPPROTO_SMC);
	r->capable = strcmp(converter, "none") && strcmp(selector, "none");
	yyjson_mut_obj_add_str(r->doc, r->root, "converter", converter);
	yyjson_mut_obj_add_str(r->doc, r->root, "selector", selector);
	yyjson_mut_obj_add_str(r->doc, r->root, "recorder",
			       recorder_of(features));
	r->known = features_capable(features) != FEATURE_UNKNOWN;
	r->rights = feature_present(features, FEATURE_CAPABILITIES);
	if (r->known)
		yyjson_mut_obj_add_bool(r->doc, r->root, "capable", r->capable);
	else
		yyjson_mut_obj_add_null(r->doc, r->root, "capable");
}

static void gather_ueids(struct report *r)
{
	yyjson_mut_val *arr = yyjson_mut_arr(r->doc);
	struct smc_ueids ueids = {};

	/* Asking a kernel without SMC could load a module. */
	if (r->smc && !smc_ueid_list(&ueids))
		for (unsigned int i = 0; i < ueids.n; i++)
			yyjson_mut_arr_add_strcpy(r->doc, arr, ueids.v[i]);
	yyjson_mut_obj_add_val(r->doc, r->root, "ueids", arr);
}

static void gather_rdma(struct report *r)
{
	yyjson_mut_val *arr = yyjson_mut_arr(r->doc);
	struct rdma_device v[RDMA_MAX];
	int n = rdma_list(v, RDMA_MAX);

	for (int i = 0; i < n; i++) {
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->doc, arr);

		yyjson_mut_obj_add_strcpy(r->doc, o, "device", v[i].name);
		yyjson_mut_obj_add_uint(r->doc, o, "port", v[i].port);
		yyjson_mut_obj_add_strcpy(r->doc, o, "netdev", v[i].netdev);
		yyjson_mut_obj_add_bool(r->doc, o, "active", v[i].active);
		r->transport |= v[i].active;
	}
	yyjson_mut_obj_add_val(r->doc, r->root, "rdma", arr);
}

struct wanted {
	__u64 cookie;
	bool found;
};

static int is_wanted(__u64 cookie, const struct smc_pod *v, void *arg)
{
	struct wanted *w = arg;

	w->found |= cookie == w->cookie && !(v->flags & SMC_POD_REFUSED);
	return 0;
}

static bool is_armed(const struct report *r, __u64 cookie)
{
	struct wanted w = {.cookie = cookie};

	return r->maps && !datapath_each_netns(r->maps, is_wanted, &w) &&
	       w.found;
}

static void add_namespace(struct report *r, yyjson_mut_val *arr,
			  const struct netns_ref *ref,
			  const struct netns_facts *f)
{
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->doc, arr);

	yyjson_mut_obj_add_strcpy(r->doc, o, "path", ref->path);
	yyjson_mut_obj_add_uint(r->doc, o, "cookie", f->cookie);
	yyjson_mut_obj_add_strcpy(r->doc, o, "hs_ctrl", f->ctrl);
	yyjson_mut_obj_add_bool(r->doc, o, "armed", is_armed(r, f->cookie));
	yyjson_mut_obj_add_bool(r->doc, o, "guarded", f->ctrl_is_ours);
	yyjson_mut_obj_add_bool(r->doc, o, "foreign",
				r->ours && f->ctrl[0] && !f->ctrl_is_ours);
	yyjson_mut_obj_add_int(r->doc, o, "smc_sockets",
			       r->smc ? netns_smc_sockets(ref) : 0);
	yyjson_mut_obj_add_val(r->doc, o, "transports",
			       json_transports(r->doc, f->transports));
}

static int gather_namespace(const struct place *at, void *arg)
{
	struct report *r = arg;
	struct netns_ref ref = {.path = at->path,
				.id = at->id,
				.proc = r->proc,
				.ours = r->ours};
	struct netns_facts facts = {};
	int err = netns_look(&ref, &facts);

	if (err) {
		r->unseen |= err != -ENOENT;
		return err == -ENOENT ? err : 0;
	}
	add_namespace(r, yyjson_mut_obj_get(r->root, "namespaces"), &ref,
		      &facts);
	netns_facts_free(&facts);
	return 0;
}

static void gather_namespaces(struct report *r)
{
	yyjson_mut_obj_add_arr(r->doc, r->root, "namespaces");
	r->unseen |= netns_each(r->proc, gather_namespace, r) < 0;
	if (r->unseen)
		fprintf(stderr,
			"smcmesh doctor: not every namespace could be looked at%s\n",
			r->rights ? "" : "; run it as root");
}

/* ---- warnings ---------------------------------------------------------- */

/* Landlock's TCP rules exist from its ABI 4 on; asked by its own system call,
 * since securityfs is often not mounted. */
static bool landlock_has_tcp(void)
{
	const unsigned int create_ruleset_version = 1;

	return syscall(__NR_landlock_create_ruleset, NULL, 0,
		       create_ruleset_version) >= 4;
}

static bool selinux_enforces(void)
{
	_fclose_ FILE *f = fopen("/sys/fs/selinux/enforce", "re");

	return f && fgetc(f) == '1';
}

/* Is the node switched on, and its agent silent for longer than the lease? */
static bool agent_silent(const struct report *r)
{
	struct smc_config config;

	return r->maps && !datapath_config(r->maps, &config) &&
	       config.enabled && datapath_offers_left(&config) <= 0;
}

static bool inotify_left(void)
{
	_close_ int fd = inotify_init1(IN_CLOEXEC);

	return fd >= 0;
}

static void warn_of_encryption(struct report *r, yyjson_mut_val *arr)
{
	char what[ENCRYPT_TEXT_MAX], text[320];

	if (!r->smc || encrypt_find(what) <= 0)
		return;
	snprintf(
		text, sizeof(text),
		"This node has %s, and data over RDMA would pass by what encrypts the traffic between nodes: there is no smcr, unless SmcMesh's spec.allowUnencrypted is true.",
		what);
	yyjson_mut_arr_add_strcpy(r->doc, arr, text);
}

/* Pods' own devices are not seen from here; where the host has none either, the
 * agent says it when a pod is armed. */
static void warn_of_probes(struct report *r, yyjson_mut_val *arr)
{
	if (!r->smc ||
	    !yyjson_mut_arr_size(yyjson_mut_obj_get(r->root, "rdma")) ||
	    probe_check(r->proc) != -ENODEV)
		return;
	yyjson_mut_arr_add_str(
		r->doc, arr,
		"There is no /dev/infiniband/rdma_cm, so no RDMA path can be probed, and none is used (reason path-unproven): modprobe rdma_ucm.");
}

static void gather_warnings(struct report *r, const struct features *features)
{
	yyjson_mut_val *arr = yyjson_mut_arr(r->doc);
	yyjson_mut_val *ueids = yyjson_mut_obj_get(r->root, "ueids");

	if (r->smc && !yyjson_mut_arr_size(ueids))
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"The kernel has no UEID: on x86 every SMC handshake falls back to TCP without one. The agent adds the configured one when it runs.");
	if (r->smc)
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"A signal that interrupts a blocking connect() of an SMC socket can break that connection, to any destination: a bug of the kernel's SMC. Programs whose signal handlers run during connect() should not be annotated.");
	if (r->smc && !feature_present(features, FEATURE_LSM_CONNECT))
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"A second connect() call during a non-blocking one may fail on SMC sockets: the hook that prevents it is missing.");
	if (r->smc && !feature_present(features, FEATURE_SMC_COUNT))
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"SMC handshakes under way cannot be counted: a pod that opens very many connections to addresses that do not answer, armed or not, holds up every SMC listener of the node. The hooks that see SMC sockets come and go are missing.");
	if (r->smc && !feature_present(features, FEATURE_LSM_REQUEST))
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"Clients of a listener in an annotated pod whose accept queue is full, plain TCP ones too, may be reset: the hook that lets their SYNs wait is missing.");
	if (r->smc && landlock_has_tcp())
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"Landlock is on, and its TCP rules do not see SMC sockets: programs in annotated pods that confine themselves so are not confined.");
	if (r->smc && selinux_enforces())
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"SELinux enforces, and sees SMC sockets as raw IP sockets: a policy may refuse them (the pod is then disarmed, reason refused), and where it lets a domain use them, its rules on which ports may be connected to (name_connect) do not hold for the sockets of annotated pods.");
	if (agent_silent(r))
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"The agent of this node gave no sign of life for longer than the lease (SmcMesh spec.lease), or heard nothing of who is an endpoint: clients of armed pods open plain TCP connections until it does. Open SMC connections go on, and offers are answered.");
	warn_of_encryption(r, arr);
	warn_of_probes(r, arr);
	if (!inotify_left())
		yyjson_mut_arr_add_str(
			r->doc, arr,
			"No inotify instance is left for this user: the agent finds pods seconds after they start, and what they open before that is late. Raise the sysctl fs.inotify.max_user_instances; an agent that runs notices.");
	yyjson_mut_obj_add_val(r->doc, r->root, "warnings", arr);
}

static void gather_conclusion(struct report *r, const struct features *features)
{
	const char *text;

	r->transport |= feature_present(features, FEATURE_LOOPBACK);
	if (r->capable && r->transport)
		text = "This node can make TCP connections of annotated pods SMC.";
	else if (r->capable)
		text = "This node can select and convert, but the host has neither shared memory nor an active RDMA device: only pods with an RDMA device of their own are accelerated.";
	else if (!r->known && !r->rights)
		text = "Whether this node can make TCP connections SMC is not known without these rights: run it as root.";
	else if (!r->known)
		text = "Whether this node could make TCP connections SMC is not known: the kernel refuses to be tried, as lockdown or an LSM has it do. All traffic stays TCP, and the agent changes nothing.";
	else
		text = "This node cannot make TCP connections SMC: all traffic stays TCP, and the agent changes nothing.";
	yyjson_mut_obj_add_str(r->doc, r->root, "conclusion", text);
}

static void gather(struct report *r, const struct datapath_options *opt)
{
	struct features features = {};
	struct utsname name = {};

	features_probe(opt, &features);
	uname(&name);
	yyjson_mut_obj_add_strcpy(r->doc, r->root, "kernel", name.release);
	gather_choice(r, &features);
	gather_features(r, &features);
	gather_ueids(r);
	gather_rdma(r);
	gather_namespaces(r);
	gather_warnings(r, &features);
	gather_conclusion(r, &features);
}

/* ---- print ------------------------------------------------------------- */

static void print_features(yyjson_val *root)
{
	static const char *const heads[] = {"FEATURE", "STATE", "WHAT", NULL};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *f;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (yyjson_obj_get(root, "features"), i, max, f) {
		const char *detail = json_text(f, "detail");

		table_add(&t, json_text(f, "feature"));
		table_add(&t, json_text(f, "state"));
		table_addf(&t, *detail ? "%s: %s" : "%s%s",
			   json_text(f, "what"), detail);
	}
	table_print(&t, stdout);
}

static void print_missing(yyjson_val *root)
{
	bool head = false;
	yyjson_val *f;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(root, "features"), i, max, f) {
		if (!strcmp(json_text(f, "state"), "present"))
			continue;
		if (!head)
			printf("\nWhat is lost, and how to get it:\n");
		head = true;
		printf("  %s: %s\n    %s\n", json_text(f, "feature"),
		       json_text(f, "loss"), json_text(f, "how"));
	}
}

static void print_rdma(yyjson_val *root)
{
	_buf_ struct buf ueids = {};
	yyjson_val *d;
	size_t i, max;

	printf("\nconverter  %s\nselector   %s\nrecorder   %s\nueids      %s\n",
	       json_text(root, "converter"), json_text(root, "selector"),
	       json_text(root, "recorder"),
	       *json_join(root, "ueids", &ueids) ? ueids.data : "-");
	yyjson_arr_foreach (yyjson_obj_get(root, "rdma"), i, max, d) {
		printf("rdma       %s/%llu on %s, %s\n", json_text(d, "device"),
		       (unsigned long long)yyjson_get_uint(
			       yyjson_obj_get(d, "port")),
		       json_text(d, "netdev"),
		       yyjson_get_bool(yyjson_obj_get(d, "active"))
			       ? "active"
			       : "not active");
	}
}

static const char *selector_word(yyjson_val *ns)
{
	const char *ctrl = json_text(ns, "hs_ctrl");

	return *ctrl ? ctrl : "none";
}

static void print_namespaces(yyjson_val *root)
{
	static const char *const heads[] = {
		"NAMESPACE",  "ARMED",	     "SELECTOR", "WHOSE",
		"TRANSPORTS", "SMC SOCKETS", NULL};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *ns;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (yyjson_obj_get(root, "namespaces"), i, max, ns) {
		_buf_ struct buf transports = {};
		bool ours = yyjson_get_bool(yyjson_obj_get(ns, "guarded"));
		bool foreign = yyjson_get_bool(yyjson_obj_get(ns, "foreign"));
		long long n =
			yyjson_get_sint(yyjson_obj_get(ns, "smc_sockets"));

		table_add(&t, json_text(ns, "path"));
		table_add(&t, yyjson_get_bool(yyjson_obj_get(ns, "armed"))
				      ? "yes"
				      : "no");
		table_add(&t, selector_word(ns));
		table_add(&t, ours ? "ours" : foreign ? "not ours" : "");
		table_add(&t, json_join(ns, "transports", &transports));
		table_addf(&t, n < 0 ? "?" : "%lld", n);
	}
	if (t.n)
		putchar('\n');
	table_print(&t, stdout);
}

static void print(yyjson_val *root)
{
	yyjson_val *w;
	size_t i, max;

	printf("Linux %s\n\n", json_text(root, "kernel"));
	print_features(root);
	print_missing(root);
	print_rdma(root);
	print_namespaces(root);
	yyjson_arr_foreach (yyjson_obj_get(root, "warnings"), i, max, w) {
		printf("\nWarning: %s\n", yyjson_get_str(w) ?: "");
	}
	printf("\n%s\n", json_text(root, "conclusion"));
}

static int show(yyjson_mut_doc *mut, bool json)
{
	_free_ char *text = NULL;
	yyjson_doc *doc;

	if (json) {
		text = yyjson_mut_write(mut, YYJSON_WRITE_NEWLINE_AT_END, NULL);
		if (!text)
			return EXIT_FAILED;
		fputs(text, stdout);
		return EXIT_OK;
	}
	doc = yyjson_mut_doc_imut_copy(mut, NULL);
	if (!doc)
		return EXIT_FAILED;
	print(yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	return EXIT_OK;
}

static int run(const struct cli_args *args)
{
	const struct datapath_options opt = {.bpffs = args->option[BPFFS],
					     .cgroup = args->option[CGROUP],
					     .proc = args->option[PROC]};
	struct report r = {.doc = yyjson_mut_doc_new(NULL), .proc = opt.proc};
	int ret;

	r.root = yyjson_mut_obj(r.doc);
	yyjson_mut_doc_set_root(r.doc, r.root);
	/* Not there, of another version: then nothing is known to be armed. */
	if (datapath_read(&opt, &r.maps))
		r.maps = NULL;
	if (datapath_ctrl_names_read(&opt, &r.ours))
		r.ours = NULL;
	gather(&r, &opt);
	datapath_close(r.maps);
	strv_free(&r.ours);
	ret = show(r.doc, wants_json(args->option[OUTPUT]));
	yyjson_mut_doc_free(r.doc);
	return ret;
}

const struct command command_doctor = {
	.name = "doctor",
	.help = "what this node's kernel can do, what is missing, how to get it",
	.more = "Needs no agent. Exits 0 once it has looked, whatever it found; `capable` in\n"
		"its JSON is the answer for scripts: null where the kernel does not tell.",
	.options = options,
	.run = run,
};
