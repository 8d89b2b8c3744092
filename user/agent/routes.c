// SPDX-License-Identifier: Apache-2.0
#include "agent/routes.h"

#include "serve/api.h"
#include "serve/exposition.h"

/* The unix socket's. */
const struct http_route control_routes[] = {
	{.path = "/v1/status", .run = api_get_status},
	{.path = "/v1/pods", .run = api_get_pods},
	{.path = "/v1/endpoints", .run = api_get_endpoints},
	{.path = "/v1/flows", .run = api_get_flows},
	{.path = "/v1/top", .run = api_get_top},
	{.path = "/v1/explain", .run = api_get_explain},
	{.path = "/v1/quarantine", .run = api_get_quarantine},
	{.path = "/v1/quarantine/clear",
	 .run = api_post_quarantine_clear,
	 .post = true},
	{.path = "/v1/metrics", .run = get_metrics},
	{.path = "/v1/log-level", .run = api_get_log_level},
	{.path = "/v1/log-level/set",
	 .run = api_post_log_level_set,
	 .post = true},
	{.path = "/v1/reopen", .run = post_reopen, .post = true},
	{.path = "/v1/run", .run = post_run, .post = true},
	{},
};

/* The TCP port's. */
const struct http_route public_routes[] = {
	{.path = "/metrics", .run = get_metrics},
	{.path = "/healthz", .run = get_healthz},
	{.path = "/readyz", .run = get_readyz},
	{},
};
