/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody may read: metrics and health. */
#pragma once

#include "serve/http.h"

void get_metrics(struct MHD_Connection *request, struct http_reply *reply,
		 void *arg);
void get_healthz(struct MHD_Connection *request, struct http_reply *reply,
		 void *arg);
void get_readyz(struct MHD_Connection *request, struct http_reply *reply,
		void *arg);
