// SPDX-License-Identifier: Apache-2.0
#include "mesh/syncheck.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TCP_BASE_LEN 20 /* bytes of a header without options */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_EXPERIMENT 254
#define OPTION_SMC_LEN 6
#define OPTION_MIN_LEN 2 /* kind and length */

const char *syn_verdict_word(enum syn_verdict verdict)
{
	static const char *const words[SYN_VERDICTS] = {
		[SYN_FINE] = "fine",
		[SYN_REPLAY] = "replay",
		[SYN_CONFLICT] = "conflict",
		[SYN_TOO_LONG] = "too-long",
		[SYN_DROPPED] = "dropped",
		[SYN_RESET] = "reset",
		[SYN_UNREACHABLE] = "unreachable",
	};

	return words[verdict];
}

/* ---- the options of a SYN-ACK -------------------------------------------- */

/* The options of kind 254 that it has. */
struct found {
	bool smc, strange;
	unsigned int long_len; /* of SMC's, beyond its length; 0: none */
	bool other;
	char which[32]; /* the other's experiment */
};

static __u32 experiment_of(const __u8 *option)
{
	return (__u32)option[2] << 24 | option[3] << 16 | option[4] << 8 |
	       option[5];
}

/* @len: OPTION_MIN_LEN or more, all of it there. */
static void take_experiment(const __u8 *option, unsigned int len,
			    struct found *f)
{
	__u32 experiment = len >= OPTION_SMC_LEN ? experiment_of(option) : 0;

	if (experiment == SYN_EXPERIMENT_SMC && len == OPTION_SMC_LEN) {
		f->smc = true;
	} else if (experiment == SYN_EXPERIMENT_SMC) {
		f->long_len = len;
	} else if (experiment == SYN_EXPERIMENT_STRANGE) {
		f->strange = true;
	} else {
		f->other = true;
		if (len >= OPTION_SMC_LEN)
			snprintf(f->which, sizeof(f->which), "experiment 0x%x",
				 experiment);
		else if (len >= 4)
			snprintf(f->which, sizeof(f->which),
				 "experiment 0x%02x%02x", option[2], option[3]);
		else
			snprintf(f->which, sizeof(f->which),
				 "of no experiment");
	}
}

/* The walk ends where the kernel's own does (tcp_parse_options()). */
static struct found read_options(const struct syn_outcome *o)
{
	struct found f = {};
	size_t end, len;

	if (o->header_len < TCP_BASE_LEN)
		return f;
	end = (o->header[12] >> 4) * 4;
	if (end > o->header_len)
		end = o->header_len;
	for (size_t at = TCP_BASE_LEN; at < end; at += len) {
		const __u8 *option = o->header + at;

		len = 1;
		if (option[0] == OPTION_END)
			break;
		if (option[0] == OPTION_NOP)
			continue;
		if (at + OPTION_MIN_LEN > end || option[1] < OPTION_MIN_LEN ||
		    at + option[1] > end)
			break;
		len = option[1];
		if (option[0] == OPTION_EXPERIMENT)
			take_experiment(option, len, &f);
	}
	return f;
}

/* ---- one try ------------------------------------------------------------- */

struct series {
	syn_ask_fn ask;
	void *arg;
	/* The last outcome without the option: that before this try's. */
	struct syn_outcome plain;
	bool has_plain;
	bool speaks_smc;
};

static bool accepted(const struct syn_outcome *o)
{
	return o->end == SYN_ACCEPTED || o->end == SYN_CUT;
}

/* Return: 0. */
static int __attribute__((format(printf, 3, 4)))
decide(struct syn_result *out, enum syn_verdict verdict, const char *fmt, ...)
{
	va_list args;

	out->verdict = verdict;
	va_start(args, fmt);
	vsnprintf(out->detail, sizeof(out->detail), fmt, args);
	va_end(args);
	return 0;
}

static int unreachable(const struct syn_outcome *plain, const char *when,
		       struct syn_result *out)
{
	if (plain->end == SYN_REFUSED)
		return decide(out, SYN_UNREACHABLE,
			      "refused without the option%s: %s", when,
			      strerror(plain->err));
	return decide(out, SYN_UNREACHABLE,
		      "no answer in %u s without the option%s",
		      SYN_PATIENCE_MS / 1000, when);
}

/* Our option came back: does the peer speak SMC, or repeat what it gets? */
static int tell_apart(struct series *s, struct syn_result *out)
{
	static const enum syn_with both[] = {SYN_WITH_SMC_STRANGE,
					     SYN_WITH_STRANGE_SMC};
	bool again = false;

	for (size_t i = 0; i < array_size(both); i++) {
		struct syn_outcome o = {};
		struct found f;
		int err = s->ask(both[i], &o, s->arg);

		if (err)
			return err;
		f = read_options(&o);
		if (f.strange)
			return decide(
				out, SYN_REPLAY,
				"the SYN-ACK repeats the option, and one that nobody knows");
		again |= f.smc;
	}
	if (!again)
		return decide(
			out, SYN_REPLAY,
			"the SYN-ACK had the option once, and not when asked again");
	s->speaks_smc = true;
	return decide(out, SYN_FINE, "%s", "");
}

