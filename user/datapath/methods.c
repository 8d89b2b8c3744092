// SPDX-License-Identifier: Apache-2.0
/* The ways to make sockets SMC, to judge handshakes and to record flows, and
 * which of them a kernel supports. */
#include <string.h>

#include "datapath/converter.h"
#include "datapath/recorder.h"
#include "datapath/selector.h"

const struct converter *const converters[] = {&converter_sockproto, NULL};
const struct selector *const selectors[] = {&selector_hs_ctrl,
					    &selector_synfilter, NULL};
const struct recorder *const recorders[] = {&recorder_smc, &recorder_sockops,
					    NULL};

/* ---- the one that is taken ---- */

/* The first row of a table that works with these features, or NULL at its
 * end. */
#define FIRST_OF(table, fs)                                      \
	({                                                       \
		size_t i_ = 0;                                   \
                                                                 \
		while ((table)[i_] &&                            \
		       !features_have((fs), (table)[i_]->needs)) \
			i_++;                                    \
		(table)[i_];                                     \
	})

const struct converter *converter_for(const struct features *fs)
{
	return FIRST_OF(converters, fs);
}

const struct selector *selector_for(const struct features *fs)
{
	return FIRST_OF(selectors, fs);
}

const char *features_converter(const struct features *fs)
{
	const struct converter *c = converter_for(fs);

	return c ? c->name : "none";
}

const char *features_selector(const struct features *fs)
{
	const struct selector *s = selector_for(fs);

	return s ? s->name : "none";
}

/* ---- what is possible ---- */

bool pairs_impossible(const struct converter *const *c,
		      const struct selector *const *s,
		      const struct features *fs)
{
	for (size_t i = 0; c[i]; i++)
		for (size_t j = 0; s[j]; j++)
			if (!features_lack(fs, c[i]->needs) &&
			    !features_lack(fs, s[j]->needs))
				return false;
	return true;
}

enum feature_state features_capable(const struct features *fs)
{
	if (converter_for(fs) && selector_for(fs))
		return FEATURE_PRESENT;
	return pairs_impossible(converters, selectors, fs) ? FEATURE_MISSING
							   : FEATURE_UNKNOWN;
}

static bool has(const enum feature *needs, enum feature f)
{
	while (*needs != FEATURE_MAX && *needs != f)
		needs++;
	return *needs == f;
}

bool features_decides(const struct features *fs, enum feature f)
{
	const struct converter *c = converter_for(fs);
	const struct selector *s = selector_for(fs);

	for (size_t i = 0; converters[i]; i++)
		if ((!c || c == converters[i]) && has(converters[i]->needs, f))
			return true;
	for (size_t i = 0; selectors[i]; i++)
		if ((!s || s == selectors[i]) && has(selectors[i]->needs, f))
			return true;
	return false;
}

/* ---- all of them ---- */

struct list {
	const struct features *fs;
	struct datapath_method *v;
	size_t n, room;
};

static void add(struct list *l, const char *kind, const char *name,
		const char *cannot, const enum feature *needs)
{
	if (l->n < l->room)
		l->v[l->n] = (struct datapath_method){
			.kind = kind,
			.name = name,
			.cannot = cannot,
			.needs = needs,
			.possible = features_have(l->fs, needs)};
	l->n++;
}

size_t datapath_methods(const struct features *fs, struct datapath_method *out,
			size_t room)
{
	struct list l = {.fs = fs, .v = out, .room = room};

	for (size_t i = 0; converters[i]; i++)
		add(&l, "converter", converters[i]->name, converters[i]->cannot,
		    converters[i]->needs);
	for (size_t i = 0; selectors[i]; i++)
		add(&l, "selector", selectors[i]->name, selectors[i]->cannot,
		    selectors[i]->needs);
	for (size_t i = 0; recorders[i]; i++)
		add(&l, "recorder", recorders[i]->name, recorders[i]->cannot,
		    recorders[i]->needs);
	return l.n;
}

/* ---- in words ---- */

static void say_needs(const struct features *fs,
		      const struct datapath_method *m, struct buf *out)
{
	const char *join = " needs ";

	buf_printf(out, "%s", m->name);
	for (const enum feature *f = m->needs; *f != FEATURE_MAX; f++) {
		if (feature_present(fs, *f))
			continue;
		buf_printf(out, "%s%s (%s)", join, feature_text(*f)->what,
			   fs->v[*f].state == FEATURE_MISSING ? "missing"
							      : "not known");
		join = ", ";
	}
}

/* The first that works here, or what each of this kind lacks. */
static void say_kind(const struct features *fs, const char *kind,
		     struct buf *out)
{
	struct datapath_method v[DATAPATH_METHODS_MAX];
	size_t n = datapath_methods(fs, v, DATAPATH_METHODS_MAX);
	const char *join = ": ";

	for (size_t i = 0; i < n; i++) {
		if (strcmp(v[i].kind, kind) || !v[i].possible)
			continue;
		buf_printf(out, "%s %s%s%s", kind, v[i].name,
			   v[i].cannot ? ": " : "", v[i].cannot ?: "");
		return;
	}
	buf_printf(out, "no %s", kind);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(v[i].kind, kind))
			continue;
		buf_printf(out, "%s", join);
		say_needs(fs, &v[i], out);
		join = ", ";
	}
}

void features_say(const struct features *fs, struct buf *out)
{
	say_kind(fs, "converter", out);
	buf_printf(out, "; ");
	say_kind(fs, "selector", out);
}
