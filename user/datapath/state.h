/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this room: nobody else includes it. */
#pragma once

#include <bpf/libbpf.h>
#include <limits.h>
#include <smcmesh/counters.h>

#include "base/cleanup.h"
#include "datapath/datapath.h"
#include "datapath/kbtf.h"
#include "datapath/rows.h"

/* The public maps. X(ID, name, key's type, value's type) */
#define DATAPATH_MAPS(X)                                                    \
	X(CONFIG, "smc_config", __u32, struct smc_config)                   \
	X(NETNS, "smc_netns", __u64, struct smc_pod)                        \
	X(CGROUP, "smc_cgroup", __u64, struct smc_pod)                      \
	X(ENDPOINT, "smc_endpoint", struct smc_addr, struct smc_endpoint)   \
	X(SERVICE, "smc_service", struct smc_addr_port, struct smc_service) \
	X(CIDR, "smc_cidr", struct smc_cidr_key, struct smc_cidr)           \
	X(PORT, "smc_port", struct smc_port_key, struct smc_port)           \
	X(QUARANTINE, "smc_quarantine", struct smc_quarantine_key,          \
	  struct smc_quarantine)                                            \
	X(FLOW, "smc_flow", struct smc_handshake, struct smc_flow)          \
	X(FLOW_CLOSED, "smc_flow_closed", __u32, struct smc_closed)         \
	X(COUNTER, "smc_counter", __u32, struct smc_counters)               \
	X(USAGE, "smc_usage", __u32, struct smc_usage)                      \
	X(EVENT, "smc_event", __u8[0], __u8[0])                             \
	X(PENDING, "smc_pending", __u64, struct smc_pending)                \
	X(PATH, "smc_path", struct smc_path_key, struct smc_path)

#define DATAPATH_MAP_ENUM(id, name, key, value) MAP_##id,
enum map_id { DATAPATH_MAPS(DATAPATH_MAP_ENUM) MAP_MAX };
#undef DATAPATH_MAP_ENUM

struct map_row {
	const char *name;
	__u32 key_size, value_size;
};
extern const struct map_row map_rows[MAP_MAX];

/* ---- links: one program, one pin ---- */

enum link_kind {
	LINK_TRACING, /* fentry, fexit, fmod_ret, tp_btf: no update */
	LINK_CGROUP,
};

enum link_flag {
	/* Other programs than our pods' run through it: it is attached while a
	 * pod of this node is armed. Links without this flag are attached from
	 * the start. */
	LINK_ARMED = 1,
	/* Of those: it stays while SMC sockets of ours are open. */
	LINK_GUARDS = 2,
	LINK_CONVERTER = 4, /* the converter's own: its attach() does it */
	LINK_FOR_LSM = 8,   /* not where FEATURE_NO_SOCKET_LSM is present */
	/* Without one of these BPF does not count SMC sockets under way. */
	LINK_RATION = 16,
	/* Of those with LINK_ARMED: only once a pod has an SMC listener. */
	LINK_LISTENER = 32,
	LINK_DEVICES = 64, /* only where the selector has a guard */
};

struct recorder;

struct link_row {
	const char *name; /* of the program and of the pin */
	enum link_kind kind;
	unsigned int flags; /* enum link_flag */
	/* Not tried without it; FEATURE_MAX: the hook alone decides. */
	enum feature needs;
	const struct recorder *recorder; /* while it records; NULL: any */
	const char *lost;		 /* what is lost without it */
};

#define LINKS 21
/* In the order of attachment. */
extern const struct link_row link_rows[LINKS];

/* links_find - Index of the row of that name, which must exist. */
size_t links_find(const char *name);

/* ---- our own programs: never attached, run by the agent ---- */

