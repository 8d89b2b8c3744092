/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding a text in a test, and freeing what came of it. */
#pragma once

#include "unit.h"
#include "objects/decode.h"

struct decoded {
	struct mesh_world world;
	struct buf notes, error;
	int err;
};

static inline void decoded_free(struct decoded *d)
{
	mesh_world_free(&d->world);
	buf_free(&d->notes);
	buf_free(&d->error);
}
#define _decoded_ __attribute__((cleanup(decoded_free)))

/* A copy of exactly @len bytes, so that ASan sees every read past the end. */
static inline struct decoded decode_n(const char *json, size_t len)
{
	struct decoded d = {0};
	char *exact = malloc(len ? len : 1);

	memcpy(exact, json, len);
	d.err = kube_decode_list(exact, len, &d.world, &d.notes, &d.error);
	free(exact);
	return d;
}

static inline struct decoded decode(const char *json)
{
	return decode_n(json, strlen(json));
}

static inline struct decoded __attribute__((format(printf, 1, 2)))
decode_printf(const char *fmt, ...)
{
	struct decoded d;
	va_list args;
	char *json;

	va_start(args, fmt);
	assert_true(vasprintf(&json, fmt, args) >= 0);
	va_end(args);
	d = decode(json);
	free(json);
	return d;
}

/* A List of @items. */
static inline struct decoded decode_items(const char *items)
{
	return decode_printf("{\"apiVersion\":\"v1\",\"kind\":\"List\","
			     "\"items\":[%s]}",
			     items);
}

static inline const char *notes(const struct decoded *d)
{
	return d->notes.data ? d->notes.data : "";
}

/* The one pod of a world without notes. */
static inline struct mesh_pod *only_pod(struct decoded *d)
{
	assert_int_equal(d->err, 0);
	assert_string_equal(notes(d), "");
	assert_int_equal(d->world.n_pods, 1);
	return &d->world.pods[0];
}

/* A pod of which only the name is said. */
#define POD(name) "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\"}}"

/* A SmcMesh with that spec, which is decoded without an error. */
static inline struct decoded decode_spec(const char *spec)
{
	struct decoded d = decode_printf("{\"kind\":\"SmcMesh\",\"metadata\":"
					 "{\"name\":\"default\"},"
					 "\"spec\":{%s}}",
					 spec);

	assert_int_equal(d.err, 0);
	return d;
}
