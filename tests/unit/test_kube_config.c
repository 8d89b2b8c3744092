// SPDX-License-Identifier: Apache-2.0
/* Where the API server is: kubeconfigs in YAML and JSON, options, the pod. */
#include "tmpdir.h"

#include "base/base64.h"
#include "kube/config.h"
#include "kube/pem.h"
#include "objects/yaml.h"

/* PEM as far as anybody looks before TLS does, and the same in base64. */
#define CERT "-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nQ0E=\n-----END PRIVATE KEY-----\n"
#define CERT_DATA                                                          \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClEwRT0KLS0tLS1FTkQgQ0VSVElG" \
	"SUNBVEUtLS0tLQo="
#define KEY_DATA                                                           \
	"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tClEwRT0KLS0tLS1FTkQgUFJJVkFU" \
	"RSBLRVktLS0tLQo="

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

static void kubeconfig_is_read_by_its_current_context(void **state)
{
	assert_int_equal(read_with("", "    token: abc\n"), 0);
	assert_string_equal(b.config.server, "https://10.0.0.1:6443");
	assert_string_equal(b.config.token, "abc");
	assert_null(b.config.ca.file);
}

static void paths_are_relative_to_the_file(void **state)
{
	tmpdir_put(&b.tmp, "ca.pem", CERT);
	tmpdir_put(&b.tmp, "cert", CERT);
	tmpdir_put(&b.tmp, "key", KEY);
	assert_int_equal(read_with("    certificate-authority: ca.pem\n",
				   "    client-certificate: cert\n"
				   "    client-key: key\n"),
			 0);
	assert_string_equal(b.config.ca.file, tmpdir_at(&b.tmp, "ca.pem"));
	assert_string_equal(b.config.cert.file, tmpdir_at(&b.tmp, "cert"));
	assert_string_equal(b.config.key.file, tmpdir_at(&b.tmp, "key"));
}

static void certificate_data_is_decoded_and_wins_over_paths(void **state)
{
	assert_int_equal(
		read_with("    certificate-authority: /nowhere\n"
			  "    certificate-authority-data: " CERT_DATA "\n"
			  "    tls-server-name: api.example\n"
			  "    proxy-url: http://proxy:3128\n",
			  "    client-certificate-data: " CERT_DATA "\n"
			  "    client-key-data: |\n"
			  "      LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tClEw\n"
			  "      RT0KLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQo=\n"),
		0);
	assert_null(b.config.ca.file);
	assert_string_equal(b.config.ca.data.data, CERT);
	assert_string_equal(b.config.cert.data.data, CERT);
	assert_string_equal(b.config.key.data.data, KEY);
	assert_string_equal(b.config.server_name, "api.example");
	assert_string_equal(b.config.proxy, "http://proxy:3128");
}

static void json_kubeconfig_is_read_too(void **state)
{
	assert_int_equal(
		read_text("\n {\"current-context\":\"a\",\t\"contexts\":"
			  "[{\"name\":\"a\",\"context\":{\"cluster\":\"c\"}}],"
			  "\"clusters\":[{\"name\":\"c\",\"cluster\":"
			  "{\"server\":\"http:\\/\\/127.0.0.1:8001\"}}]}"),
		0);
	assert_string_equal(b.config.server, "http://127.0.0.1:8001");
}

static void unsupported_settings_are_refused_by_name(void **state)
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

static void senseless_kubeconfig_is_refused_and_said(void **state)
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

/* ---- certificates and keys ----------------------------------------------- */