/* X(ID, name, what is lost without it) */
#define DATAPATH_JOBS(X)                                                      \
	X(FLOW_PUT, "flow_put",                                               \
	  "flows opened before an upgrade are not shown")                     \
	X(FLOW_DROP, "flow_drop",                                             \
	  "flows whose end only socket diagnosis tells are shown open")       \
	X(COUNTER_ADD, "counter_add", "counters begin at 0 after an upgrade") \
	X(USAGE_LIMIT, "usage_limit",                                         \
	  "of pods' own limits none holds, only the mesh's")                  \
	X(PENDING_DROP, "pending_drop",                                       \
	  "an SMC socket that was counted wrongly stays counted")             \
	X(PENDING_MEND, "pending_mend",                                       \
	  "a count of SMC sockets that is wrong stays so")                    \
	X(PATH_TOLD, "path_told", "no RDMA path is proven")                   \
	X(QUARANTINE_PUT, "quarantine_put",                                   \
	  "after an upgrade peers in quarantine are offered SMC again")       \
	X(VERDICT_ASK, "verdict_ask",                                         \
	  "smcmesh explain cannot tell the verdict on a peer")

#define DATAPATH_JOB_ENUM(id, name, lost) JOB_##id,
enum job_id { DATAPATH_JOBS(DATAPATH_JOB_ENUM) JOB_MAX };
#undef DATAPATH_JOB_ENUM

struct job_row {
	const char *name, *lost;
};
extern const struct job_row job_rows[JOB_MAX];

/* ---- the whole ---- */

/* What datapath_check() last logged of a thing. */
struct check_said {
	const char *what; /* lives as long as the datapath */
	int err;	  /* 0: it is in order again */
};

/* Which of the links with LINK_ARMED must be attached. */
enum hook_level {
	HOOKS_DOWN = 0,
	HOOKS_GUARD, /* those with LINK_GUARDS */
	HOOKS_ARMED, /* all */
};

/* A pinned map with another number of entries than ours. */
struct resized {
	char name[BPF_OBJ_NAME_LEN];
	int fd;		   /* of the pinned one; -1: none */
	struct rows first; /* its content when it was copied */
};

struct datapath {
	char *bpffs, *cgroup, *proc; /* cgroup: NULL where there is none */
	char *root;		     /* BPFFS/smcmesh */
	char *dir, *link_dir;	     /* our ABI's in it, and its links/ */
	bool idle;
	struct features features;
	const struct converter *converter; /* supported here; or NULL */
	const struct selector *selector;   /* registered; NULL: none */
	bool ids_untold; /* a new generation of it is not in smc_config yet */
	const struct recorder *recorder; /* NULL: none */
	enum mesh_recorder wish;	 /* of the recorder, the last one */
	enum hook_level hooks;
	bool listens;	 /* a pod has had an SMC listener: LINK_LISTENER, too */
	bool arm_failed; /* the last datapath_arm(): nothing is converted */
	bool rations;	 /* all links with LINK_RATION are up */
	struct other *others;
	size_t n_others;  /* other ABIs, to take over from */
	bool others_stay; /* our maps lack rows of theirs that deny */
	struct resized *resized;
	size_t n_resized;	     /* only while the datapath is opened */
	struct bpf_object *obj;	     /* NULL: nothing is loaded */
	struct bpf_object *ctrl_obj; /* a selector loaded later than obj */
	int cgroup_fd;		     /* or -1 */
	int map_fd[MAP_MAX];	     /* or -1 */
	int link_fd[LINKS];	     /* or -1 */
	struct hs_ctrl *hs_ctrl;     /* selector_hs_ctrl.c's own */
	char *filters;		     /* selector_synfilter.c's: its pins */
	char **ctrl_names;	     /* see datapath_ctrl_names() */
	struct check_said *said;
	size_t n_said;
	struct ring_buffer *events; /* NULL: none */
	datapath_event_fn event_fn; /* while datapath_events_read() runs */
	void *event_arg;
	int events_seen;
};

/* datapath_new - The state with its paths and nothing open: open, read and
 * remove start from it. Return: 0 or -ENOMEM. */
must_check int datapath_new(const struct datapath_options *opt,
			    struct datapath **out);
void datapath_cleanup(struct datapath **dp);
#define _datapath_ _cleanup_(datapath_cleanup)

/* ---- datapath.c ---- */

/* ctrl_names_refresh - Ask the kernel again for datapath_ctrl_names(). Return:
 * 0 or a negative errno, logged: they stay as they were. */
int ctrl_names_refresh(struct datapath *dp);

/* ---- open.c ---- */

/* dirs_make - Make the directories of the pins. Return: 0 or errno. */
must_check int dirs_make(const struct datapath *dp);

/* ---- object.c ---- */

