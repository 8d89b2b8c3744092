// SPDX-License-Identifier: Apache-2.0
#include "cli/status_wait.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "cli/ask_agent.h"

#define POLL_NS (CLOCK_SECOND / 5)

/* Ask once. Return: 0: it is ready; -EAGAIN: not yet, @why says why; or another
 * negative errno: it will not be. */
static int ask_ready(const char *run, struct buf *why)
{
	_buf_ struct buf text = {};
	int err = client_try_why(run, "/v1/status", &text, why);
	yyjson_doc *doc;
	yyjson_val *root;
	bool ready;

	if (err)
		return err == -EACCES || err == -ENOMEM ? err : -EAGAIN;
	doc = yyjson_read(text.data, text.len, 0);
	root = yyjson_doc_get_root(doc);
	ready = yyjson_get_bool(yyjson_obj_get(root, "ready"));
	buf_free(why);
	buf_printf(why, "%s", json_text(root, "ready_sentence"));
	yyjson_doc_free(doc);
	return ready ? 0 : -EAGAIN;
}

int status_wait(const char *run, unsigned long long seconds)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	const __u64 begun = clock_now();
	_buf_ struct buf why = {};
	int err;

	while ((err = ask_ready(run, &why)) == -EAGAIN &&
	       (clock_now() - begun) / CLOCK_SECOND < seconds)
		nanosleep(&pause, NULL);
	if (!err)
		return 0;
	fprintf(stderr, "smcmesh status: %s", why.data ?: strerror(-err));
	if (err == -EAGAIN)
		fprintf(stderr, " (waited for %llu s)", seconds);
	fputc('\n', stderr);
	return err == -EAGAIN ? -ETIME : err;
}
