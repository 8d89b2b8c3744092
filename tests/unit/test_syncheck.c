// SPDX-License-Identifier: Apache-2.0
/* What answers to SYNs mean (user/mesh/syncheck.c), by answers that the test
 * gives: options of a SYN-ACK as bytes in hex, or how the connect() ended. */
#include "unit.h"

#include <arpa/inet.h>
#include "mesh/syncheck.h"

#define SMC "fe06e2d4c3d9"
#define STRANGE "fe066e6f6e65"
#define USUAL "020405b40402080a00000001000000020103030701" /* a kernel's */

/* Of each connect(), in order: what it is to have, and what comes of it: the
 * options of the SYN-ACK, after "cut" or "short"; "N silent": N SYNs; "refused
 * N", "error N": errno. */
struct step {
	enum syn_with with;
	const char *answer;
};

struct script {
	const struct step *steps;
	size_t n, at;
};

static size_t from_hex(const char *hex, __u8 *out)
{
	unsigned int byte;
	size_t n = 0;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[n++] = byte;
	return n;
}

static void accept_with(struct syn_outcome *o, const char *hex)
{
	size_t len = from_hex(hex, o->header + 20);

	o->end = SYN_ACCEPTED;
	while (len % 4)
		o->header[20 + len++] = 0; /* the end of options */
	o->header_len = 20 + len;
	o->header[12] = o->header_len / 4 << 4;
}

static int play(enum syn_with with, struct syn_outcome *out, void *arg)
{
	struct script *s = arg;
	const struct step *step = &s->steps[s->at];
	const char *answer;

	if (s->at == s->n)
		fail_msg("connect() %zu was not expected", s->at);
	answer = step->answer;
	assert_int_equal(with, step->with);
	s->at++;
	out->syns = 1;
	if (sscanf(answer, "error %d", &out->err) == 1)
		return -out->err;
	if (sscanf(answer, "refused %d", &out->err) == 1) {
		out->end = SYN_REFUSED;
	} else if (strstr(answer, "silent")) {
		out->end = SYN_UNANSWERED;
		out->syns = atoi(answer);
	} else if (!strncmp(answer, "short", 5)) {
		/* its own length says 60 bytes, and 20 came */
		accept_with(out, answer + 5);
		out->header[12] = 0xf0;
		out->header_len = 20;
	} else if (!strncmp(answer, "cut", 3)) {
		accept_with(out, answer + 3);
		out->end = SYN_CUT;
	} else {
		accept_with(out, answer);
	}
	return 0;
}

static struct syn_result judge(unsigned int tries, const struct step *steps,
			       size_t n)
{
	struct script s = {steps, n, 0};
	struct syn_result r = {};

	assert_int_equal(syn_judge(tries, play, &s, &r), 0);
	assert_int_equal(s.at, n);
	return r;
}
#define JUDGE(tries, ...)                                  \
	judge(tries, (const struct step[]){__VA_ARGS__},   \
	      sizeof((const struct step[]){__VA_ARGS__}) / \
		      sizeof(struct step))

#define NONE(answer) {SYN_WITH_NONE, answer}
#define WITH(answer) {SYN_WITH_SMC, answer}
#define SMC_FIRST(answer) {SYN_WITH_SMC_STRANGE, answer}
#define SMC_LAST(answer) {SYN_WITH_STRANGE_SMC, answer}

#define assert_result(r, v, text)                                     \
	do {                                                          \
		struct syn_result _r = (r);                           \
		assert_string_equal(syn_verdict_word(_r.verdict), v); \
		assert_string_equal(_r.detail, text);                 \
	} while (0)

/* One try with this answer to the option. */
static struct syn_result answered(const char *hex)
{
	return JUDGE(1, NONE(USUAL), WITH(hex), NONE(USUAL));
}

/* ---- options ---- */

static void test_answers_without_the_option_are_fine(void **state)
{
	static const char *const rows[] = {
		"",
		USUAL,
		"fd06e2d4c3d9", /* 253 is another kind */
		"0204e2d4" /* the experiment's number elsewhere */,
		"00" SMC,		   /* after the end of options */
		"0101" USUAL "00fe06e2d4", /* likewise */
		"0200" SMC,		   /* a length that cannot be */
		"0201" SMC,
		"0208" SMC, /* the option is inside of another one */
		"0214" SMC, /* longer than the header */
		"fe06e2d4",
		"fe",
		"22",
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		struct syn_result r = answered(rows[i]);

		if (r.verdict != SYN_FINE)
			fail_msg("%s: %s", rows[i], r.detail);
		assert_string_equal(r.detail, "");
	}
}

static void test_what_is_behind_the_header_is_not_read(void **state)
{
	assert_result(answered("shortfe08e2d4c3d90000"), "fine", "");
	/* control: the same bytes in it */
	assert_string_equal(
		syn_verdict_word(answered("fe08e2d4c3d90000").verdict),
		"too-long");
}

