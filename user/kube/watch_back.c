// SPDX-License-Identifier: Apache-2.0
/*
 * Notices versions that go back: the API server's store (etcd) was restored
 * from a backup, or it is another one. The server accepts a watch from a future
 * version silently, and sends nothing until then; so if a bookmark, the end of
 * a list or the answer to a write of ours is lower than the last version of a
 * watch, all watches list anew.
 *
 * Today's servers send no such bookmark. But then they are silent, and a
 * doubted watch that ended without a byte asks for a list of one object: PROBE.
 * So do the eager ones when the server is back after any trouble.
 */
#include "kube/watch_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"

/* If a server's versions are not such numbers at all, do not list everything
 * all the time. */
#define BETWEEN_MS 60000

uint64_t kube_version(const char *text)
{
	if (!text || !*text || text[strspn(text, "0123456789")])
		return 0;
	errno = 0;
	unsigned long long version = strtoull(text, NULL, 10);

	return errno ? 0 : version;
}

bool watch_is_back(const struct kube_watch *w, const char *version)
{
	uint64_t stands = kube_version(w->version), v = kube_version(version);

	return v && v < stands;
}

/* The same version may be another object's now. */
static void list_anew(struct kube_watch *w)
{
	watch_set_forget(&w->set);
	free(take_ptr(w->version));
	watch_list_in(w, watch_spread_ms(w->set.n));
}

bool kube_watches_anew(struct kube_client *c, const char *why)
{
	struct kube_watches *all = kube_client_watches(c);
	uint64_t now = uv_now(kube_client_loop(c));
	struct kube_watch *w;

	if (all->anew && now - all->anew < fault_ms(BETWEEN_MS))
		return false;
	all->anew = now;
	log_warn(
		0,
		"the versions of %s went back (%s): was it restored from a backup? all is listed anew",
		kube_client_server(c), why);
	LIST_FOREACH(w, &all->list, of_client)
	list_anew(w);
	return true;
}

uint64_t kube_watches_stand(struct kube_client *c, const char *path)
{
	struct kube_watches *all = kube_client_watches(c);
	struct kube_watch *w;

	LIST_FOREACH(w, &all->list, of_client)
	if (w->stage == WATCH && !strcmp(w->path, path))
		return kube_version(w->version);
	return 0;
}

void watch_probed(struct kube_watch *w, const char *body, size_t len)
{
	yyjson_doc *doc = yyjson_read(body, len, 0);
	struct watch_meta meta;

	w->stage = WATCH;
	if (!doc || !watch_is_list(yyjson_doc_get_root(doc), &meta)) {
		watch_fail_say(w, WATCH, "the answer is no list");
	} else if (!watch_is_back(w, meta.version) ||
		   !kube_watches_anew(w->client, w->what)) {
		w->doubted = false;
		w->probed = true;
		watch_heard(w);
		w->steps->start(w);
	}
	yyjson_doc_free(doc);
}
