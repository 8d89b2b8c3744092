// SPDX-License-Identifier: Apache-2.0
/* cli/hide: names and addresses are taken out of texts, everywhere and alike.
 */
#include "unit.h"

#include <string.h>
#include "cli/hide.h"

#define KEY "0123456789abcdef"

static const char *const names[] = {"shop", "web-0", "n1.example.com", "a"};

static struct hide make(bool hide_names, bool addresses)
{
	struct hide h = {.names = hide_names, .addresses = addresses};

	buf_add(&h.key, KEY, strlen(KEY));
	for (size_t i = 0; i < array_size(names); i++)
		hide_name(&h, names[i]);
	hide_ready(&h);
	assert_int_equal(h.err, 0);
	return h;
}

/* What becomes of @text, until the next call. */
static const char *hidden(const struct hide *h, const char *text)
{
	static struct buf out;

	buf_drop(&out, out.len);
	hide_text(h, text, strlen(text), &out);
	return out.data;
}

/* The hash of a name that is known; the caller frees it. */
static char *hash_of(const struct hide *h, const char *name)
{
	const char *got = hidden(h, name);

	assert_int_equal(strlen(got), strlen("name-") + 10);
	assert_true(!strncmp(got, "name-", 5));
	return strdup(got);
}

static void names_go_wherever_they_stand(void **state)
{
	_cleanup_(hide_free) struct hide h = make(true, false);
	_free_ char *ns = hash_of(&h, "shop"), *pod = hash_of(&h, "web-0");
	_free_ char *node = hash_of(&h, "n1.example.com");
	static const struct {
		const char *text;
		int pods, spaces, nodes;
	} rows[] = {
		{"pod shop/web-0: armed", 1, 1, 0},
		{"shop_web-0_1234", 1, 1, 0},
		{"(web-0), \"web-0\"; web-0.", 3, 0, 0},
		{"web-0.shop.svc", 1, 1, 0},
		{"on n1.example.com.", 0, 0, 1},
		{"N1.Example.Com and SHOP", 0, 1, 1},
		{"shop\nshop\tshop", 0, 3, 0},
		{"/run/netns/cni-web-0, my-shop, web-0-old", 2, 1, 0},
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		const char *got = hidden(&h, rows[i].text);
		int pods = 0, spaces = 0, nodes = 0;

		for (size_t n = 0; n < array_size(names) - 1; n++)
			assert_null(strcasestr(got, names[n]));
		for (const char *p = got; (p = strstr(p, pod)); p++)
			pods++;
		for (const char *p = got; (p = strstr(p, ns)); p++)
			spaces++;
		for (const char *p = got; (p = strstr(p, node)); p++)
			nodes++;
		assert_int_equal(pods, rows[i].pods);
		assert_int_equal(spaces, rows[i].spaces);
		assert_int_equal(nodes, rows[i].nodes);
	}
}

static void other_words_stay(void **state)
{
	_cleanup_(hide_free) struct hide h = make(true, false);
	static const char *const texts[] = {
		"shops, webshop, web-01 and web-0x",
		"example.com",
		"an armed pod at 10.0.0.1:80",
		"",
	};

	for (size_t i = 0; i < array_size(texts); i++) {
		const char *got = hidden(&h, texts[i]);

		assert_string_equal(got ?: "", texts[i]);
	}
	assert_string_not_equal(hidden(&h, "a pod"), "a pod");
}

/* A pod that the agent does not know, named beside a namespace that it does. */
static void unknown_neighbours_go_too(void **state)
{
	_cleanup_(hide_free) struct hide h = make(true, false);
	const char *got = hidden(&h, "left out: shop/secret-7/x, and b/secret");

	assert_null(strstr(got, "secret-7"));
	assert_says(got, ", and b/secret");
}

static void hashes_depend_on_the_key(void **state)
{
	_cleanup_(hide_free) struct hide h = make(true, false);
	_cleanup_(hide_free) struct hide other = make(true, false);
	_free_ char *first = hash_of(&h, "shop");

	assert_string_equal(hidden(&other, "shop"), first);
	other.key.data[0] ^= 1;
	assert_string_not_equal(hidden(&other, "shop"), first);
	assert_string_not_equal(hidden(&h, "web-0"), first);
}

