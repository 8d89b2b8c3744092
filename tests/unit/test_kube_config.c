// SPDX-License-Identifier: Apache-2.0
/* Where the API server is: kubeconfigs in YAML and JSON, options, the pod. */
#include "tmpdir.h"

#include "base/base64.h"
#include "kube/config.h"
#include "objects/yaml.h"

static struct bench {
	struct tmpdir tmp;
	struct kube_config config;
	struct buf error;
} b;

static int up(void **state)
{
	tmpdir_make(&b.tmp);
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	return 0;
}

static int down(void **state)
{
	kube_config_free(&b.config);
	buf_free(&b.error);
	tmpdir_remove(&b.tmp);
	return 0;
}

static int read_options(const struct kube_options *opt)
{
	kube_config_free(&b.config);
	buf_free(&b.error);
	return kube_config_read(opt, &b.config, &b.error);
}

static int read_text(const char *text)
{
	const struct kube_options opt = {
		.kubeconfig = tmpdir_put(&b.tmp, "config", text)};

	return read_options(&opt);
}

/* A kubeconfig with these in its cluster and its user. */
static int read_with(const char *cluster, const char *user)
{
	char *text;
	int err;

	assert_true(asprintf(&text,
			     "apiVersion: v1\n"
			     "kind: Config\n"
			     "current-context: two\n"
			     "contexts:\n"
			     "- name: one\n"
			     "  context: {cluster: other, user: me}\n"
			     "- name: two\n"
			     "  context:\n"
			     "    cluster: c\n"
			     "    user: me\n"
			     "clusters:\n"
			     "- {name: other, cluster: {server: https://o}}\n"
			     "- name: c\n"
			     "  cluster:\n"
			     "    server: https://10.0.0.1:6443/\n"
			     "%s"
			     "users:\n"
			     "- name: me\n"
			     "  user:\n"
			     "    unknown: 1\n"
			     "%s",
			     cluster, user) > 0);
	err = read_text(text);
	free(text);
	return err;
}

/* ---- kubeconfigs --------------------------------------------------------- */

static void current_context_counts(void **state)
{
	assert_int_equal(read_with("", "    token: abc\n"), 0);
	assert_string_equal(b.config.server, "https://10.0.0.1:6443");
	assert_string_equal(b.config.token, "abc");
	assert_null(b.config.ca.file);
}

static void paths_are_relative_to_the_file(void **state)
{
	tmpdir_put(&b.tmp, "ca.pem", "x");
	tmpdir_put(&b.tmp, "cert", "x");
	tmpdir_put(&b.tmp, "key", "x");
	assert_int_equal(read_with("    certificate-authority: ca.pem\n",
				   "    client-certificate: cert\n"
				   "    client-key: key\n"),
			 0);
	assert_string_equal(b.config.ca.file, tmpdir_at(&b.tmp, "ca.pem"));
	assert_string_equal(b.config.cert.file, tmpdir_at(&b.tmp, "cert"));
	assert_string_equal(b.config.key.file, tmpdir_at(&b.tmp, "key"));
}

static void data_is_decoded_and_wins(void **state)
{
	assert_int_equal(read_with("    certificate-authority: /nowhere\n"
				   "    certificate-authority-data: Q0E=\n"
				   "    tls-server-name: api.example\n"
				   "    proxy-url: http://proxy:3128\n",
				   "    client-certificate-data: Y2VydA==\n"
				   "    client-key-data: |\n"
				   "      a2\n"
				   "      V5\n"),
			 0);
	assert_null(b.config.ca.file);
	assert_string_equal(b.config.ca.data.data, "CA");
	assert_string_equal(b.config.cert.data.data, "cert");
	assert_string_equal(b.config.key.data.data, "key");
	assert_string_equal(b.config.server_name, "api.example");
	assert_string_equal(b.config.proxy, "http://proxy:3128");
}

static void json_is_read_too(void **state)
{
	assert_int_equal(
		read_text("\n {\"current-context\":\"a\",\t\"contexts\":"
			  "[{\"name\":\"a\",\"context\":{\"cluster\":\"c\"}}],"
			  "\"clusters\":[{\"name\":\"c\",\"cluster\":"
			  "{\"server\":\"http:\\/\\/127.0.0.1:8001\"}}]}"),
		0);
	assert_string_equal(b.config.server, "http://127.0.0.1:8001");
}

