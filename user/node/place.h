/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a network namespace while the agent works with it.
 *
 * The kernel gives the number of a namespace that is gone to the next one that
 * is made, at once (proc_alloc_inum(), fs/proc/generic.c), and that of a
 * process some time later. So neither a number read from a path nor the path
 * identifies it. While a descriptor is open the namespace lives and keeps its
 * number: another process that opens the path meanwhile can compare by fstat().
 */
#pragma once

#include <limits.h>
#include "node/proc.h"

struct place {
	int fd;			/* -1: nothing is held */
	struct ns_id id;	/* this namespace's, while fd is open */
	struct proc_id process; /* which led to it; pid 0: a path did */
	char path[PATH_MAX];	/* for helpers and messages */
};

#define PLACE_NONE ((struct place){.fd = -1})

/* place_open - Hold what is at @path now, network namespace or not. Return: 0,
 * or a negative errno with @out untouched. */
must_check int place_open(const char *path, struct place *out);

/* place_of - Hold the namespace of the process @id below @proc; @dir is its
 * directory (proc_open()). Return: 0; -ESRCH: it has ended; or another negative
 * errno; @out is untouched then. */
must_check int place_of(const char *proc, int dir, const struct proc_id *id,
			struct place *out);

/* place_close - Close it; PLACE_NONE is fine. */
void place_close(struct place *p);

#define _place_ _cleanup_(place_close)

/* What to remember of a place after closing it, to compare with another one. */
struct place_mark {
	struct ns_id id;
	struct proc_id process;
};

struct place_mark place_mark(const struct place *p);

/*
 * place_is_marked - Was @p found as it was for @mark? The namespace's numbers
 * do not prove that; the same process, which has lived on, in a namespace of
 * this number does.
 */
bool place_is_marked(const struct place *p, const struct place_mark *mark);
