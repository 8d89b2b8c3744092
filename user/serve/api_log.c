// SPDX-License-Identifier: Apache-2.0
/*
 * Which levels the agent logs, on the control socket: changed there and not by
 * a signal, for an answer says what is so now, a wrong word gets an error, and
 * the same call reaches an agent in a container. The socket is for root only.
 */
#include "serve/api.h"

#include "base/log.h"

static void reply_level(struct http_reply *reply, enum log_level was)
{
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);

	yyjson_mut_obj_add_str(doc, root, "level",
			       log_level_word(log_level_get()));
	yyjson_mut_obj_add_str(doc, root, "was", log_level_word(was));
	api_reply_doc(reply, doc, 0);
}

void api_get_log_level(struct MHD_Connection *request, struct http_reply *reply,
		       void *arg)
{
	reply_level(reply, log_level_get());
}

void api_post_log_level_set(struct MHD_Connection *request,
			    struct http_reply *reply, void *arg)
{
	const char *word = http_query(request, "level") ?: "";
	enum log_level was = log_level_get(), level;

	if (!log_level_parse(word, &level)) {
		api_refuse(reply, 400, word, "expected " LOG_LEVELS);
		return;
	}
	/* Of the two the one that shows the line. */
	log_level_set(level > was ? level : was);
	if (level != was)
		log_info("the log's level is %s, and was %s", word,
			 log_level_word(was));
	log_level_set(level);
	reply_level(reply, was);
}