/* What kubectl shows in the place of the data is base64 of something. */
static void data_that_is_no_pem_is_refused(void **state)
{
	static const struct {
		const char *cluster, *user, *says;
	} cases[] = {
		{"    certificate-authority-data: DATA+OMITTED\n", "",
		 "cluster \"c\": certificate-authority-data holds no PEM "
		 "certificate: expected -----BEGIN CERTIFICATE-----"},
		{"",
		 "    client-certificate-data: DATA+OMITTED\n"
		 "    client-key-data: " KEY_DATA "\n",
		 "user \"me\": client-certificate-data holds no PEM cert"},
		{"",
		 "    client-certificate-data: " CERT_DATA "\n"
		 "    client-key-data: DATA+OMITTED\n",
		 "user \"me\": client-key-data holds no PEM key: expected "
		 "-----BEGIN PRIVATE KEY-----"},
		/* one for the other */
		{"",
		 "    client-certificate-data: " KEY_DATA "\n"
		 "    client-key-data: " CERT_DATA "\n",
		 "client-certificate-data holds no PEM certificate"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		assert_int_equal(read_with(cases[i].cluster, cases[i].user),
				 -EINVAL);
		assert_says(b.error.data, cases[i].says);
		assert_says(b.error.data, tmpdir_at(&b.tmp, "config"));
		assert_says(b.error.data, "config view leaves it out");
	}
}

static void file_that_is_no_pem_is_refused(void **state)
{
	struct kube_options opt = {.server = "https://a"};
	char says[256];

	tmpdir_put(&b.tmp, "der", "0\x82\x01");
	tmpdir_put(&b.tmp, "cert", CERT);
	tmpdir_put(&b.tmp, "key", KEY);
	assert_int_equal(read_with("    certificate-authority: der\n", ""),
			 -EINVAL);
	snprintf(says, sizeof(says),
		 "cluster \"c\": certificate-authority: %s holds no PEM cert",
		 tmpdir_at(&b.tmp, "der"));
	assert_says(b.error.data, says);
	assert_null(strstr(b.error.data, "config view"));
	assert_int_equal(read_with("", "    client-certificate: der\n"
				       "    client-key: key\n"),
			 -EINVAL);
	assert_says(b.error.data, "user \"me\": client-certificate: ");
	assert_int_equal(read_with("", "    client-certificate: cert\n"
				       "    client-key: der\n"),
			 -EINVAL);
	assert_says(b.error.data, "user \"me\": client-key: ");
	/* the same by options, which win over a file that is refused */
	opt.ca = tmpdir_at(&b.tmp, "der");
	assert_int_equal(read_options(&opt), -EINVAL);
	assert_says(b.error.data, "--ca: ");
	opt.ca = tmpdir_at(&b.tmp, "cert");
	assert_int_equal(read_options(&opt), 0);
	opt.kubeconfig =
		tmpdir_put(&b.tmp, "config",
			   "current-context: a\n"
			   "contexts: [{name: a, context: {cluster: c}}]\n"
			   "clusters: [{name: c, cluster: {"
			   " certificate-authority-data: DATA+OMITTED}}]\n");
	assert_int_equal(read_options(&opt), 0);
}

static const char wants_cert[] = "holds no PEM certificate";
static const char wants_key[] = "holds no PEM key";
static const char locked[] = "holds an encrypted key";
static const struct {
	enum pem_kind kind;
	const char *text, *wrong; /* NULL: nothing is */
} pems[] = {
	{PEM_CERTIFICATE, CERT, NULL},
	{PEM_CERTIFICATE, KEY CERT, NULL},
	{PEM_CERTIFICATE, "subject: a\r\n\r\n" CERT "\n", NULL},
	{PEM_CERTIFICATE,
	 "-----BEGIN TRUSTED CERTIFICATE-----\r\nQ0\r\nE=\r\n"
	 "-----END TRUSTED CERTIFICATE-----",
	 NULL},
	{PEM_CERTIFICATE, "", wants_cert},
	{PEM_CERTIFICATE, KEY, wants_cert},
	{PEM_CERTIFICATE,
	 "-----BEGIN CERTIFICATE REQUEST-----\nQ0E=\n"
	 "-----END CERTIFICATE REQUEST-----\n",
	 wants_cert},
	/* no end, nothing in it, no base64, in mid line */
	{PEM_CERTIFICATE, "-----BEGIN CERTIFICATE-----\nQ0E=\n", wants_cert},
	{PEM_CERTIFICATE,
	 "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
	 wants_cert},
	{PEM_CERTIFICATE,
	 "-----BEGIN CERTIFICATE-----\nQ0\n"
	 "-----END CERTIFICATE-----\n",
	 wants_cert},
	{PEM_CERTIFICATE, "x" CERT, wants_cert},
	{PEM_KEY, KEY, NULL},
	{PEM_KEY,
	 "-----BEGIN EC PARAMETERS-----\nQ0E=\n"
	 "-----END EC PARAMETERS-----\n"
	 "-----BEGIN EC PRIVATE KEY-----\nQ0E=\n"
	 "-----END EC PRIVATE KEY-----\n",
	 NULL},
	{PEM_KEY, CERT, wants_key},
	{PEM_KEY, "-----BEGIN PUBLIC KEY-----\nQ0E=\n-----END PUBLIC KEY-----",
	 wants_key},
	{PEM_KEY,
	 "-----BEGIN ENCRYPTED PRIVATE KEY-----\nQ0E=\n"
	 "-----END ENCRYPTED PRIVATE KEY-----\n",
	 locked},
	{PEM_KEY,
	 "-----BEGIN RSA PRIVATE KEY-----\n"
	 "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
	 "Q0E=\n-----END RSA PRIVATE KEY-----\n",
	 locked},
};

static void pem_is_told_from_others(void **state)
{
	for (size_t i = 0; i < array_size(pems); i++) {
		const char *wrong = pem_wrong(pems[i].kind, pems[i].text,
					      strlen(pems[i].text));

		if (!pems[i].wrong != !wrong)
			fail_msg("case %zu: %s", i, wrong ?: "nothing wrong");
		if (wrong)
			assert_says(wrong, pems[i].wrong);
	}
}

/* ---- words --------------------------------------------------------------- */

static int insecure(const char *value)
{
	char line[128];

	snprintf(line, sizeof(line), "    insecure-skip-tls-verify: %s\n",
		 value);
	return read_with(line, "");
}

/* As kubectl 1.34 reads each of them; a server that is not verified is refused,
 * where kubectl takes it. */
static void booleans_are_those_of_kubectl(void **state)
{
	static const char *const no[] = {
		"false", "False", "FALSE",     "no",	     "No",
		"NO",	 "n",	  "N",	       "off",	     "Off",
		"OFF",	 "",	  "~",	       "null",	     "Null",
		"NULL",	 "&a no", "!!bool no", "!!bool 'no'"};
	static const char *const yes[] = {
		"true", "True", "TRUE", "yes", "Yes", "YES",
		"y",	"Y",	"on",	"On",  "ON",  "!!bool 'On'"};
	static const char *const strings[] = {
		"fALSE",     "nO", "oFF", "tRUE", "yEs",  "oN",	 "'no'",
		"\"false\"", "t",  "f",	  "0",	  "nope", "nULL"};

	for (size_t i = 0; i < array_size(no); i++)
		if (insecure(no[i]))
			fail_msg("%s: %s", no[i], b.error.data);
	for (size_t i = 0; i < array_size(yes); i++) {
		assert_int_equal(insecure(yes[i]), -EINVAL);
		assert_says(b.error.data, "always verified");
	}
	for (size_t i = 0; i < array_size(strings); i++) {
		assert_int_equal(insecure(strings[i]), -EINVAL);
		assert_says(b.error.data, "insecure-skip-tls-verify");
	}
	assert_int_equal(insecure("!!bool nope"), -EINVAL);
	assert_says(b.error.data, "a !!bool that is none");
}

/* So a string that looks like one needs quotes, for kubectl too. */
static void yaml_boolean_in_place_of_a_string_is_refused(void **state)
{
	assert_int_equal(read_with("", "    token: yes\n"), -EINVAL);
	assert_says(b.error.data, "user \"me\": token is not a string: YAML");
	assert_says(b.error.data, "in quotes");
	assert_int_equal(read_with("", "    token: 'yes'\n"), 0);
	assert_string_equal(b.config.token, "yes");
	assert_int_equal(read_with("", "    token: yES\n"), 0);
	assert_string_equal(b.config.token, "yES");
	assert_int_equal(read_with("", "    token: yesterday\n"), 0);
	assert_string_equal(b.config.token, "yesterday");
	assert_int_equal(read_with("", "    token: Null\n"), 0);
	assert_null(b.config.token);
}

/* "Billion laughs", and a depth that would use up the stack. */
static void yaml_bombs_are_refused(void **state)
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

static void options_win_over_the_kubeconfig(void **state)
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
		.ca = tmpdir_put(&b.tmp, "ca", CERT),
	};

	assert_int_equal(read_options(&opt), 0);
	assert_string_equal(b.config.server, "https://other:1");
	assert_string_equal(b.config.token_file, opt.token_file);
	assert_null(b.config.token);
	assert_string_equal(b.config.ca.file, opt.ca);
	assert_int_equal(b.config.ca.data.len, 0);
}