static void unsupported_is_refused_by_name(void **state)
{
	static const struct {
		const char *cluster, *user, *says;
	} cases[] = {
		{"", "    exec: {command: aws}\n",
		 "user \"me\": exec is not supported"},
		{"", "    auth-provider: {name: gcp}\n",
		 "user \"me\": auth-provider is not supported"},
		{"", "    username: root\n", "username is not supported"},
		{"", "    as: root\n", "as is not supported"},
		{"    insecure-skip-tls-verify: true\n", "",
		 "cluster \"c\": insecure-skip-tls-verify is not supported"},
		{"    insecure-skip-tls-verify: 'no'\n", "",
		 "insecure-skip-tls-verify is not supported"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		assert_int_equal(read_with(cases[i].cluster, cases[i].user),
				 -EINVAL);
		assert_says(b.error.data, cases[i].says);
		assert_says(b.error.data, tmpdir_at(&b.tmp, "config"));
	}
	assert_int_equal(read_with("    insecure-skip-tls-verify: false\n",
				   "    exec: null\n"),
			 0);
}

static void senseless_is_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", "nothing in it"},
		{"a: [1\nb", "broken YAML at line "},
		{"{\"a\":\n 1,}", "broken JSON at line 2, column "},
		{"- a\n", "no mapping at the top"},
		{"? [a]\n: b\n", "a key that is not a scalar"},
		{"a: 1\n", "current-context is not set"},
		{"current-context: [1]\n", "current-context is not a string"},
		{"current-context: a\n", "there is no context \"a\""},
		{"current-context: a\ncontexts: 5\n", "no context \"a\""},
		{"current-context: a\ncontexts: [{name: a, context: {}}]\n",
		 "context \"a\": cluster is not set"},
		{"current-context: a\n"
		 "contexts: [{name: a, context: {cluster: c}}]\n",
		 "there is no cluster \"c\""},
		{"current-context: a\n"
		 "contexts: [{name: a, context: {cluster: c}}]\n"
		 "clusters: [{name: c, cluster: {server: [x]}}]\n",
		 "cluster \"c\": server is not a string"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		assert_int_equal(read_text(cases[i].text), -EINVAL);
		assert_says(b.error.data, cases[i].says);
	}
	assert_int_equal(read_with("    certificate-authority-data: '!'\n", ""),
			 -EINVAL);
	assert_says(b.error.data, "certificate-authority-data is not base64");
	assert_int_equal(read_with("    certificate-authority: nowhere\n", ""),
			 -ENOENT);
	assert_says(b.error.data, "/nowhere: No such file");
	assert_int_equal(read_with("    tls-server-name: a b\n", ""), -EINVAL);
	assert_says(b.error.data,
		    "tls-server-name \"a b\": expected a host name");
	assert_int_equal(read_with("", "    client-certificate-data: Y2E=\n"),
			 -EINVAL);
	assert_says(b.error.data, "needs its key");
}