static int judge_answer(struct series *s, const struct syn_outcome *o,
			struct syn_result *out)
{
	const struct found f = read_options(o);
	const struct found unasked = read_options(&s->plain);

	if (f.long_len)
		return decide(
			out, SYN_TOO_LONG,
			"the SYN-ACK has the option with %u bytes, not %u",
			f.long_len, OPTION_SMC_LEN);
	if (f.other || f.strange)
		return decide(
			out, SYN_CONFLICT,
			"the SYN-ACK has an option of kind %u that is not SMC's: %s",
			OPTION_EXPERIMENT,
			f.other ? f.which : "one that was not sent");
	if (f.smc && unasked.smc)
		return decide(
			out, SYN_REPLAY,
			"the SYN-ACK has the option even where none was sent");
	return f.smc ? tell_apart(s, out) : decide(out, SYN_FINE, "%s", "");
}

/* @before: of s->plain, which is the one after it. */
static int judge(struct series *s, enum syn_end before,
		 const struct syn_outcome *o, struct syn_result *out)
{
	bool plain_cut = before == SYN_CUT || s->plain.end == SYN_CUT;

	if (!accepted(&s->plain))
		return unreachable(&s->plain, ", after one with it", out);
	if (o->end == SYN_UNANSWERED)
		return decide(
			out, SYN_DROPPED,
			"no answer to %u SYNs with the option in %u s, but without it before and after",
			o->syns, SYN_PATIENCE_MS / 1000);
	if (o->end == SYN_REFUSED)
		return decide(
			out, SYN_RESET,
			"refused with the option (%s), accepted without it",
			strerror(o->err));
	if (o->end == SYN_CUT && !plain_cut)
		return decide(
			out, SYN_RESET,
			"reset at once where the SYN had the option, and not where it had none");
	return judge_answer(s, o, out);
}

static int ask_plain(struct series *s)
{
	s->plain = (struct syn_outcome){};
	return s->ask(SYN_WITH_NONE, &s->plain, s->arg);
}

/* The SYN without the option after one try is the one before the next. */
static int try_once(struct series *s, struct syn_result *out)
{
	struct syn_outcome o = {};
	enum syn_end before;
	int err = s->has_plain ? 0 : ask_plain(s);

	if (err)
		return err;
	s->has_plain = false;
	if (!accepted(&s->plain))
		return unreachable(&s->plain, "", out);
	before = s->plain.end;
	err = s->ask(SYN_WITH_SMC, &o, s->arg) ?: ask_plain(s);
	if (err)
		return err;
	s->has_plain = accepted(&s->plain);
	return judge(s, before, &o, out);
}

/* ---- all tries ----------------------------------------------------------- */

/* The harm that most tries saw; of equals the more certain one. */
static enum syn_verdict worst_of(const unsigned int seen[SYN_VERDICTS])
{
	enum syn_verdict worst = SYN_FINE;

	for (enum syn_verdict v = SYN_REPLAY; v < SYN_VERDICTS; v++)
		if (seen[v] > (worst == SYN_FINE ? 0 : seen[worst]))
			worst = v;
	return worst;
}

static void conclude(const struct series *s, unsigned int tries,
		     const unsigned int seen[SYN_VERDICTS],
		     const struct syn_result first[SYN_VERDICTS],
		     struct syn_result *out)
{
	unsigned int bad = tries - seen[SYN_FINE];
	enum syn_verdict worst = worst_of(seen);

	if (worst == SYN_FINE)
		decide(out, SYN_FINE, "%s",
		       s->speaks_smc
			       ? "it speaks SMC: answers the option, and none that it does not know"
			       : "");
	else if (seen[worst] == bad)
		decide(out, worst, "%u of %u tries: %s", bad, tries,
		       first[worst].detail);
	else
		decide(out, worst, "%u of %u tries, of %u bad ones: %s",
		       seen[worst], tries, bad, first[worst].detail);
}

int syn_judge(unsigned int tries, syn_ask_fn ask, void *arg,
	      struct syn_result *out)
{
	struct series s = {.ask = ask, .arg = arg};
	struct syn_result first[SYN_VERDICTS] = {};
	unsigned int seen[SYN_VERDICTS] = {};

	for (unsigned int i = 0; i < tries; i++) {
		struct syn_result r = {};
		int err = try_once(&s, &r);

		if (err)
			return err;
		if (!seen[r.verdict]++)
			first[r.verdict] = r;
	}
	conclude(&s, tries, seen, first, out);
	return 0;
}