static void service_account_of_a_pod_needs_no_options(void **state)
{
	const struct kube_options opt = {.service_account = b.tmp.dir};

	assert_int_equal(read_options(&opt), -ENOENT);
	assert_says(b.error.data, "give --kubeconfig or --server");
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(read_options(&opt), -ENOENT);
	assert_says(b.error.data, "/token: No such file");
	tmpdir_put(&b.tmp, "token", "abc");
	tmpdir_put(&b.tmp, "ca.crt", CERT);
	assert_int_equal(read_options(&opt), 0);
	assert_string_equal(b.config.server, "https://[fd00::1]:443");
	assert_string_equal(b.config.ca.file, tmpdir_at(&b.tmp, "ca.crt"));
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	assert_int_equal(read_options(&opt), 0);
	assert_string_equal(b.config.server, "https://10.96.0.1:443");
}

static void server_urls_that_cannot_be_used_are_refused(void **state)
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

static void base64_is_decoded_or_refused(void **state)
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
		cmocka_unit_test_setup_teardown(
			kubeconfig_is_read_by_its_current_context, up, down),
		cmocka_unit_test_setup_teardown(paths_are_relative_to_the_file,
						up, down),
		cmocka_unit_test_setup_teardown(
			certificate_data_is_decoded_and_wins_over_paths, up,
			down),
		cmocka_unit_test_setup_teardown(json_kubeconfig_is_read_too, up,
						down),
		cmocka_unit_test_setup_teardown(
			unsupported_settings_are_refused_by_name, up, down),
		cmocka_unit_test_setup_teardown(
			senseless_kubeconfig_is_refused_and_said, up, down),
		cmocka_unit_test_setup_teardown(data_that_is_no_pem_is_refused,
						up, down),
		cmocka_unit_test_setup_teardown(file_that_is_no_pem_is_refused,
						up, down),
		cmocka_unit_test(pem_is_told_from_others),
		cmocka_unit_test_setup_teardown(booleans_are_those_of_kubectl,
						up, down),
		cmocka_unit_test_setup_teardown(
			yaml_boolean_in_place_of_a_string_is_refused, up, down),
		cmocka_unit_test_setup_teardown(yaml_bombs_are_refused, up,
						down),
		cmocka_unit_test_setup_teardown(options_win_over_the_kubeconfig,
						up, down),
		cmocka_unit_test_setup_teardown(
			service_account_of_a_pod_needs_no_options, up, down),
		cmocka_unit_test_setup_teardown(
			server_urls_that_cannot_be_used_are_refused, up, down),
		cmocka_unit_test(base64_is_decoded_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
