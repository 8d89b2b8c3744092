/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the control socket share; nobody else includes this. */
#pragma once

#include <yyjson.h>
#include "agent/state.h"

void api_doc_free(yyjson_mut_doc **doc);
#define _doc_ _cleanup_(api_doc_free)

/* api_doc_new - A document with an object as its root. */
yyjson_mut_doc *api_doc_new(yyjson_mut_val **root);

/* api_reply_doc - The document as the reply; one that could not be built, for
 * @err or for want of memory, is a 500. */
void api_reply_doc(struct http_reply *reply, yyjson_mut_doc *doc, int err);

/* ---- api_flows.c: their routes ----------------------------------------- */

void api_get_flows(struct MHD_Connection *request, struct http_reply *reply,
		   void *arg);
void api_post_reopen(struct MHD_Connection *request, struct http_reply *reply,
		     void *arg);
