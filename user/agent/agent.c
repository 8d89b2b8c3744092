// SPDX-License-Identifier: Apache-2.0
/*
 * The wiring of the loop. One thread; everything that happens is an event of
 * one of these:
 *
 *   source      a new world, or trouble with it
 *   events      the datapath's ring buffer: flows, refused conversions
 *   watch       directories of namespaces
 *   starts      pods' cgroups: a pod is about to have a namespace
 *   cluster     answers of the API server to what it was told
 *   resync      every few seconds: is all as we left it?
 *   retry       looks at wanted pods that cannot be armed yet
 *   paths       RDMA paths: when to probe them, and what was answered
 *   diagnose    what was opened in armed pods before arming, one by one
 *   pause       between two readings of the ring buffer
 *   http        metrics on TCP, control on a unix socket
 *   signals     TERM and INT end it, HUP reads the source again
 *
 * They note what they saw and ask for a turn (loop/turn.h): after each batch of
 * them one reconcile.
 */
#include "agent/agent.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include "agent/budget.h"
#include "agent/reconcile.h"
#include "agent/routes.h"
#include "cluster/cluster.h"
#include "pods/lateness.h"
#include "serve/api.h"
#include "pods/waiting.h"
#include "node/run_dir.h"
#include "base/array.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/proc.h"

#define RESYNC_MS 5000
#define EVENTS_PAUSE_MS 50

/* ---- sources ----------------------------------------------------------- */

/* Once for each new text, not for each reading of the same file. */
static void say_notes(struct agent *a)
{
	const char *notes = source_notes(a->source), *p = notes;

	if (a->notes && !strcmp(a->notes, notes))
		return;
	for (size_t len; *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		log_warn(0, "left out: %.*s", (int)len, p);
	}
	free(a->notes);
	a->notes = strdup(notes);
}

static void source_changed(void *arg)
{
	struct agent *a = arg;

	a->memory.due = true;
	reconcile_unplan(a);
	say_notes(a);
	turn_due(&a->turn);
}

static void source_trouble(void *arg)
{
	struct agent *a = arg;
	const char *problem = source_problem(a->source);

	if (problem)
		log_warn(0, "%s; what was read before stays in force", problem);
	else
		log_info("%s can be read again", a->opt->source);
}

/* A namespace came, went, or was replaced under its name. */
static void watch_event(const char *path, void *arg)
{
	struct agent *a = arg;

	if (pods_stale_at(&a->pods, path))
		turn_due(&a->turn);
}

/* Is there more to be found at @at than what is known of @p? */
static bool is_news(const struct pod *p, const struct place *at)
{
	if (p->host_network)
		return !p->cgroup_id;
	/* Its sandbox may have been made anew. */
	return at && (!p->facts.verified || !place_is_marked(at, &p->found));
}

/* A container's cgroup came: the one before it may have been an init container
 * that wrote the rules of a sidecar. */
static bool may_have_rules(const struct pod *p, const struct place *at)
{
	return !at && !p->host_network && p->facts.verified;
}

static void start_event(const char *uid, const struct place *at, void *arg)
{
	struct agent *a = arg;
	struct pod *p = pods_by_cgroup(&a->pods, uid);

	if (!p || !p->wanted || (!is_news(p, at) && !may_have_rules(p, at)))
		return;
	pod_news(p);
	turn_due(&a->turn);
}

static void resync_event(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	unsigned int repairs;

	datapath_check(a->dp, &repairs); /* has said what it could not */
	if (repairs)
		log_warn(
			0,
			"put back what was missing of the datapath, repairs=%u",
			repairs);
	a->counts.repairs += repairs;
	datapath_listen(a->dp); /* an event may have been lost */
	memory_give_back(&a->memory, uv_hrtime());
	http_feed_sweep(a->flows);
	api_follow(a, http_feed_readers(a->flows));
	a->unswept = true;
	a->rations.due = datapath_rations(a->dp);
	a->encrypts_fresh = a->local_fresh = false;
	starts_scan(a->starts);
	cluster_resync(a);
	budget_look(a);
	/* Where looks take so long that some are left from the last time, those
	 * come first: else the last pods would never have their turn. */
	if (repairs)
		pods_stale(&a->pods);
	else if (!a->looks_left)
		pods_resync(&a->pods);
	turn_due(&a->turn);
}

static void count_fallback(struct agent *a, const struct smc_flow *f)
{
	struct metrics_fallback *row;

	for (size_t i = 0; i < a->n_fallbacks; i++) {
		row = &a->fallbacks[i];
		if (row->pod_id == f->pod_id && row->code == f->kernel_code) {
			row->count++;
			return;
		}
	}
	row = array_push(a->fallbacks, a->n_fallbacks);
	if (row)
		*row = (struct metrics_fallback){f->pod_id, f->kernel_code, 1};
}

