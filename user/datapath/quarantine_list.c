// SPDX-License-Identifier: Apache-2.0
/* Peers in quarantine: BPF makes the rows, the agent shows and deletes them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "datapath/mapio.h"
#include "datapath/state.h"

int datapath_each_quarantine(struct datapath *dp, datapath_quarantine_fn fn,
			     void *arg)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(struct smc_quarantine_key),
		.value_size = sizeof(struct smc_quarantine)};
	int fd = dp->map_fd[MAP_QUARANTINE], err;
	struct smc_quarantine_key key;
	struct smc_quarantine value;

	err = fd < 0 ? 0 : map_read(fd, &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		memcpy(&value, rows_value(&rows, i), sizeof(value));
		err = fn(&key, &value, arg);
	}
	return err;
}

struct clearing {
	int fd;
	const struct smc_addr_port *peer; /* NULL: all */
	int did;
};

static int clear_row(const struct smc_quarantine_key *key,
		     const struct smc_quarantine *v, void *arg)
{
	struct clearing *c = arg;
	int err;

	if (c->peer && (key->port != c->peer->port ||
			memcmp(key->ip, c->peer->ip, sizeof(key->ip)) != 0))
		return 0;
	err = bpf_map_delete_elem(c->fd, key);
	if (err == -ENOENT) /* a connect() forgave it just now */
		return 0;
	c->did += !err;
	return err;
}

int datapath_quarantine_clear(struct datapath *dp,
			      const struct smc_addr_port *peer)
{
	struct clearing c = {.fd = dp->map_fd[MAP_QUARANTINE], .peer = peer};
	int err = datapath_each_quarantine(dp, clear_row, &c);

	return err ?: c.did;
}
