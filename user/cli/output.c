// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>
#include "base/buf.h"
#include "objects/yaml.h"

static struct {
	enum output format;
	bool without_headers;
	bool began; /* a document was printed: YAML needs a line between two */
} chosen;

void output_choose(const char *word, bool headers)
{
	static const char *const words[] = {
		[OUTPUT_TABLE] = "table", [OUTPUT_WIDE] = "wide",
		[OUTPUT_JSON] = "json",	  [OUTPUT_YAML] = "yaml",
		[OUTPUT_NAME] = "name",
	};

	chosen.format = OUTPUT_TABLE;
	for (size_t i = 0; word && i < array_size(words); i++)
		if (!strcmp(word, words[i]))
			chosen.format = i;
	chosen.without_headers = !headers;
	chosen.began = false;
}

enum output output_format(void)
{
	return chosen.format;
}

bool output_headers(void)
{
	return !chosen.without_headers;
}

bool output_is_list(void)
{
	return chosen.format == OUTPUT_NAME || chosen.without_headers;
}

static int print_yaml(const char *json, size_t len)
{
	_buf_ struct buf text = {};
	yyjson_doc *doc =
		yyjson_read(json, len, YYJSON_READ_ALLOW_INVALID_UNICODE);
	int err;

	if (!doc) {
		fprintf(stderr, "smcmesh: the agent's answer is no JSON\n");
		return -EINVAL;
	}
	err = yaml_write(yyjson_doc_get_root(doc), &text);
	yyjson_doc_free(doc);
	if (err) {
		fprintf(stderr, "smcmesh: no YAML can be made of it: %s\n",
			strerror(-err));
		return err;
	}
	if (chosen.began)
		fputs("---\n", stdout);
	chosen.began = true;
	fwrite(text.data, 1, text.len, stdout);
	return 0;
}

int data_print(const char *json, size_t len)
{
	if (chosen.format == OUTPUT_YAML)
		return print_yaml(json, len);
	fwrite(json, 1, len, stdout);
	if (!len || json[len - 1] != '\n')
		fputc('\n', stdout);
	return 0;
}
