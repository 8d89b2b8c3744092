// SPDX-License-Identifier: Apache-2.0
#include "node/peer_flows.h"

#include <linux/smc_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include "base/array.h"
#include "node/helper.h"
#include "node/rdma.h"

/* The SMC socket whose inner TCP socket @t is, the last one as the newest;
 * NULL: there is none. */
static const struct diag_smc *outer(const struct diag_tcp *t,
				    const struct diag_smc *smc, size_t n)
{
	for (size_t i = n; i-- > 0;)
		if (smc[i].local_port == t->local_port &&
		    smc[i].remote_port == t->remote_port)
			return &smc[i];
	return NULL;
}

static void count(const struct diag_smc *s, struct peer_flows *out)
{
	if (!s) {
		out->tcp++;
	} else if (s->mode == SMC_DIAG_MODE_FALLBACK_TCP) {
		out->tcp++;
		out->code = s->fallback;
	} else if (s->state != DIAG_SMC_ACTIVE) {
		out->pending++;
	} else if (s->mode == SMC_DIAG_MODE_SMCD) {
		out->smcd++;
	} else {
		out->smcr++;
	}
}

void peer_flows_join(const struct diag_tcp *tcp, size_t n_tcp,
		     const struct diag_smc *smc, size_t n_smc,
		     struct peer_flows *out)
{
	*out = (struct peer_flows){};
	for (size_t i = 0; i < n_tcp; i++)
		count(outer(&tcp[i], smc, n_smc), out);
}

struct wanted {
	struct smc_addr_port to;
	bool anywhere;
};

struct found {
	const struct wanted *wanted;
	struct diag_tcp *v;
	size_t n;
};

static int take(const struct diag_tcp *s, void *arg)
{
	struct found *f = arg;
	const struct smc_addr_port *to = &f->wanted->to;
	struct diag_tcp *row;

	if (s->remote_port != to->port ||
	    (!f->wanted->anywhere &&
	     memcmp(s->remote.ip, to->ip, sizeof(to->ip)) != 0))
		return 0;
	row = array_push(f->v, f->n);
	if (!row)
		return -ENOMEM;
	*row = *s;
	return 0;
}

/* All SMC sockets of now, appended. */
static int add_smc(struct diag_smc **v, size_t *n)
{
	_free_ struct diag_smc *found = NULL;
	const int count = diag_smc_list(&found);

	for (int i = 0; i < count; i++) {
		struct diag_smc *row = array_push(*v, *n);

		if (!row)
			return -ENOMEM;
		*row = found[i];
	}
	return count < 0 && count != -ENOENT ? count : 0;
}

/* The SMC sockets are asked for before the TCP sockets and after them: of a
 * connection that is closed meanwhile one of the two answers tells. */
static int count_here(const struct wanted *wanted, struct peer_flows *out)
{
	_free_ struct diag_smc *smc = NULL;
	struct found f = {.wanted = wanted};
	size_t n = 0;
	int err = add_smc(&smc, &n)
		  ?: diag_tcp_each(1U << TCP_ESTABLISHED, false, take, &f)
		  ?: add_smc(&smc, &n);

	if (!err)
		peer_flows_join(f.v, f.n, smc, n, out);
	if (!err && out->smcr)
		(void)!rdma_software(out->software); /* "": not known */
	free(f.v);
	return err;
}

/* In a helper. */
static int count_there(const void *wanted, struct buf *answer)
{
	struct peer_flows found;

	return count_here(wanted, &found)
		       ?: buf_add(answer, &found, sizeof(found));
}

int peer_flows_count(const struct place *at, const struct smc_addr_port *to,
		     bool anywhere, struct peer_flows *out)
{
	const struct wanted wanted = {.to = *to, .anywhere = anywhere};
	_buf_ struct buf answer = {};
	struct netns_ref ref = {};
	int err;

	if (!at || at->fd < 0)
		return count_here(&wanted, out);
	ref.path = at->path;
	ref.id = at->id;
	err = helper_run(&ref, count_there, &wanted, HELPER_TIMEOUT_MS,
			 &answer);
	return err < 0 ? err : helper_copy(&answer, out, sizeof(*out));
}
