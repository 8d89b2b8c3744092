// SPDX-License-Identifier: Apache-2.0
#include "node/listens.h"

#include <fts.h>
#include <string.h>
#include "base/array.h"
#include "node/cgroup.h"
#include "node/helper.h"

/* ---- the decision -------------------------------------------------------- */

static int by_port(const void *a, const void *b)
{
	const struct netns_listener *x = a, *y = b;

	return (int)x->port - (int)y->port;
}

bool cgroup_ids_has(const struct cgroup_ids *ids, __u64 id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (ids->v[i] == id)
			return true;
	return false;
}

/* @l: the @n TCP listeners at one port. */
static bool is_ours(const struct netns_listener *l, size_t n,
		    const struct cgroup_ids *ids)
{
	bool reachable = false;

	for (size_t i = 0; i < n; i++) {
		if (addr_is_loopback(&l[i].addr))
			continue;
		if (!cgroup_ids_has(ids, l[i].cgroup))
			return false;
		reachable = true;
	}
	return reachable;
}

size_t listens_choose(struct netns_listener *tcp, size_t n_tcp,
		      const struct diag_smc *smc, size_t n_smc,
		      const struct cgroup_ids *ids, __u16 *out)
{
	size_t n = 0, end;

	if (n_tcp)
		qsort(tcp, n_tcp, sizeof(*tcp), by_port);
	for (size_t i = 0; i < n_tcp; i = end) {
		for (end = i + 1; end < n_tcp; end++)
			if (tcp[end].port != tcp[i].port)
				break;
		/* SMC's rows have no addresses: if not all listeners at a port
		 * are SMC's, nothing tells which are. */
		if (diag_smc_listening(smc, n_smc, tcp[i].port) == end - i &&
		    is_ours(tcp + i, end - i, ids))
			out[n++] = tcp[i].port;
	}
	return n;
}

/* ---- finding out --------------------------------------------------------- */

/* Runs in the namespace. */
static int ports_in_netns(const void *arg, struct buf *answer)
{
	_free_ struct netns_listener *tcp = NULL;
	_free_ struct diag_smc *smc = NULL;
	_free_ __u16 *ports = NULL;
	int n_tcp, n_smc;

	n_tcp = diag_tcp_listeners(&tcp);
	if (n_tcp < 0)
		return n_tcp;
	n_smc = diag_smc_list(&smc);
	if (n_smc < 0)
		return n_smc == -ENOENT ? 0 : n_smc;
	ports = calloc(n_tcp + 1, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	return buf_add(answer, ports,
		       sizeof(*ports) * listens_choose(tcp, n_tcp, smc, n_smc,
						       arg, ports));
}

static int add_id(struct cgroup_ids *ids, const char *path)
{
	__u64 id, *slot;

	if (cgroup_id(path, &id)) /* it was removed */
		return 0;
	slot = array_push(ids->v, ids->n);
	if (!slot)
		return -ENOMEM;
	*slot = id;
	return 0;
}

void cgroup_ids_free(struct cgroup_ids *ids)
{
	free(ids->v);
}

int cgroup_ids_find(const char *cgroup, struct cgroup_ids *ids)
{
	char *const paths[] = {(char *)cgroup, NULL};
	FTS *tree =
		fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	FTSENT *e;
	int err = 0;

	if (!tree)
		return -errno;
	while (!err && (e = fts_read(tree)))
		if (e->fts_info == FTS_D)
			err = add_id(ids, e->fts_path);
	fts_close(tree);
	return err;
}

int listens_find(const struct netns_ref *ref, const char *cgroup,
		 struct mesh_ports *out)
{
	_cleanup_(cgroup_ids_free) struct cgroup_ids ids = {};
	_buf_ struct buf answer = {};
	int err = cgroup_ids_find(cgroup, &ids);

	err = err
		      ?: helper_run(ref, ports_in_netns, &ids,
				    HELPER_TIMEOUT_MS, &answer);
	if (err)
		return err;
	return mesh_ports_set(out, (const __u16 *)answer.data,
			      answer.len / sizeof(__u16));
}
