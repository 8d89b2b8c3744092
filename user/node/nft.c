// SPDX-License-Identifier: Apache-2.0
#include "node/nft.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include "node/nl.h"

void nft_free(struct nft_ctx **nft)
{
	if (*nft)
		nft_ctx_free(*nft);
}

void nft_doc_free(yyjson_doc **doc)
{
	yyjson_doc_free(*doc);
}

/*
 * Is nf_tables in this kernel? libnftables would answer only in text, and exits
 * the process where the whole netlink bus is missing. nfnetlink_rcv_msg()
 * answers EINVAL for a subsystem that the kernel does not have and could not
 * load.
 */
static int nft_probe(void)
{
	struct nl_request r;
	int err;

	nl_nft_init(&r, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0);
	err = nl_talk(NETLINK_NETFILTER, &r, NULL, NULL);
	return err == -EINVAL || err == -ENOENT ? -EPROTONOSUPPORT : err;
}

int nft_open(struct nft_ctx **out)
{
	_nft_ struct nft_ctx *nft = NULL;
	int err = nft_probe();

	if (err)
		return err;
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft)
		return -ENOMEM;
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON |
					      NFT_CTX_OUTPUT_NUMERIC_ALL |
					      NFT_CTX_OUTPUT_STATELESS);
	if (nft_ctx_buffer_output(nft) || nft_ctx_buffer_error(nft))
		return -ENOMEM;
	*out = take_ptr(nft);
	return 0;
}

static void first_line(const char *text, char *to, size_t room)
{
	snprintf(to, room, "%.*s", (int)strcspn(text, "\n"), text);
}

int nft_run(struct nft_ctx *nft, const char *commands, int failure,
	    char *detail, size_t room)
{
	if (!nft_run_cmd_from_buffer(nft, commands))
		return 0;
	first_line(nft_ctx_get_error_buffer(nft), detail, room);
	return failure;
}

int nft_text(struct nft_ctx *nft, const char *command, const char **text,
	     char *detail, size_t room)
{
	unsigned int flags = nft_ctx_output_get_flags(nft);
	int err;

	nft_ctx_output_set_flags(nft, flags & ~NFT_CTX_OUTPUT_JSON);
	err = nft_run(nft, command, -EIO, detail, room);
	nft_ctx_output_set_flags(nft, flags);
	*text = nft_ctx_get_output_buffer(nft);
	return err;
}

int nft_json(struct nft_ctx *nft, const char *commands, yyjson_doc **out,
	     char *detail, size_t room)
{
	int err = nft_run(nft, commands, -EIO, detail, room);
	const char *text;

	if (err)
		return err;
	text = nft_ctx_get_output_buffer(nft);
	*out = yyjson_read(text, strlen(text), 0);
	return *out ? 0 : -EPROTO;
}

yyjson_val *nft_objects(yyjson_doc *doc)
{
	return yyjson_obj_get(yyjson_doc_get_root(doc), "nftables");
}