/* object_open - The BPF object of this binary, not loaded. NULL: see errno. */
struct bpf_object *object_open(void);
void object_cleanup(struct bpf_object **obj);
#define _object_ _cleanup_(object_cleanup)

/* object_quiet - Suppress libbpf's warnings, or let them through again. */
void object_quiet(bool is);

/* object_is_pinned_map - Is it one of the maps that are pinned by name? */
bool object_is_pinned_map(const struct bpf_map *map);

/* object_program - The program of that name if it is loaded, or NULL. */
const struct bpf_program *object_program(const struct datapath *dp,
					 const char *name);

/* job_run - Run one of our own programs; it writes its results into @context.
 * Return: 0; -ENOSYS: it is not loaded; or a negative errno. */
must_check int job_run(const struct datapath *dp, enum job_id id, void *context,
		       __u32 size);

/* ---- load.c ---- */

/* What to load: rows of link_rows and job_rows, and the selector. */
struct load_set {
	bool link[LINKS];
	bool job[JOB_MAX];
	const struct selector *selector; /* NULL: none */
};

/*
 * object_load - Load the programs of @set and the maps, adopting pinned ones.
 * It takes programs that this kernel refuses out of @set, each with a line that
 * says what is lost, and loads the others.
 * Return: 0 or a negative errno, logged.
 */
must_check int object_load(struct datapath *dp, struct load_set *set,
			   struct bpf_object **out);

/* ---- inherit.c ---- */

/* adopt_check_version - Are the pins, if any, of our ABI version?
 * Return: as adopt_check_pins(). */
must_check int adopt_check_version(const struct datapath *dp);

/* adopt_check_pins - May we adopt the pins? Notes maps that differ from ours
 * only in their number of entries in dp->resized. Return: 0; -EPROTO, logged
 * with the way out; or a negative errno, logged. Touches nothing. */
must_check int adopt_check_pins(struct datapath *dp);

/* adopt_is_resized - Is this map replaced by one of another size? */
bool adopt_is_resized(const struct datapath *dp, const char *map);

/* adopt_copy - Copy the replaced maps into the new ones, before a program uses
 * them. Return: 0 or the first negative errno, logged. */
must_check int adopt_copy(struct datapath *dp);

/* adopt_finish - The new programs run: give the pins to the new maps, and copy
 * what the old ones got meanwhile. Errors are logged. */
void adopt_finish(struct datapath *dp);
void adopt_free(struct datapath *dp);

/* ---- check_note.c ---- */

/* The result of one datapath_check(). */
struct check {
	unsigned int repairs;
	int err; /* the first one */
};

/*
 * check_note - Add the result for one thing; log an error that differs from the
 * last one.
 * @what: its name; must live as long as @dp.
 * @did: number of repairs, or a negative errno (-EEXIST: its pin is foreign).
 */
void check_note(struct datapath *dp, struct check *c, const char *what,
		int did);

/* ---- links.c ---- */

/* link_attach - Attach a loaded program. A tracing program runs beside the
 * pinned one until link_pin(). Return: 0; -ENOENT: it is not loaded; or a
 * negative errno, logged. */
must_check int link_attach(struct datapath *dp, size_t i);

/* link_pin - Pin it, in place of the pinned one. Return: 0 or a negative errno,
 * logged. */
must_check int link_pin(struct datapath *dp, size_t i);

/* link_up - link_attach() and link_pin(); detaches it again if it cannot be
 * pinned. Return: 0 or a negative errno, logged. */
int link_up(struct datapath *dp, size_t i);

/* link_down - Drop a link and its pin. Return: 1 removed, 0 was not there, or
 * a negative errno. */
int link_down(struct datapath *dp, size_t i);

/* link_drop - Detach the link pinned as @dir/@name, and unpin it. Return: as
 * link_down(). */
int link_drop(const char *dir, const char *name);

/* link_is_loaded - Is the program of this row loaded? */
bool link_is_loaded(const struct datapath *dp, size_t i);

/* links_check - Re-attach and re-pin missing links. */
void links_check(struct datapath *dp, struct check *c);

/* links_sweep - Remove those pins of ours that none of our programs has: an
 * older version's, and those of an agent that died while it attached. */
