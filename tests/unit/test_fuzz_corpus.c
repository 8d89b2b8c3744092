// SPDX-License-Identifier: Apache-2.0
/* What is in tests/fuzz/corpus, and what damage makes of it, through the
 * fuzzer's own entry. */
#include "unit.h"

#include <glob.h>

#include "../fuzz/fuzz_decode.c"

struct input {
	uint8_t *data;
	size_t len;
};

static struct input read_input(const char *path)
{
	struct input in = {.data = malloc(1 << 20)};
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	in.len = fread(in.data, 1, 1 << 20, f);
	fclose(f);
	return in;
}

/* Exactly as long as it says, so that ASan sees every read past the end. */
static void feed(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

/* A small generator, the same everywhere: xorshift32. */
static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Bytes that mean something in JSON, where others make only broken text. */
static void damage(struct input *in, uint32_t *seed)
{
	static const char bytes[] = "{}[]\",:0123456789-.tfn\\/ae\x00\xff";

	for (uint32_t n = random_next(seed) % 4 + 1; n && in->len; n--) {
		size_t at = random_next(seed) % in->len;
		size_t cut = random_next(seed) % 16;

		if (random_next(seed) % 3) {
			in->data[at] =
				bytes[random_next(seed) % (sizeof(bytes) - 1)];
			continue;
		}
		if (cut > in->len - at)
			cut = in->len - at;
		memmove(in->data + at, in->data + at + cut, in->len - at - cut);
		in->len -= cut;
	}
}

static glob_t corpus;

static int find_corpus(void **state)
{
	char pattern[512];

	/* Beside the source, whose name the compiler got from the top. */
	snprintf(pattern, sizeof(pattern), "%.*s/../fuzz/corpus/*",
		 (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
	return glob(pattern, 0, NULL, &corpus);
}

static int free_corpus(void **state)
{
	globfree(&corpus);
	return 0;
}

static void corpus_is_there(void **state)
{
	assert_in_range(corpus.gl_pathc, 10, 1000);
}

static void every_file_keeps_the_promises(void **state)
{
	for (size_t i = 0; i < corpus.gl_pathc; i++) {
		struct input in = read_input(corpus.gl_pathv[i]);

		feed(in.data, in.len);
		free(in.data);
	}
}

static void every_cut_keeps_the_promises(void **state)
{
	for (size_t i = 0; i < corpus.gl_pathc; i++) {
		struct input in = read_input(corpus.gl_pathv[i]);

		for (size_t len = 0; len < in.len && len < 1000; len++)
			feed(in.data, len);
		free(in.data);
	}
}

static void damage_keeps_the_promises(void **state)
{
	uint32_t seed = 20250301;

	print_message("seed %u\n", seed);
	for (size_t i = 0; i < corpus.gl_pathc; i++)
		for (int round = 0; round < 200; round++) {
			struct input in = read_input(corpus.gl_pathv[i]);

			damage(&in, &seed);
			feed(in.data, in.len);
			free(in.data);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_there),
		cmocka_unit_test(every_file_keeps_the_promises),
		cmocka_unit_test(every_cut_keeps_the_promises),
		cmocka_unit_test(damage_keeps_the_promises),
	};

	return cmocka_run_group_tests_name("fuzz corpus", tests, find_corpus,
					   free_corpus);
}
