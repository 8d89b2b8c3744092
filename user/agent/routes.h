/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are answered, and by whom. */
#pragma once

#include "serve/http.h"

extern const struct http_route control_routes[];
extern const struct http_route public_routes[];

/* post_run - Arm a program's cgroup. */
void post_run(struct MHD_Connection *request, struct http_reply *reply,
	      void *arg);

/* post_reopen - End a pod's late flows. */
void post_reopen(struct MHD_Connection *request, struct http_reply *reply,
		 void *arg);
