/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes names and addresses out of texts: each is replaced by a hash that is
 * the same wherever it stands, and that nobody can find out from a list of
 * likely names without the key.
 */
#pragma once

#include <stdbool.h>
#include <yyjson.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define HIDE_KEY_MIN 16 /* bytes */
#define HIDE_KEY_MAX 4096

struct hide {
	bool names, addresses; /* what is replaced */
	struct buf key;
	char **v; /* the names, in lower case; sorted by hide_ready() */
	size_t n;
	int err; /* 0 or -ENOMEM: sticky */
};

/* hide_key - Take a key out of a file, or, with NULL, a random one. Return: 0,
 * or a negative errno with a sentence in @error. */
must_check int hide_key(struct hide *h, const char *path, struct buf *error);

/* hide_name - From now on @name is one, and each of its parts between slashes;
 * nothing happens where it cannot be one (DNS-1123). */
void hide_name(struct hide *h, const char *name);

/* hide_names_of - So are the names of pods, nodes, namespaces and Services
 * that a document of the agent's has, and those of network namespaces. */
void hide_names_of(struct hide *h, yyjson_val *root);

/* hide_ready - After the last name, before the first text. */
void hide_ready(struct hide *h);

/* hide_text - Append @text without them. Other names next to one that is known,
 * as in NAMESPACE/OTHER, go, too. */
void hide_text(const struct hide *h, const char *text, size_t len,
	       struct buf *out);

/* hide_quoted - The same for what stands in quotes in @text, and leave the rest
 * as it is. */
void hide_quoted(const struct hide *h, const char *text, size_t len,
		 struct buf *out);

/* hide_json - The same for the strings of a document, and not its keys.
 * Return: 0 or -ENOMEM. */
must_check int hide_json(const struct hide *h, yyjson_mut_doc *doc);

/* hide_free - Safe on a zeroed struct; for cleanup. */
void hide_free(struct hide *h);