static void test_longer_option_is_too_long(void **state)
{
	assert_result(answered("0101fe08e2d4c3d90000"), "too-long",
		      "1 of 1 tries: the SYN-ACK has the option with 8 bytes, "
		      "not 6");
	/* the kernel ignores one of an odd length, other readers may not */
	assert_result(answered("fe07e2d4c3d900"), "too-long",
		      "1 of 1 tries: the SYN-ACK has the option with 7 bytes, "
		      "not 6");
	/* beside one that is right */
	assert_string_equal(
		syn_verdict_word(answered(SMC "fe08e2d4c3d90000").verdict),
		"too-long");
}

static void test_option_of_another_experiment_is_a_conflict(void **state)
{
#define CONFLICT                                                    \
	"1 of 1 tries: the SYN-ACK has an option of kind 254 that " \
	"is not SMC's: "
	assert_result(answered("fe0612345678"), "conflict",
		      CONFLICT "experiment 0x12345678");
	assert_result(answered("fe08e2d4c3d80000"), "conflict",
		      CONFLICT "experiment 0xe2d4c3d8");
	/* Fast Open, as it was before it had a kind: 16 bits */
	assert_result(answered("fe04f989"), "conflict",
		      CONFLICT "experiment 0xf989");
	assert_result(answered("fe05e2d4c3"), "conflict",
		      CONFLICT "experiment 0xe2d4");
	assert_result(answered("fe02"), "conflict",
		      CONFLICT "of no experiment");
	assert_result(answered(SMC "fe0612345678"), "conflict",
		      CONFLICT "experiment 0x12345678");
	assert_result(answered(STRANGE), "conflict",
		      CONFLICT "one that was not sent");
}

/* ---- replay ---- */

#define BOTH \
	"1 of 1 tries: the SYN-ACK repeats the option, and one that nobody knows"

static void test_peer_that_repeats_a_strange_option_is_a_replay(void **state)
{
	assert_result(
		JUDGE(1, NONE(""), WITH(SMC), NONE(""), SMC_FIRST(SMC STRANGE)),
		"replay", BOTH);
	/* one that keeps the first of a kind, or the last */
	assert_result(JUDGE(1, NONE(""), WITH(SMC), NONE(""), SMC_FIRST(SMC),
			    SMC_LAST(STRANGE)),
		      "replay", BOTH);
	assert_result(
		JUDGE(1, NONE(""), WITH(SMC), NONE(""), SMC_FIRST(STRANGE)),
		"replay", BOTH);
}

static void test_peer_that_answers_only_smc_speaks_it(void **state)
{
#define SPEAKS \
	"it speaks SMC: answers the option, and none that it does not know"
	assert_result(JUDGE(1, NONE(USUAL), WITH(USUAL SMC), NONE(USUAL),
			    SMC_FIRST(SMC), SMC_LAST(USUAL SMC)),
		      "fine", SPEAKS);
	/* a listener that is busy for a moment */
	assert_result(JUDGE(1, NONE(""), WITH(SMC), NONE(""), SMC_FIRST(""),
			    SMC_LAST(SMC)),
		      "fine", SPEAKS);
	/* of a balancer's backends one speaks it */
	assert_result(JUDGE(2, NONE(""), WITH(SMC), NONE(""), SMC_FIRST(SMC),
			    SMC_LAST(SMC), WITH(""), NONE("")),
		      "fine", SPEAKS);
}

static void test_option_that_comes_once_only_is_a_replay(void **state)
{
	assert_result(JUDGE(1, NONE(""), WITH(SMC), NONE(""), SMC_FIRST(""),
			    SMC_LAST("4 silent")),
		      "replay",
		      "1 of 1 tries: the SYN-ACK had the option once, and not "
		      "when asked again");
}

static void test_option_without_an_offer_is_a_replay(void **state)
{
	assert_result(JUDGE(1, NONE(SMC), WITH(SMC), NONE(SMC)), "replay",
		      "1 of 1 tries: the SYN-ACK has the option even where "
		      "none was sent");
}

/* ---- silence and resets ---- */

static void test_silence_with_the_option_alone_is_dropped(void **state)
{
#define DROPPED                                                              \
	"no answer to 2 SYNs with the option in 3 s, but without it before " \
	"and after"
	assert_result(JUDGE(1, NONE(""), WITH("2 silent"), NONE("")), "dropped",
		      "1 of 1 tries: " DROPPED);
	/* controls: the peer went away meanwhile; was never there */
	assert_result(JUDGE(1, NONE(""), WITH("2 silent"), NONE("2 silent")),
		      "unreachable",
		      "1 of 1 tries: no answer in 3 s without the option, "
		      "after one with it");
	assert_result(JUDGE(1, NONE("2 silent")), "unreachable",
		      "1 of 1 tries: no answer in 3 s without the option");
}

