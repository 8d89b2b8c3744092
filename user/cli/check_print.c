// SPDX-License-Identifier: Apache-2.0
#include "cli/check_print.h"

#include <stdio.h>
#include "base/addr.h"
#include "cli/ask_agent.h"
#include "telemetry/labels.h"

static const char *at_text(const struct check_way *w,
			   char text[ADDR_PORT_STRLEN])
{
	return addr_port_format(&w->at, text);
}

/* Which ends are of this node. */
static const char *end_of(const struct check_way *w)
{
	return w->from && w->to ? "both" : w->from ? "client" : "server";
}

static double ms(__u64 ns)
{
	return ns / 1e6;
}

/* ---- for people ---------------------------------------------------------- */

static void print_head(const struct check_way *w)
{
	char text[ADDR_PORT_STRLEN];

	printf("%s -> ", w->from ? w->from->name : "(another node)");
	if (w->to)
		printf("%s, ", w->to->name);
	printf("%s%s\n", at_text(w, text), w->service ? " (Service)" : "");
}

static void print_step(const struct check_way *w, enum check_step step)
{
	if (step == CHECK_BYTE && w->service)
		printf("  %-18s %u of %u, and nothing was sent\n", "connected",
		       check_passed(w, step), w->n);
	else
		printf("  %-18s %u of %u\n", check_steps[step].text,
		       check_passed(w, step), w->n);
}

static void print_time(const char *what, __u64 own, __u64 tcp)
{
	if (!own)
		return;
	printf("  %-18s %.3f ms", what, ms(own));
	if (tcp)
		printf(" (TCP %.3f ms)", ms(tcp));
	putchar('\n');
}

static void print_times(const struct check_way *w)
{
	print_time("until first byte", check_median(w->v, w->n, false),
		   check_median(w->tcp, w->n_tcp, false));
	print_time("round trip", check_median(w->v, w->n, true),
		   check_median(w->tcp, w->n_tcp, true));
}

static void print_transport(const struct check_way *w)
{
	const unsigned int smcr = check_is(w, EXCHANGE_IS_SMCR);
	const unsigned int smcd = check_is(w, EXCHANGE_IS_SMCD);
	const unsigned int smc = check_smc(w);

	printf("  %-18s", "transport");
	if (smcr)
		printf(" SMC-R %u", smcr);
	if (smcd)
		printf(" SMC-D %u", smcd);
	if (smc > smcr + smcd)
		printf(" SMC %u", smc - smcr - smcd);
	if (smc < w->n)
		printf(" TCP %u", w->n - smc);
	puts(w->n ? "" : " none");
}

static void print_stop(const struct check_way *w)
{
	const char *why, *remedy;
	enum check_step step = check_stop(w, &why, &remedy);

	if (step == CHECK_STEPS)
		return;
	printf("  %-18s %s: %s\n", "stopped before", check_steps[step].text,
	       why);
	if (*remedy)
		printf("  %-18s %s\n", "to do", remedy);
}

static void print_way(const struct check_way *w)
{
	print_head(w);
	for (int step = 0; step < CHECK_STEPS; step++)
		if (check_step_known(w, step))
			print_step(w, step);
	print_transport(w);
	print_times(w);
	print_stop(w);
}

/* ---- as JSON ------------------------------------------------------------- */

static void add_time(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key,
		     __u64 ns)
{
	if (ns)
		yyjson_mut_obj_add_real(doc, o, key, ms(ns));
	else
		yyjson_mut_obj_add_null(doc, o, key);
}

static void add_times(yyjson_mut_doc *doc, yyjson_mut_val *o,
		      const struct check_way *w)
{
	add_time(doc, o, "first_byte_ms", check_median(w->v, w->n, false));
	add_time(doc, o, "tcp_first_byte_ms",
		 check_median(w->tcp, w->n_tcp, false));
	add_time(doc, o, "round_trip_ms", check_median(w->v, w->n, true));
	add_time(doc, o, "tcp_round_trip_ms",
		 check_median(w->tcp, w->n_tcp, true));
}

static void add_steps(yyjson_mut_doc *doc, yyjson_mut_val *o,
		      const struct check_way *w)
{
	yyjson_mut_val *arr = yyjson_mut_obj_add_arr(doc, o, "steps");

	for (int step = 0; step < CHECK_STEPS; step++) {
		yyjson_mut_val *s;

		if (!check_step_known(w, step))
			continue;
		s = yyjson_mut_arr_add_obj(doc, arr);
		yyjson_mut_obj_add_str(doc, s, "step", check_steps[step].id);
		yyjson_mut_obj_add_uint(doc, s, "passed",
					check_passed(w, step));
	}
}

static void add_stop(yyjson_mut_doc *doc, yyjson_mut_val *o,
		     const struct check_way *w)
{
	const char *why, *remedy;
	enum check_step step = check_stop(w, &why, &remedy);

	yyjson_mut_obj_add_str(doc, o, "stopped_before",
			       step < CHECK_STEPS ? check_steps[step].id : "");
	yyjson_mut_obj_add_strcpy(doc, o, "why", why);
	yyjson_mut_obj_add_strcpy(doc, o, "remedy", remedy);
}

static void add_way(yyjson_mut_doc *doc, yyjson_mut_val *o,
		    const struct check_way *w)
{
	char text[ADDR_PORT_STRLEN];

	yyjson_mut_obj_add_str(doc, o, "from", w->from ? w->from->name : "");
	yyjson_mut_obj_add_str(doc, o, "to", w->to ? w->to->name : "");
	yyjson_mut_obj_add_strcpy(doc, o, "address", at_text(w, text));
	yyjson_mut_obj_add_bool(doc, o, "service", w->service);
	yyjson_mut_obj_add_str(doc, o, "end", end_of(w));
	yyjson_mut_obj_add_uint(doc, o, "wanted", w->wanted);
	yyjson_mut_obj_add_uint(doc, o, "connections", w->n);
	yyjson_mut_obj_add_uint(doc, o, "smc", check_smc(w));
	yyjson_mut_obj_add_uint(doc, o, outcome_label(SMC_OUTCOME_SMCR),
				check_is(w, EXCHANGE_IS_SMCR));
	yyjson_mut_obj_add_uint(doc, o, outcome_label(SMC_OUTCOME_SMCD),
				check_is(w, EXCHANGE_IS_SMCD));
	add_steps(doc, o, w);
	add_stop(doc, o, w);
	add_times(doc, o, w);
}

static int print_json(struct check_way *const *v, size_t n)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = yyjson_mut_obj(doc), *arr;
	bool ok = true;

	yyjson_mut_doc_set_root(doc, root);
	for (size_t i = 0; i < n; i++)
		ok &= check_ok(v[i]);
	yyjson_mut_obj_add_bool(doc, root, "ok", ok);
	arr = yyjson_mut_obj_add_arr(doc, root, "checks");
	for (size_t i = 0; i < n; i++)
		add_way(doc, yyjson_mut_arr_add_obj(doc, arr), v[i]);
	return json_print(doc, 0);
}

int check_print(struct check_way *const *v, size_t n, bool json)
{
	unsigned int smc = 0, wanted = 0;

	if (json)
		return print_json(v, n);
	for (size_t i = 0; i < n; i++) {
		print_way(v[i]);
		putchar('\n');
		smc += check_smc(v[i]);
		wanted += v[i]->wanted;
	}
	printf("SMC was used by %u of %u connections\n", smc, wanted);
	return 0;
}
