// SPDX-License-Identifier: Apache-2.0
/* How far connections came, and why not further: pure. */
#include <string.h>
#include "cli/check_way.h"
#include "telemetry/fallback.h"

const struct check_step_text check_steps[CHECK_STEPS] = {
	[CHECK_CONVERTED] = {"converted", "socket converted"},
	[CHECK_SENT] = {"sent", "option sent"},
	[CHECK_SEEN] = {"seen", "seen by the peer"},
	[CHECK_ANSWERED] = {"answered", "answered"},
	[CHECK_CLC] = {"clc", "CLC handshake"},
	[CHECK_BYTE] = {"byte", "first byte"},
};

bool check_step_known(const struct check_way *w, enum check_step step)
{
	switch (step) {
	case CHECK_SEEN:
		return w->to;
	case CHECK_ANSWERED:
	case CHECK_CLC:
		return true;
	default:
		return w->from;
	}
}

/* The client's own record tells whether a yes came back: the kernel gave up
 * for another reason than its absence, or did not give up. */
static bool got_answer(const struct check_flow *f)
{
	return f->smc ||
	       (f->accelerate && f->code && f->code != FALLBACK_PEERNOSMC);
}

static bool passed(const struct check_way *w, unsigned int i,
		   enum check_step step)
{
	const struct check_flow *c = &w->client[i], *s = &w->server[i];

	switch (step) {
	case CHECK_CONVERTED:
		return w->v[i].converted;
	case CHECK_SENT:
		return c->found && c->accelerate;
	case CHECK_SEEN:
		return s->found && !s->offered_none;
	case CHECK_ANSWERED:
		return w->from ? got_answer(c) : s->accelerate;
	case CHECK_CLC:
		return w->from ? c->smc : s->smc;
	case CHECK_BYTE:
		return w->service ? w->v[i].connected : w->v[i].answered;
	default:
		return false;
	}
}

unsigned int check_passed(const struct check_way *w, enum check_step step)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n; i++)
		n += passed(w, i, step);
	return n;
}

unsigned int check_is(const struct check_way *w, enum exchange_mode mode)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n; i++)
		n += w->v[i].mode == mode;
	return n;
}

static bool is_smc(const struct check_way *w, unsigned int i)
{
	switch (w->v[i].mode) {
	case EXCHANGE_IS_SMCR:
	case EXCHANGE_IS_SMCD:
		return true;
	case EXCHANGE_IS_TCP:
		return false;
	default:
		return w->from ? w->client[i].smc : w->server[i].smc;
	}
}

unsigned int check_smc(const struct check_way *w)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n; i++)
		n += is_smc(w, i);
	return n;
}

bool check_ok(const struct check_way *w)
{
	if (!w->wanted || w->n < w->wanted || check_smc(w) < w->wanted)
		return false;
	return !w->from || check_passed(w, CHECK_BYTE) == w->wanted;
}

/* ---- why ----------------------------------------------------------------- */

static const char *of_pod(const struct check_pod *p)
{
	return p && !p->armed ? p->sentence : NULL;
}

static const char *of_flow(const struct check_flow *f)
{
	return f->found ? f->sentence : NULL;
}

static const char *of_error(const struct exchange *v)
{
	return v->err ? strerror(-v->err) : NULL;
}

/* The client's kernel sent the option, and the server's found none. */
static bool is_lost(const struct check_flow *c, const struct check_flow *s)
{
	return c->accelerate && s->offered_none;
}

static const char *why_stopped(const struct check_way *w, unsigned int i,
			       enum check_step step)
{
	const struct check_flow *c = &w->client[i], *s = &w->server[i];

	switch (step) {
	case CHECK_CONVERTED:
		return of_error(&w->v[i]) ?: of_pod(w->from) ?: of_flow(c);
	case CHECK_SENT:
		return of_flow(c) ?: of_error(&w->v[i]);
	case CHECK_SEEN:
		if (is_lost(c, s))
			return "the option did not arrive: something on the way takes it out of the SYN";
		return of_flow(s) ?: of_pod(w->to);
	case CHECK_ANSWERED:
		return of_flow(s) ?: of_pod(w->to) ?: of_flow(c);
	case CHECK_CLC:
		return of_flow(c) ?: of_flow(s);
	default:
		return of_error(&w->v[i]);
	}
}

static const char *remedy_of(const struct check_way *w, unsigned int i,
			     enum check_step step)
{
	const struct check_flow *c = &w->client[i], *s = &w->server[i];

	switch (step) {
	case CHECK_CONVERTED:
		return w->from && !w->from->armed ? w->from->remedy : c->remedy;
	case CHECK_SEEN:
		if (is_lost(c, s))
			return "let what is on the way (a firewall, a proxy, a balancer) pass TCP option 254";
		return w->to && !w->to->armed ? w->to->remedy : s->remedy;
	case CHECK_ANSWERED:
		return s->found ? s->remedy : c->remedy;
	case CHECK_BYTE:
		return "";
	default:
		return c->found ? c->remedy : s->remedy;
	}
}

static bool stops(const struct check_way *w, enum check_step step,
		  unsigned int *at)
{
	for (*at = 0; *at < w->n; (*at)++)
		if (!passed(w, *at, step))
			return true;
	return false;
}

enum check_step check_stop(const struct check_way *w, const char **why,
			   const char **remedy)
{
	unsigned int at;

	*why = *remedy = "";
	for (int step = 0; step < CHECK_STEPS; step++) {
		if (!check_step_known(w, step) || !stops(w, step, &at))
			continue;
		*why = why_stopped(w, at, step) ?: "there is no record of it";
		*remedy = remedy_of(w, at, step) ?: "";
		return step;
	}
	return CHECK_STEPS;
}

/* ---- times --------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

__u64 check_median(const struct exchange *v, unsigned int n, bool trip)
{
	__u64 ns[EXCHANGE_MAX];
	unsigned int k = 0;

	for (unsigned int i = 0; i < n; i++)
		if (trip ? v[i].trip_ns : v[i].first_ns)
			ns[k++] = trip ? v[i].trip_ns : v[i].first_ns;
	qsort(ns, k, sizeof(*ns), by_time);
	return k ? ns[k / 2] : 0;
}
