// SPDX-License-Identifier: Apache-2.0
#include "doctor/report.h"

#include "doctor/check_list.h"
#include "doctor/method_list.h"
#include "telemetry/flows.h"

struct report {
	const struct doctor *d;
	yyjson_mut_doc *doc;
	yyjson_mut_val *root;
};

static void add_choice(struct report *r)
{
	const struct features *fs = &r->d->features;
	enum feature_state capable = features_capable(fs);

	yyjson_mut_obj_add_str(r->doc, r->root, "converter",
			       features_converter(fs));
	yyjson_mut_obj_add_str(r->doc, r->root, "selector",
			       features_selector(fs));
	yyjson_mut_obj_add_str(r->doc, r->root, "recorder",
			       doctor_recorder(r->d));
	yyjson_mut_obj_add_val(r->doc, r->root, "methods",
			       method_list_json(r->doc, fs));
	if (capable == FEATURE_UNKNOWN)
		yyjson_mut_obj_add_null(r->doc, r->root, "capable");
	else
		yyjson_mut_obj_add_bool(r->doc, r->root, "capable",
					capable == FEATURE_PRESENT);
}

static void add_features(struct report *r)
{
	yyjson_mut_val *arr = yyjson_mut_arr(r->doc);
	char how[FEATURE_HOW_MAX];

	for (unsigned int f = 0; f < FEATURE_MAX; f++) {
		const struct feature_result *is = &r->d->features.v[f];
		const struct feature_text *text = feature_text(f);
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->doc, arr);

		yyjson_mut_obj_add_str(r->doc, o, "feature", text->label);
		yyjson_mut_obj_add_str(r->doc, o, "state",
				       feature_state_word(is->state));
		yyjson_mut_obj_add_str(r->doc, o, "what", text->what);
		yyjson_mut_obj_add_strcpy(r->doc, o, "detail", is->detail);
		yyjson_mut_obj_add_str(r->doc, o, "loss", text->loss);
		yyjson_mut_obj_add_strcpy(
			r->doc, o, "how",
			feature_how(f, r->d->host.release, how));
	}
	yyjson_mut_obj_add_val(r->doc, r->root, "features", arr);
}

static void add_ueids(struct report *r)
{
	yyjson_mut_val *arr = yyjson_mut_obj_add_arr(r->doc, r->root, "ueids");

	for (unsigned int i = 0; i < r->d->ueids.n; i++)
		yyjson_mut_arr_add_strcpy(r->doc, arr, r->d->ueids.v[i]);
}

static void add_rdma(struct report *r)
{
	yyjson_mut_val *arr = yyjson_mut_obj_add_arr(r->doc, r->root, "rdma");

	for (unsigned int i = 0; i < r->d->n_rdma; i++) {
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->doc, arr);
		const struct rdma_device *v = &r->d->rdma[i];

		yyjson_mut_obj_add_strcpy(r->doc, o, "device", v->name);
		yyjson_mut_obj_add_uint(r->doc, o, "port", v->port);
		yyjson_mut_obj_add_strcpy(r->doc, o, "netdev", v->netdev);
		yyjson_mut_obj_add_bool(r->doc, o, "active", v->active);
	}
}

static void add_namespaces(struct report *r)
{
	const struct doctor_namespaces *spaces = &r->d->spaces;
	yyjson_mut_val *arr =
		yyjson_mut_obj_add_arr(r->doc, r->root, "namespaces");

	for (size_t i = 0; i < spaces->n; i++) {
		const struct doctor_namespace *ns = &spaces->v[i];
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->doc, arr);

		yyjson_mut_obj_add_strcpy(r->doc, o, "path", ns->path ?: "");
		yyjson_mut_obj_add_uint(r->doc, o, "cookie", ns->cookie);
		yyjson_mut_obj_add_strcpy(r->doc, o, "hs_ctrl", ns->ctrl);
		yyjson_mut_obj_add_bool(r->doc, o, "armed", ns->armed);
		yyjson_mut_obj_add_bool(r->doc, o, "guarded", ns->ours);
		yyjson_mut_obj_add_bool(r->doc, o, "foreign", ns->foreign);
		yyjson_mut_obj_add_int(r->doc, o, "smc_sockets",
				       ns->smc_sockets);
		yyjson_mut_obj_add_val(r->doc, o, "transports",
				       json_transports(r->doc, ns->transports));
	}
}

static void add_checks(struct report *r)
{
	const struct check_list list = check_list_make(r->doc, r->d);

	yyjson_mut_obj_add_bool(r->doc, r->root, "ok",
				features_capable(&r->d->features) ==
						FEATURE_PRESENT &&
					!list.failed);
	yyjson_mut_obj_add_val(r->doc, r->root, "checks", list.checks);
	yyjson_mut_obj_add_val(r->doc, r->root, "warnings", list.warnings);
}

yyjson_mut_doc *doctor_report(const struct doctor *d)
{
	struct report r = {.d = d, .doc = yyjson_mut_doc_new(NULL)};

	r.root = yyjson_mut_obj(r.doc);
	yyjson_mut_doc_set_root(r.doc, r.root);
	yyjson_mut_obj_add_strcpy(r.doc, r.root, "kernel", d->host.release);
	yyjson_mut_obj_add_strcpy(r.doc, r.root, "system", d->os.name);
	add_choice(&r);
	add_features(&r);
	add_ueids(&r);
	add_rdma(&r);
	add_namespaces(&r);
	add_checks(&r);
	yyjson_mut_obj_add_str(r.doc, r.root, "conclusion",
			       doctor_conclusion(d));
	return r.doc;
}
