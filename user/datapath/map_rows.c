// SPDX-License-Identifier: Apache-2.0
#include "datapath/state.h"

const struct map_row map_rows[MAP_MAX] = {
#define DATAPATH_MAP_ROW(id, name, key, value) \
	[MAP_##id] = {name, sizeof(key), sizeof(value)},
	DATAPATH_MAPS(DATAPATH_MAP_ROW)
#undef DATAPATH_MAP_ROW
};
