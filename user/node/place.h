/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace that is held for as long as something is done with it.
 *
 * The kernel gives the number of a namespace that is gone to the next one that
 * is made, at once (proc_alloc_inum(), fs/proc/generic.c), and that of a
 * process some time later. So a number read from a path is no identity, nor is
 * the path. While a descriptor is open the namespace lives and its number is
 * its own: whoever else opens the path meanwhile can tell by fstat() whether
 * this is where it leads.
 */
#pragma once

#include <limits.h>
#include "node/proc.h"

struct place {
	int fd;			/* -1: nothing is held */
	struct ns_id id;	/* this namespace's, while fd is open */
	struct proc_id process; /* by which it was found; pid 0: by a path */
	char path[PATH_MAX];	/* for helpers, and to be told */
};

#define PLACE_NONE ((struct place){.fd = -1})

/* place_open - Hold what is at @path now; whether it is a network namespace is
 * not looked at. Return: 0, or a negative errno with @out untouched. */
must_check int place_open(const char *path, struct place *out);

/* place_of - Hold the namespace of the process @id below @proc, whose directory
 * @dir is (proc_open()). Return: 0; -ESRCH: it has ended; or another negative
 * errno; @out is untouched then. */
must_check int place_of(const char *proc, int dir, const struct proc_id *id,
			struct place *out);

/* place_close - Let go; of PLACE_NONE nothing. */
void place_close(struct place *p);

#define _place_ _cleanup_(place_close)

/* What is remembered of a place that was let go, to be compared with one that
 * is held now. */
struct place_mark {
	struct ns_id id;
	struct proc_id process;
};

struct place_mark place_mark(const struct place *p);

/*
 * place_is_marked - Was @p found as it was for @mark? The numbers of the
 * namespace do not say so; that the same process, which has lived on, is still
 * in one of this number does.
 */
bool place_is_marked(const struct place *p, const struct place_mark *mark);
