/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnftables, in the caller's network namespace: commands and answers in JSON.
 * It reads the whole ruleset before the first command, and again whenever that
 * changed meanwhile (nft_cache_update()), so use it in a helper with its own
 * time-out (helper.h).
 */
#pragma once

#include <nftables/libnftables.h>
#include <stddef.h>
#include <yyjson.h>
#include "base/cleanup.h"

void nft_free(struct nft_ctx **nft);
void nft_doc_free(yyjson_doc **doc);

#define _nft_ _cleanup_(nft_free)
#define _nftdoc_ _cleanup_(nft_doc_free)

/* nft_open - Return: 0; -EPROTONOSUPPORT: no nf_tables in this kernel; or
 * another negative errno. Free with nft_free(). */
must_check int nft_open(struct nft_ctx **out);

/*
 * nft_run - Run commands, JSON or nft's own language. libnftables reports a
 * failure only as text.
 * @failure: the negative errno to return then; the first line of the text goes
 * to @detail, of @room bytes.
 */
must_check int nft_run(struct nft_ctx *nft, const char *commands, int failure,
		       char *detail, size_t room);

/* nft_text - The answer to one command as nft prints it. *@text: until the next
 * command. Return: 0 or -EIO, as nft_run(). */
must_check int nft_text(struct nft_ctx *nft, const char *command,
			const char **text, char *detail, size_t room);

/*
 * nft_json - The answer to JSON @commands. Free with nft_doc_free().
 * Return: 0; -EPROTO: it is no JSON (libnftables 1.0.6 prints that of a table
 * with flags); -EIO, as nft_run().
 */
must_check int nft_json(struct nft_ctx *nft, const char *commands,
			yyjson_doc **out, char *detail, size_t room);

/* nft_objects - The array of objects in such an answer, or NULL. */
yyjson_val *nft_objects(yyjson_doc *doc);
