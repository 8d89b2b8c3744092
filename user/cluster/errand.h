/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to the API server that is repeated, later and later, until it is
 * answered well: for what is not urgent and must not be forgotten.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>
#include "kube/client.h"

struct errand;

/*
 * An answer came. Return: true: this was it (and errand_go() may have been
 * called for the next); false: the trouble is logged, and it is tried again.
 */
typedef bool (*errand_fn)(int status, const char *body, size_t len, void *arg);

/* errand_new - @client must outlive it. Return: NULL without memory. */
struct errand *errand_new(uv_loop_t *loop, struct kube_client *client,
			  errand_fn answered, void *arg);

/*
 * errand_go - Ask in @delay_ms. Only while it is not busy.
 * @req: method, path, content_type and body count, and are copied.
 * Return: 0 or -ENOMEM.
 */
must_check int errand_go(struct errand *e, const struct kube_request *req,
			 unsigned int delay_ms);

/* errand_busy - Between errand_go() and the answer that was it. */
bool errand_busy(const struct errand *e);

/* errand_close - Give up. Before the client is closed; NULL is fine. Memory
 * goes when the loop has closed the handle. */
void errand_close(struct errand *e);
