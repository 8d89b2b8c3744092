/* SPDX-License-Identifier: Apache-2.0 */
/* Whole BPF maps in few system calls: read, write and delete rows. */
#pragma once

#include "datapath/rows.h"

/*
 * map_read - All rows of a map, sorted. In batches where the kernel has them
 * for this type of map, else key by key. A row that comes or goes meanwhile
 * may or may not be among them; none is twice.
 * @out: key_size and value_size set by the caller, as the kernel hands rows
 *       out (per-CPU maps: 8-byte slots for every possible CPU).
 * Return: 0 or a negative errno. Free with rows_free(), also after an error.
 */
must_check int map_read(int fd, struct rows *out);

/*
 * map_walk - Hand all rows of a map to @fn, in no order, and without a copy of
 * the map where the kernel has batches for this type: it holds one of them at a
 * time. A row that comes or goes meanwhile may or may not be handed out; none
 * is twice.
 * @shape: its key_size and value_size as above, its rows are not used.
 * @fn:    key and value may not be aligned. Return: 0, or what ends the walk.
 * Return: 0, a negative errno, or what @fn returned.
 */
typedef int (*map_row_fn)(const void *key, const void *value, void *arg);
must_check int map_walk(int fd, const struct rows *shape, map_row_fn fn,
			void *arg);

/*
 * map_write - Put the rows from @from up to but not including @to.
 * A full map takes no new row and keeps what it has; rows already in it are
 * still changed.
 * @full: raised for each row that found no room.
 * Return: number of rows put; the first error is left in *@err.
 */
size_t map_write(int fd, const struct rows *r, size_t from, size_t to,
		 unsigned int *full, int *err);

/* map_delete - Delete the rows' keys; one that is gone already is no error.
 * Return: number of rows deleted; the first error is left in *@err. */
size_t map_delete(int fd, const struct rows *r, int *err);
