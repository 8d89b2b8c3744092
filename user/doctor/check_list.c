// SPDX-License-Identifier: Apache-2.0
#include "doctor/check_list.h"

#include <ctype.h>
#include "doctor/checks.h"

static void add_text(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key,
		     const struct buf *text)
{
	yyjson_mut_obj_add_strcpy(doc, o, key, text->data ?: "");
}

static void add(yyjson_mut_doc *doc, struct check_list *list, const char *id,
		const struct finding *f)
{
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, list->checks);

	yyjson_mut_obj_add_str(doc, o, "id", id);
	yyjson_mut_obj_add_str(doc, o, "status", check_status_word(f->status));
	add_text(doc, o, "found", &f->found);
	add_text(doc, o, "means", &f->means);
	add_text(doc, o, "fix", &f->fix);
	list->failed |= f->status == CHECK_FAIL;
}

static void add_warning(yyjson_mut_doc *doc, struct check_list *list,
			const struct finding *f)
{
	_buf_ struct buf text = {};

	if (f->status != CHECK_WARN && f->status != CHECK_FAIL)
		return;
	buf_printf(&text, "%s. %s%s%s", f->found.data ?: "",
		   f->means.data ?: "", f->fix.len ? " " : "",
		   f->fix.data ?: "");
	if (text.data)
		*text.data = toupper((unsigned char)*text.data);
	yyjson_mut_arr_add_strcpy(doc, list->warnings, text.data ?: "");
}

/* Without these nothing is accelerated. */
static bool is_needed(const struct doctor *d, enum feature f)
{
	return f == FEATURE_BTF || f == FEATURE_BPFFS ||
	       f == FEATURE_CAPABILITIES || features_decides(&d->features, f);
}

static enum check_status feature_status(const struct doctor *d, enum feature f)
{
	switch (d->features.v[f].state) {
	case FEATURE_PRESENT:
		return CHECK_PASS;
	case FEATURE_MISSING:
		return is_needed(d, f) ? CHECK_FAIL : CHECK_WARN;
	default:
		return CHECK_UNKNOWN;
	}
}

static void add_feature(yyjson_mut_doc *doc, struct check_list *list,
			const struct doctor *d, enum feature f)
{
	const struct feature_text *text = feature_text(f);
	_cleanup_(finding_free) struct finding is = {
		.status = feature_status(d, f)};
	const char *detail = d->features.v[f].detail;
	char how[FEATURE_HOW_MAX];

	buf_printf(&is.found, "%s%s%s", text->what, *detail ? ": " : "",
		   detail);
	if (is.status != CHECK_PASS)
		buf_printf(&is.means, "%s", text->loss);
	if (is.status == CHECK_UNKNOWN)
		buf_printf(
			&is.fix, "%s",
			feature_present(&d->features, FEATURE_CAPABILITIES)
				? "see what forbids the try: lockdown, or an LSM"
				: "run it as root");
	else if (is.status != CHECK_PASS)
		buf_printf(&is.fix, "%s", feature_how(f, d->host.release, how));
	add(doc, list, text->label, &is);
}

struct check_list check_list_make(yyjson_mut_doc *doc, const struct doctor *d)
{
	struct check_list list = {.checks = yyjson_mut_arr(doc),
				  .warnings = yyjson_mut_arr(doc)};

	for (int f = 0; f < FEATURE_MAX; f++)
		add_feature(doc, &list, d, f);
	for (const struct doctor_check *c = doctor_checks; c->id; c++) {
		_cleanup_(finding_free) struct finding f = {};

		doctor_ask(c, d, &f);
		add(doc, &list, c->id, &f);
		add_warning(doc, &list, &f);
	}
	return list;
}

static void note_wrong(const char *id, enum check_status status,
		       struct mesh_wrong *out)
{
	if (status == CHECK_FAIL || status == CHECK_WARN)
		mesh_wrong_add(out, id, status == CHECK_FAIL);
}

void check_list_wrong(const struct doctor *d, struct mesh_wrong *out)
{
	for (const struct doctor_check *c = doctor_checks; c->id; c++) {
		_cleanup_(finding_free) struct finding f = {};

		doctor_ask(c, d, &f);
		note_wrong(c->id, f.status, out);
	}
	for (int f = 0; f < FEATURE_MAX; f++)
		note_wrong(feature_text(f)->label, feature_status(d, f), out);
}
