// SPDX-License-Identifier: Apache-2.0
/* The maps of another ABI, in the form that its agent gave them. */
#include "datapath/mapio.h"
#include "datapath/other.h"

static void sizes_of(const struct other *o, enum map_id id, __u32 *key,
		     __u32 *value)
{
	*key = map_rows[id].key_size;
	*value = map_rows[id].value_size;
	if (id == MAP_FLOW) {
		*key = o->kind->flow_key;
		*value = o->kind->flow_value;
	}
	if (id == MAP_PORT)
		*key = o->kind->port_key;
	if (id == MAP_SERVICE)
		*value = o->kind->service_value;
	if (id == MAP_NETNS || id == MAP_CGROUP)
		*value = o->kind->pod_value;
	if (id == MAP_COUNTER) {
		*key = o->kind->counter_key;
		*value = o->kind->counter_value;
	}
	if (id == MAP_QUARANTINE) {
		*key = o->kind->quarantine_key;
		*value = o->kind->quarantine_value;
	}
}

int other_map(const struct other *o, enum map_id id)
{
	__u32 key, value;

	sizes_of(o, id, &key, &value);
	return abi_map_open(o->at.dir, map_rows[id].name, key, value);
}

int other_rows(const struct other *o, enum map_id id, struct rows *out)
{
	_cleanup_(rows_free) struct rows rows = {.key_size = out->key_size,
						 .value_size = out->value_size};
	_close_ int fd = other_map(o, id);
	int err;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = map_read(fd, &rows);
	for (size_t i = 0; !err && i < rows.n; i++)
		err = rows_add(out, rows_key(&rows, i), rows_value(&rows, i));
	return err;
}