/* "Billion laughs", and a depth that would use up the stack. */
static void bombs_are_refused(void **state)
{
	struct buf text = {0};

	buf_printf(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++)
		buf_printf(&text,
			   "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n",
			   i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_int_equal(read_text(text.data), -EINVAL);
	assert_says(b.error.data, "too much in it");
	buf_free(&text);
	for (int i = 0; i < 500; i++)
		buf_printf(&text, "{a: ");
	for (int i = 0; i < 500; i++)
		buf_printf(&text, "}");
	buf_printf(&b.error, "%s", "");
	assert_int_equal(read_text(text.data), -EINVAL);
	buf_free(&text);
	buf_printf(&text, "a: &a [*a]\n");
	assert_int_equal(read_text(text.data), -EINVAL);
	buf_free(&text);
}

/* ---- options and the pod ------------------------------------------------- */

static void options_win(void **state)
{
	const struct kube_options opt = {
		.kubeconfig = tmpdir_put(
			&b.tmp, "config",
			"current-context: a\n"
			"contexts: [{name: a, context: {cluster: c, user: u}}]\n"
			"clusters: [{name: c, cluster: {server: https://c,"
			" certificate-authority-data: Q0E=}}]\n"
			"users: [{name: u, user: {token: old}}]\n"),
		.server = "https://other:1",
		.token_file = tmpdir_put(&b.tmp, "token", "new"),
		.ca = tmpdir_put(&b.tmp, "ca", "x"),
	};

	assert_int_equal(read_options(&opt), 0);
	assert_string_equal(b.config.server, "https://other:1");
	assert_string_equal(b.config.token_file, opt.token_file);
	assert_null(b.config.token);
	assert_string_equal(b.config.ca.file, opt.ca);
	assert_int_equal(b.config.ca.data.len, 0);
}

static void a_pod_needs_no_options(void **state)
{
	const struct kube_options opt = {.service_account = b.tmp.dir};

	assert_int_equal(read_options(&opt), -ENOENT);
	assert_says(b.error.data, "give --kubeconfig or --server");
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(read_options(&opt), -ENOENT);
	assert_says(b.error.data, "/token: No such file");
	tmpdir_put(&b.tmp, "token", "abc");
	tmpdir_put(&b.tmp, "ca.crt", "x");
	assert_int_equal(read_options(&opt), 0);
	assert_string_equal(b.config.server, "https://[fd00::1]:443");
	assert_string_equal(b.config.ca.file, tmpdir_at(&b.tmp, "ca.crt"));
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	assert_int_equal(read_options(&opt), 0);
	assert_string_equal(b.config.server, "https://10.96.0.1:443");
}

static void servers_are_checked(void **state)
{
	static const char *const bad[] = {
		"10.0.0.1",	 "ftp://a",
		"https://",	 "https://u:p@a",
		"https://a?b=c", "https://a/#b",
		"https://a b",	 "file:///etc/passwd",
	};
	struct kube_options opt = {.server = "https://a/prefix//"};

	assert_int_equal(read_options(&opt), 0);
	assert_string_equal(b.config.server, "https://a/prefix");
	for (size_t i = 0; i < array_size(bad); i++) {
		opt.server = bad[i];
		assert_int_equal(read_options(&opt), -EINVAL);
		assert_says(b.error.data, bad[i]);
	}
	opt.server = "http://a";
	assert_int_equal(read_options(&opt), 0);
	opt.token_file = tmpdir_put(&b.tmp, "token", "abc");
	assert_int_equal(read_options(&opt), -EINVAL);
	assert_says(b.error.data, "not sent over plain HTTP");
}

/* ---- base64 -------------------------------------------------------------- */

static void base64_is_decoded(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *bytes;
	} cases[] = {
		{"", 0, ""},
		{"YQ==", 0, "a"},
		{"YWI=", 0, "ab"},
		{"YWJj", 0, "abc"},
		{"YW\nJj\r\n", 0, "abc"},
		{"YWJjZA==", 0, "abcd"},
		{"+/+/", 0, "\xfb\xff\xbf"},
		{"YQ=", -EINVAL, ""},
		{"YQ", -EINVAL, ""},
		{"Y===", -EINVAL, ""},
		{"YQ==YQ==", -EINVAL, ""},
		{"Y-Q=", -EINVAL, ""},
		{"====", -EINVAL, ""},
		{"=", -EINVAL, ""},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		_buf_ struct buf out = {0};

		assert_int_equal(base64_decode(cases[i].text, &out),
				 cases[i].err);
		assert_int_equal(out.len, strlen(cases[i].bytes));
		assert_memory_equal(out.data ?: "", cases[i].bytes, out.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(current_context_counts, up,
						down),
		cmocka_unit_test_setup_teardown(paths_are_relative_to_the_file,
						up, down),
		cmocka_unit_test_setup_teardown(data_is_decoded_and_wins, up,
						down),
		cmocka_unit_test_setup_teardown(json_is_read_too, up, down),
		cmocka_unit_test_setup_teardown(unsupported_is_refused_by_name,
						up, down),
		cmocka_unit_test_setup_teardown(senseless_is_refused, up, down),
		cmocka_unit_test_setup_teardown(bombs_are_refused, up, down),
		cmocka_unit_test_setup_teardown(options_win, up, down),
		cmocka_unit_test_setup_teardown(a_pod_needs_no_options, up,
						down),
		cmocka_unit_test_setup_teardown(servers_are_checked, up, down),
		cmocka_unit_test(base64_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