static void addresses_go_where_asked(void **state)
{
	_cleanup_(hide_free) struct hide h = make(false, true);
	static const char *const gone[] = {
		"10.244.1.7", "10.244.1.7:80", "[fd00::17]:443",
		"fd00::17",   "10.244.1.7/24", "::ffff:10.244.1.7",
	};
	static const char *const stay[] = {
		"127.0.0.1:9469", "::1",
		"[::]:80",	  "12:34:56",
		"1.2.3",	  "6.18.44-fc",
		"shop/web-0",	  "2026-11-30T16:50:16Z",
	};
	_free_ char *one = NULL;

	for (size_t i = 0; i < array_size(gone); i++) {
		const char *got = hidden(&h, gone[i]);

		assert_null(strstr(got, "10.244"));
		assert_null(strstr(got, "fd00"));
		assert_says(got, "addr-");
	}
	for (size_t i = 0; i < array_size(stay); i++)
		assert_string_equal(hidden(&h, stay[i]), stay[i]);
	/* an address is the same, however it is written */
	one = strdup(hidden(&h, "10.244.1.7"));
	assert_string_equal(hidden(&h, "::ffff:10.244.1.7"), one);
	assert_string_not_equal(hidden(&h, "10.244.1.8"), one);
}

static void documents_keep_their_keys(void **state)
{
	_cleanup_(hide_free) struct hide h = {.names = true};
	const char *text =
		"{\"pods\":[{\"namespace\":\"pods\",\"name\":\"x1\","
		"\"sentence\":\"x1 is on host-7\\nx1\"}],"
		"\"node\":\"host-7\",\"methods\":[{\"name\":\"hs\"}],"
		"\"strangers\":[\"host-8\"],\"peer_pod\":\"y1\","
		"\"notes\":[\"Pod ns9/z9: it is 7\",\"SmcNode host-9: no\","
		"\"items[2]: it is 7\"],\"path\":\"/run/netns/ns-8\","
		"\"warnings\":[\"pod whale/orca on node krill: the pod is that\"],"
		"\"n\":1}";
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	yyjson_mut_doc *mut = yyjson_doc_mut_copy(doc, NULL);
	_free_ char *got = NULL;

	buf_add(&h.key, KEY, strlen(KEY));
	hide_names_of(&h, yyjson_doc_get_root(doc));
	hide_ready(&h);
	assert_int_equal(h.n, 12);
	assert_int_equal(hide_json(&h, mut), 0);
	got = yyjson_mut_write(mut, 0, NULL);
	assert_says(got, "{\"pods\":[{\"namespace\":\"name-");
	assert_says(got, "\"name\":\"hs\"");
	assert_says(got, "\"n\":1}");
	assert_says(got, "\"Pod name-");
	assert_says(got, "\"items[2]: it is 7\"");
	assert_says(got, "\"path\":\"/run/netns/name-");
	assert_null(strstr(got, "z9"));
	assert_null(strstr(got, "whale"));
	assert_null(strstr(got, "orca"));
	assert_null(strstr(got, "krill"));
	assert_says(got, ": the pod is that\"]");
	assert_null(strstr(got, "x1"));
	assert_null(strstr(got, "y1"));
	assert_null(strstr(got, "host-"));
	yyjson_mut_doc_free(mut);
	yyjson_doc_free(doc);
}

static void metrics_keep_their_names(void **state)
{
	_cleanup_(hide_free) struct hide h = make(true, false);
	const char *text = "# HELP shop a shop\nshop_total{pod=\"web-0\"} 1\n";
	_buf_ struct buf out = {};

	hide_quoted(&h, text, strlen(text), &out);
	assert_says(out.data, "# HELP shop a shop\nshop_total{pod=\"name-");
	assert_null(strstr(out.data, "web-0"));
}

static void key_file_is_checked(void **state)
{
	_cleanup_(hide_free) struct hide h = {};
	_buf_ struct buf error = {};

	assert_int_equal(hide_key(&h, "/nonexistent", &error), -ENOENT);
	assert_says(error.data, "/nonexistent");
	buf_free(&error);
	assert_int_equal(hide_key(&h, "/dev/null", &error), -EINVAL);
	assert_says(error.data, "/dev/null: a key has 16 to 4096 bytes, and "
				"this has 0");
	assert_int_equal(hide_key(&h, NULL, &error), 0);
	assert_true(h.key.len >= HIDE_KEY_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_wherever_they_stand),
		cmocka_unit_test(other_words_stay),
		cmocka_unit_test(unknown_neighbours_go_too),
		cmocka_unit_test(hashes_depend_on_the_key),
		cmocka_unit_test(addresses_go_where_asked),
		cmocka_unit_test(documents_keep_their_keys),
		cmocka_unit_test(metrics_keep_their_names),
		cmocka_unit_test(key_file_is_checked),
	};

	return cmocka_run_group_tests_name("cli/hide", tests, NULL, NULL);
}