int links_sweep(struct datapath *dp);

/* link_open_ours - Open the link pinned as @dir/@name, if its program has that
 * name: we pin so, and tell our pins from others' by it. Return: a descriptor,
 * close it; -EMEDIUMTYPE: it is not ours; -ENOENT: no such pin; or another
 * negative errno: not known. */
must_check int link_open_ours(const char *dir, const char *name);

/* link_pin_is_ours - Is it? */
bool link_pin_is_ours(const char *dir, const char *name);

/* ---- hooks.c ---- */

/* hooks_up - Attach what is attached from the start, and begin to record; if
 * pods are armed attach the rest at once, so that it misses none of their
 * sockets. Failures are logged. */
void hooks_up(struct datapath *dp);

/* hooks_passing - A point before and after a step of attaching, where tests
 * kill us. */
void hooks_passing(const char *step);

/* ---- ration.c ---- */

/* ration_up - Have BPF count SMC sockets under way if all links with
 * LINK_RATION are attached; if not, log what that means. */
void ration_up(struct datapath *dp);

/* ration_forget - Remove the own limits of a slot that is no pod's any more.
 * Return: 0 or a negative errno. */
must_check int ration_forget(const struct datapath *dp, __u32 slot);

/* ---- config_row.c ---- */

/* config_write - Return: 0 or a negative errno. */
must_check int config_write(const struct datapath *dp,
			    const struct smc_config *c);

/* config_selectors_of - Set the ids by which BPF knows our selector in @c.
 * Return: 0 or a negative errno. */
must_check int config_selectors_of(struct datapath *dp, struct smc_config *c);

/* config_selectors - Tell BPF the ids of our selector: after it was registered
 * and before a namespace chooses it, and when namespaces have left the older
 * ones. Return: 0 or a negative errno. */
must_check int config_selectors(struct datapath *dp);

/* config_use - Set those of the bits @mask (enum smc_use) that are in @uses,
 * clear the others of @mask. Return: 0 or a negative errno. */
must_check int config_use(struct datapath *dp, __u32 mask, __u32 uses);

/* ---- config_begin.c ---- */

/* config_begin - Write which ABI these maps are of before anything relies on
 * them. If our switch is off and another ABI's datapath is there, ours begins
 * with the content of its maps. Return: 0 or a negative errno, logged. */
must_check int config_begin(struct datapath *dp);

/* ---- counters.c ---- */

/* counters_read - The counters of one slot in a pinned smc_counter of our
 * layout, summed over the CPUs. Return: 0 or a negative errno. */
must_check int counters_read(int fd, __u32 slot, struct smc_counters *out);

/* counters_clear - Set them to 0. Return: 0 or a negative errno. */
must_check int counters_clear(int fd, __u32 slot);

/* counters_any - Is one of them not 0? */
bool counters_any(const struct smc_counters *c);

/* Not a counter: see take_over.c. */
#define COUNTER_MARK (SMC_COUNTER_ROOM - 1)
_Static_assert(COUNTER_MARK >= SMC_COUNTER_MAX, "it has a place of its own");

/* ---- read.c ---- */

/* pods_read - The rows of smc_netns or smc_cgroup, sorted. Return: 0 or a
 * negative errno. */
must_check int pods_read(const struct datapath *dp, enum map_id id,
			 struct rows *out);

/* flows_each - Call @fn for the rows of one map of flows; non-zero stops and is
 * returned. Return: 0 or a negative errno. */
must_check int flows_each(int fd, datapath_flow_fn fn, void *arg);

/* events_open - Map the ring buffer. Return: 0 or a negative errno, logged. */
must_check int events_open(struct datapath *dp);

/* ---- own_maps.c ---- */

/* map_open_ours - Open the map pinned as @dir/@name, with its info, if it has
 * that name or is a selector of ours: we pin so. Return: as link_open_ours().
 */
must_check int map_open_ours(const char *dir, const char *name,
			     struct bpf_map_info *info);

/* map_pin_is_ours - Is it? */
bool map_pin_is_ours(const char *dir, const char *name);

/* maps_sweep - Remove the pins of an agent that died while it made them: no
 * program of ours finds its map by them. Return: 0 or a negative errno. */
must_check int maps_sweep(const struct datapath *dp);