static void test_refusal_of_the_option_alone_is_a_reset(void **state)
{
	assert_result(JUDGE(1, NONE(""), WITH("refused 111"), NONE("")),
		      "reset",
		      "1 of 1 tries: refused with the option (Connection "
		      "refused), accepted without it");
	assert_result(JUDGE(1, NONE(""), WITH("refused 113"), NONE("")),
		      "reset",
		      "1 of 1 tries: refused with the option (No route to "
		      "host), accepted without it");
	/* controls */
	assert_result(JUDGE(1, NONE("refused 111")), "unreachable",
		      "1 of 1 tries: refused without the option: Connection "
		      "refused");
	assert_result(
		JUDGE(1, NONE(""), WITH("refused 111"), NONE("refused 111")),
		"unreachable",
		"1 of 1 tries: refused without the option, after one with it: "
		"Connection refused");
}

static void test_reset_after_the_option_alone_is_a_reset(void **state)
{
	assert_result(JUDGE(1, NONE(""), WITH("cut"), NONE("")), "reset",
		      "1 of 1 tries: reset at once where the SYN had the "
		      "option, and not where it had none");
	/* controls: a peer that resets idle connections, at times */
	assert_result(JUDGE(1, NONE("cut"), WITH("cut"), NONE("")), "fine", "");
	assert_result(JUDGE(1, NONE(""), WITH("cut"), NONE("cut")), "fine", "");
	assert_result(JUDGE(1, NONE("cut"), WITH(""), NONE("cut")), "fine", "");
	/* its answer counts all the same */
	assert_string_equal(
		syn_verdict_word(
			JUDGE(1, NONE("cut"), WITH("cutfe04f989"), NONE("cut"))
				.verdict),
		"conflict");
}

/* ---- tries ---- */

static void test_syn_between_two_tries_counts_for_both(void **state)
{
	assert_result(JUDGE(3, NONE(""), WITH(""), NONE(""), WITH(""), NONE(""),
			    WITH(""), NONE("")),
		      "fine", "");
	/* but not one without an answer */
	assert_string_equal(
		JUDGE(3, NONE(""), WITH(""), NONE("2 silent"), NONE(""),
		      WITH(""), NONE(""), WITH(""), NONE(""))
			.detail,
		"1 of 3 tries: no answer in 3 s without the option, after one "
		"with it");
	assert_string_equal(
		JUDGE(2, NONE("2 silent"), NONE("2 silent")).detail,
		"2 of 2 tries: no answer in 3 s without the option");
}

static void test_harm_of_most_tries_is_told_with_its_share(void **state)
{
	assert_result(JUDGE(3, NONE(""), WITH("2 silent"), NONE(""), WITH(""),
			    NONE(""), WITH("2 silent"), NONE("")),
		      "dropped", "2 of 3 tries: " DROPPED);
	assert_result(JUDGE(3, NONE(""), WITH("fe04f989"), NONE(""),
			    WITH("2 silent"), NONE(""), WITH("2 silent"),
			    NONE("")),
		      "dropped", "2 of 3 tries, of 3 bad ones: " DROPPED);
	/* of equals the more certain one */
	assert_string_equal(
		syn_verdict_word(JUDGE(2, NONE(""), WITH("2 silent"), NONE(""),
				       WITH("fe04f989"), NONE(""))
					 .verdict),
		"conflict");
	/* one bad try is enough */
	assert_string_equal(
		syn_verdict_word(JUDGE(3, NONE(""), WITH(""), NONE(""),
				       WITH("refused 111"), NONE(""), WITH(""),
				       NONE(""))
					 .verdict),
		"reset");
}

static void test_error_of_a_connect_ends_it_and_leaves_the_result(void **state)
{
	static const struct step at_once[] = {NONE("error 24")};
	static const struct step later[] = {NONE(""), WITH(SMC), NONE(""),
					    SMC_FIRST("error 24")};
	struct syn_result r = {.verdict = SYN_RESET, .detail = "before"};
	struct script s = {at_once, 1, 0};

	assert_int_equal(syn_judge(3, play, &s, &r), -24);
	assert_int_equal(s.at, 1);
	s = (struct script){later, 4, 0};
	assert_int_equal(syn_judge(3, play, &s, &r), -24);
	assert_int_equal(s.at, 4);
	assert_result(r, "reset", "before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_without_the_option_are_fine),
		cmocka_unit_test(test_what_is_behind_the_header_is_not_read),
		cmocka_unit_test(test_longer_option_is_too_long),
		cmocka_unit_test(
			test_option_of_another_experiment_is_a_conflict),
		cmocka_unit_test(
			test_peer_that_repeats_a_strange_option_is_a_replay),
		cmocka_unit_test(test_peer_that_answers_only_smc_speaks_it),
		cmocka_unit_test(test_option_that_comes_once_only_is_a_replay),
		cmocka_unit_test(test_option_without_an_offer_is_a_replay),
		cmocka_unit_test(test_silence_with_the_option_alone_is_dropped),
		cmocka_unit_test(test_refusal_of_the_option_alone_is_a_reset),
		cmocka_unit_test(test_reset_after_the_option_alone_is_a_reset),
		cmocka_unit_test(test_syn_between_two_tries_counts_for_both),
		cmocka_unit_test(
			test_harm_of_most_tries_is_told_with_its_share),
		cmocka_unit_test(
			test_error_of_a_connect_ends_it_and_leaves_the_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