static void refused(struct agent *a, const struct smc_event *e)
{
	const struct pod *p = pods_by_id(&a->pods, e->flow.pod_id);

	log_warn(
		(int)e->flow.kernel_code,
		"the kernel refused an SMC socket in pod %s/%s: the pod is disarmed, its new sockets are TCP; take its annotation away and put it back to try again",
		p ? p->ns : "?", p ? p->name : "?");
	turn_due(&a->turn);
}

static void flow_event(const struct smc_event *e, void *arg)
{
	struct agent *a = arg;

	if (e->type == SMC_EVENT_LISTENS) { /* no flow's */
		datapath_listen(a->dp);
		return;
	}
	if (e->type == SMC_EVENT_REFUSED)
		refused(a, e);
	if (e->type == SMC_EVENT_FELL_BACK)
		count_fallback(a, &e->flow);
	api_event(a, e);
}

/*
 * A ring that is empty wakes its reader at the next event, which under traffic
 * would be at each one, on the cost of whoever is connecting there. So after a
 * read the ring is left alone for a while: what comes then wakes nobody. The
 * ring holds 6,000 events (bpf/maps.bpf.h), i.e. the pause lasts for a few tens
 * of thousands of connections in a second.
 */
static void events_event(uv_poll_t *poll, int status, int events);

static void events_watch(uv_timer_t *timer)
{
	struct agent *a = timer->data;

	uv_poll_start(&a->events, UV_READABLE, events_event);
}

static void events_event(uv_poll_t *poll, int status, int events)
{
	struct agent *a = poll->data;
	int n = datapath_events_read(a->dp, flow_event, a);

	if (n < 0)
		log_warn(n, "read flow events");
	if (n >= DATAPATH_EVENTS_AT_ONCE)
		return; /* more may be waiting: again in the next round */
	uv_poll_stop(poll);
	uv_timer_start(&a->pause, events_watch, EVENTS_PAUSE_MS, 0);
}

/* ---- signals ----------------------------------------------------------- */

static void signal_event(uv_signal_t *handle, int number)
{
	struct agent *a = handle->data;

	if (number == SIGHUP) {
		log_info("SIGHUP: reading %s again", a->opt->source);
		source_reread(a->source);
		pods_stale(&a->pods);
		turn_due(&a->turn);
		return;
	}
	log_info("%s: stopping; the datapath stays as it is",
		 number == SIGINT ? "SIGINT" : "SIGTERM");
	a->stopping = true;
	turn_stop(&a->turn);
	uv_stop(&a->loop);
}

/* ---- start ------------------------------------------------------------- */

static void turn_event(void *arg)
{
	reconcile(arg);
}

static void handles_init(struct agent *a)
{
	turn_open(&a->turn, &a->loop, turn_event, a);
	uv_timer_init(&a->loop, &a->resync);
	uv_timer_init(&a->loop, &a->retry);
	uv_timer_init(&a->loop, &a->pause);
	uv_timer_init(&a->loop, &a->diagnose);
	uv_signal_init(&a->loop, &a->term);
	uv_signal_init(&a->loop, &a->intr);
	uv_signal_init(&a->loop, &a->hup);
	a->resync.data = a->retry.data = a;
	a->term.data = a->intr.data = a->hup.data = a;
	a->pause.data = a->diagnose.data = a;
	uv_timer_start(&a->resync, resync_event, RESYNC_MS, RESYNC_MS);
	uv_signal_start(&a->term, signal_event, SIGTERM);
	uv_signal_start(&a->intr, signal_event, SIGINT);
	uv_signal_start(&a->hup, signal_event, SIGHUP);
}

static int http_up(struct agent *a)
{
	char path[PATH_MAX];
	int fd, err;

	a->flows = http_feed_new();
	if (!a->flows)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/%s", a->opt->run, AGENT_SOCKET);
	fd = http_listen_unix(path);
	if (fd < 0)
		return fd;
	err = http_start(&a->loop, fd, control_routes, a, &a->control);
	if (err)
		return err;
	fd = http_listen_tcp(a->opt->listen, a->listening);
	if (fd < 0)
		return fd;
	return http_start(&a->loop, fd, public_routes, a, &a->metrics);
}

static void host_fill(struct agent *a)
{
	struct utsname name;

	if (!uname(&name))
		snprintf(a->kernel, sizeof(a->kernel), "%s", name.release);
	a->host.node = a->opt->node;
	a->host.memory = memory_total();
	a->can_convert =
		strcmp(features_converter(datapath_features(a->dp)), "none");
	a->host.converter = datapath_has_converter(a->dp);
	a->host.selector = datapath_has_selector(a->dp);
	a->host.cgroup2 =
		feature_present(datapath_features(a->dp), FEATURE_CGROUP2);
	a->host.netns_cookie = netns_own_cookie();
	if (agent_capable(a))
		log_info("connections can become SMC, converter=%s selector=%s",
			 datapath_converter(a->dp), datapath_selector(a->dp));
	else
		log_warn(
			0,
			"this kernel cannot make connections SMC, converter=%s selector=%s: traffic stays TCP, nothing is changed; smcmesh doctor says what is missing",
			datapath_converter(a->dp), datapath_selector(a->dp));
}

