/* SPDX-License-Identifier: Apache-2.0 */
/* One object of the API in a test: its text parsed. */
#pragma once

#include "decoded.h"

struct given {
	yyjson_doc *doc;
	yyjson_val *val;
	struct buf notes;
};

static inline struct given given(const char *text)
{
	struct given g = {.doc = yyjson_read(text, strlen(text), 0)};

	assert_non_null(g.doc);
	g.val = yyjson_doc_get_root(g.doc);
	return g;
}

static inline void given_free(struct given *g)
{
	yyjson_doc_free(g->doc);
	buf_free(&g->notes);
}
#define _given_ __attribute__((cleanup(given_free)))

#define METADATA(name) \
	"\"metadata\":{\"namespace\":\"shop\",\"name\":\"" name "\""

/* An EndpointSlice of the Service shop/web: how it begins. */
#define SLICE_METADATA                  \
	METADATA("web-x")               \
	",\"labels\":{\"kubernetes.io/" \
	"service-name\":\"web\"}}"
#define SLICE_PORTS \
	"\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}]"
