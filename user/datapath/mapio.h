/* SPDX-License-Identifier: Apache-2.0 */
/* Whole BPF maps in few system calls: read, write and delete rows. */
#pragma once

#include "datapath/rows.h"

/*
 * map_read - All rows of a map, sorted. In batches if the kernel has them for
 * this type of map, else key by key. Rows that come or go meanwhile may or may
 * not be there; none is there twice.
 * @out: key_size and value_size set by the caller, as the kernel returns rows
 *       (per-CPU maps: 8-byte slots for every possible CPU).
 * Return: 0 or a negative errno. Free with rows_free(), also after an error.
 */
must_check int map_read(int fd, struct rows *out);

/*
 * map_walk - Call @fn for all rows of a map, in no order, and without a copy of
 * the map if the kernel has batches for this type: it holds one batch at a
 * time. Rows that come or go meanwhile may or may not be there; none is there
 * twice.
 * @shape: key_size and value_size as above, its rows are not used.
 * @fn:    key and value may not be aligned. Return: 0, or what ends the walk.
 * Return: 0, a negative errno, or what @fn returned.
 */
typedef int (*map_row_fn)(const void *key, const void *value, void *arg);
must_check int map_walk(int fd, const struct rows *shape, map_row_fn fn,
			void *arg);

/*
 * map_write - Put the rows from @from up to but not including @to.
 * A full map takes no new row and keeps those it has; they can still be
 * changed.
 * @full: raised for each row that found no room.
 * Return: number of rows put; the first error is left in *@err.
 */
size_t map_write(int fd, const struct rows *r, size_t from, size_t to,
		 unsigned int *full, int *err);

/* map_delete - Delete the rows' keys; a missing one is no error.
 * Return: number of rows deleted; the first error is left in *@err. */
size_t map_delete(int fd, const struct rows *r, int *err);

/* map_lacks - Those of the sorted rows @want whose keys the map does not have:
 * of a full map.
 * @out: empty. Return: 0 or a negative errno. Free it with rows_free(). */
must_check int map_lacks(int fd, const struct rows *want, struct rows *out);