static int datapath_up(struct agent *a)
{
	struct smc_config config;
	const struct datapath_options opt = {.bpffs = a->opt->bpffs,
					     .cgroup = a->opt->cgroup,
					     .proc = a->opt->proc};
	int fd, err;

	err = datapath_open(&opt, &a->dp);
	if (err) /* -EINVAL is an option's here, not a BPF program's */
		return err == -EINVAL ? -EIO : err;
	host_fill(a);
	if (!a->can_convert || !a->host.selector)
		source_alone(a->source);
	/* An agent that was killed may have had readers. */
	a->followed = true;
	api_follow(a, false);
	err = agent_adopt(a);
	if (err)
		return err;
	/* The kernel remembers what the agent before us was told. */
	if (!datapath_config(a->dp, &config))
		source_remember(a->source, config.enabled);
	fd = datapath_events_fd(a->dp);
	if (fd < 0)
		return 0;
	err = uv_poll_init(&a->loop, &a->events, fd);
	if (err)
		return log_err(err, "watch the ring buffer of flow events");
	a->events.data = a;
	a->events_open = true;
	return uv_poll_start(&a->events, UV_READABLE, events_event);
}

static int agent_start(struct agent *a)
{
	const struct source_events events = {source_changed, source_trouble, a};
	int err;

	handles_init(a);
	/* The datapath comes last: a port that is taken leaves it untouched.
	 * Nothing is served or read before the loop runs. */
	err = watch_open(&a->loop, watch_event, a, &a->watch) ?:
	      http_up(a) ?:
	      source_open(&a->loop, a->opt->source, &a->opt->kube, &events,
			  &a->source) ?:
	      datapath_up(a) ?:
	      paths_open(a) ?:
	      starts_open(&a->loop, a->opt->proc, datapath_cgroup(a->dp),
			  start_event, a, &a->starts) ?:
	      cluster_open(a);
	if (err)
		return err;
	log_info("running, node=%s source=%s listen=%s run=%s", a->opt->node,
		 a->opt->source, a->listening, a->opt->run);
	return 0;
}

/* ---- stop -------------------------------------------------------------- */

static void close_rest(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void agent_stop(struct agent *a)
{
	char path[PATH_MAX];

	a->stopping = true;
	turn_stop(&a->turn);
	if (a->control) {
		snprintf(path, sizeof(path), "%s/%s", a->opt->run,
			 AGENT_SOCKET);
		unlink(path);
	}
	http_stop(a->control);
	http_stop(a->metrics);
	cluster_close(a);
	if (a->source)
		source_close(a->source);
	starts_close(a->starts);
	watch_close(a->watch);
	paths_close(a);
	uv_walk(&a->loop, close_rest, NULL);
	uv_run(&a->loop, UV_RUN_DEFAULT);
	uv_loop_close(&a->loop);
	http_feed_free(a->flows);
	datapath_close(a->dp);
	reconcile_forget(a);
	paths_free(a);
	free(a->notes);
}

/* The first thing that someone without rights meets. */
static int say_rights(int err)
{
	if (err == -EACCES || err == -EPERM)
		log_at(LOG_ERR, 0,
		       "run the agent as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_SYS_ADMIN and a --run directory of its own");
	return err;
}

static int lock_or_say(const char *run)
{
	pid_t holder = 0;
	int fd = lock_take(run, &holder);

	if (fd == -EBUSY) {
		log_at(LOG_ERR, 0,
		       "another agent already runs here, pid=%d run=%s: this one does nothing",
		       holder, run);
		return fd;
	}
	return fd < 0 ? log_err(fd, "lock %s/agent.lock", run) : fd;
}

int agent_run(const struct agent_options *opt)
{
	struct agent a = {.opt = opt};
	_close_ int lock = -1;
	struct timespec now;
	int err;

	err = source_check(opt->source) ?: http_address_check(opt->listen);
	if (err)
		return err;
	err = run_dir_make(opt->run);
	if (err)
		return say_rights(err);
	lock = lock_or_say(opt->run);
	if (lock < 0)
		return say_rights(lock);
	memory_lend();
	/* A reader of our socket that goes away is no reason to die. */
	signal(SIGPIPE, SIG_IGN);
	clock_gettime(CLOCK_REALTIME, &now);
	a.start_time = now.tv_sec + now.tv_nsec / 1e9;
	a.start_hrtime = uv_hrtime();
	err = uv_loop_init(&a.loop);
	if (err)
		return log_err(err, "make the event loop");
	err = agent_start(&a);
	if (!err)
		uv_run(&a.loop, UV_RUN_DEFAULT);
	agent_stop(&a);
	return err;
}
