/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we changed of SMC's settings, in RUN/settings: a file for each network
 * namespace, named by its cookie, so that later agents and cleanups undo just
 * that. (RUN is on a tmpfs: it forgets at a reboot, as the kernel does.) A file
 * is written before the kernel is changed: an agent that dies in between leaves
 * a line too many, which costs nothing.
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "mesh/pnet.h"
#include "mesh/settings.h"

#define SETTINGS_DIR "settings"

struct settings_file {
	const char *run;
	__u64 cookie, inode; /* the namespace's */
	struct mesh_sysctl_record sysctl[MESH_SYSCTLS];
	struct mesh_pnet_table pnet; /* entries that we added */
};

/*
 * settings_open - Read what is recorded of the namespace of @cookie; a missing
 * file has nothing. Lines that we do not write are left out. @run lives longer
 * than @out. @inode: 0: as the file says.
 * Return: 0, or a negative errno. Free with settings_close().
 */
must_check int settings_open(const char *run, __u64 cookie, __u64 inode,
			     struct settings_file *out);
void settings_close(struct settings_file *f);

/* settings_empty - Is nothing recorded? */
bool settings_empty(const struct settings_file *f);

/* settings_save - Write it, or remove the file if nothing is recorded. Return:
 * 0 or a negative errno. */
must_check int settings_save(const struct settings_file *f);

/* settings_note - Record an entry; settings_drop - forget the one of this
 * place (device and port, or nic). Neither writes. */
must_check int settings_note(struct settings_file *f,
			     const struct mesh_pnet_entry *e);
void settings_drop(struct settings_file *f, const struct mesh_pnet_entry *e);

/* settings_has - Is that entry recorded, by this name? */
bool settings_has(const struct settings_file *f,
		  const struct mesh_pnet_entry *e);
