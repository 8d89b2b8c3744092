// SPDX-License-Identifier: Apache-2.0
#include "objects/yaml.h"

#include <ctype.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"

/* Aliases may make a small text a large tree ("billion laughs"). */
#define NODES_MAX 100000
#define DEPTH_MAX 64

struct reader {
	yaml_document_t yaml;
	yyjson_mut_doc *json;
	size_t nodes;
	const char *problem; /* or NULL */
};

static yyjson_mut_val *convert(struct reader *r, int index, unsigned int depth);

enum word { WORD_FALSE, WORD_TRUE, WORD_NULL, WORD_OTHER };

static const struct {
	const char *text;
	enum word is;
} words[] = {
	{"true", WORD_TRUE}, {"yes", WORD_TRUE},    {"on", WORD_TRUE},
	{"y", WORD_TRUE},    {"false", WORD_FALSE}, {"no", WORD_FALSE},
	{"off", WORD_FALSE}, {"n", WORD_FALSE},	    {"null", WORD_NULL},
	{"~", WORD_NULL},    {"", WORD_NULL},
};

/* "no", "No" and "NO", but not "nO". */
static bool is_word(const char *text, const char *word)
{
	size_t capitals = 0;

	if (strcasecmp(text, word))
		return false;
	for (const char *c = text; *c; c++)
		capitals += isupper((unsigned char)*c) != 0;
	return !capitals || capitals == strlen(word) ||
	       (capitals == 1 && isupper((unsigned char)*text));
}

static enum word word_of(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	if (strlen(text) == node->data.scalar.length)
		for (size_t i = 0; i < array_size(words); i++)
			if (is_word(text, words[i].text))
				return words[i].is;
	return WORD_OTHER;
}

static yyjson_mut_val *scalar(struct reader *r, const yaml_node_t *node)
{
	bool tagged = !strcmp((const char *)node->tag, YAML_BOOL_TAG);
	bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	enum word word = plain || tagged ? word_of(node) : WORD_OTHER;

	if (word == WORD_TRUE || word == WORD_FALSE)
		return yyjson_mut_bool(r->json, word == WORD_TRUE);
	if (tagged)
		r->problem = "a !!bool that is none";
	if (word == WORD_NULL)
		return yyjson_mut_null(r->json);
	return yyjson_mut_strncpy(r->json,
				  (const char *)node->data.scalar.value,
				  node->data.scalar.length);
}

static yyjson_mut_val *sequence(struct reader *r, const yaml_node_t *node,
				unsigned int depth)
{
	yyjson_mut_val *arr = yyjson_mut_arr(r->json);

	for (const yaml_node_item_t *i = node->data.sequence.items.start;
	     i < node->data.sequence.items.top && !r->problem; i++)
		yyjson_mut_arr_append(arr, convert(r, *i, depth + 1));
	return arr;
}

static yyjson_mut_val *mapping(struct reader *r, const yaml_node_t *node,
			       unsigned int depth)
{
	yyjson_mut_val *obj = yyjson_mut_obj(r->json);

	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top && !r->problem; p++) {
		const yaml_node_t *key =
			yaml_document_get_node(&r->yaml, p->key);

		if (!key || key->type != YAML_SCALAR_NODE) {
			r->problem = "a key that is not a scalar";
			break;
		}
		yyjson_mut_obj_add(
			obj,
			yyjson_mut_strncpy(r->json,
					   (char *)key->data.scalar.value,
					   key->data.scalar.length),
			convert(r, p->value, depth + 1));
	}
	return obj;
}

static yyjson_mut_val *convert(struct reader *r, int index, unsigned int depth)
{
	const yaml_node_t *node = yaml_document_get_node(&r->yaml, index);

	if (depth > DEPTH_MAX || r->nodes++ > NODES_MAX)
		r->problem = "too much in it";
	if (r->problem || !node)
		return yyjson_mut_null(r->json);
	switch (node->type) {
	case YAML_SCALAR_NODE:
		return scalar(r, node);
	case YAML_SEQUENCE_NODE:
		return sequence(r, node, depth);
	case YAML_MAPPING_NODE:
		return mapping(r, node, depth);
	default:
		return yyjson_mut_null(r->json);
	}
}

static yyjson_doc *from_yaml(struct reader *r, struct buf *error)
{
	const yaml_node_t *root = yaml_document_get_root_node(&r->yaml);
	yyjson_doc *doc = NULL;

	r->json = yyjson_mut_doc_new(NULL);
	if (!root)
		r->problem = "nothing in it";
	else if (r->json) /* nodes have numbers from 1 on, the root is first */
		yyjson_mut_doc_set_root(r->json, convert(r, 1, 0));
	if (r->problem)
		buf_printf(error, "%s", r->problem);
	else if (r->json)
		doc = yyjson_mut_doc_imut_copy(r->json, NULL);
	if (!doc && !error->len)
		buf_printf(error, "out of memory");
	yyjson_mut_doc_free(r->json);
	return doc;
}

static yyjson_doc *read_yaml(const char *text, size_t len, struct buf *error)
{
	struct reader r = {};
	yaml_parser_t parser;
	yyjson_doc *doc = NULL;

	if (!yaml_parser_initialize(&parser)) {
		buf_printf(error, "out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (yaml_parser_load(&parser, &r.yaml)) {
		doc = from_yaml(&r, error);
		yaml_document_delete(&r.yaml);
	} else {
		buf_printf(error, "broken YAML at line %zu, column %zu: %s",
			   parser.problem_mark.line + 1,
			   parser.problem_mark.column + 1,
			   parser.problem ? parser.problem : "out of memory");
	}
	yaml_parser_delete(&parser);
	return doc;
}

yyjson_doc *yaml_read(const char *text, size_t len, struct buf *error)
{
	size_t begin = 0, line = 0, column = 0, chars = 0;
	yyjson_read_err bad;
	yyjson_doc *doc;

	while (begin < len && strchr(" \t\r\n", text[begin]))
		begin++;
	/* Most JSON is YAML, but not all. */
	if (begin == len || text[begin] != '{')
		return read_yaml(text, len, error);
	doc = yyjson_read_opts((char *)text, len, 0, NULL, &bad);
	if (doc)
		return doc;
	yyjson_locate_pos(text, len, bad.pos, &line, &column, &chars);
	buf_printf(error, "broken JSON at line %zu, column %zu: %s", line,
		   column, bad.msg);
	return NULL;
}
