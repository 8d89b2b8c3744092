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
 *   service     signs of life for a service manager's watchdog
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
#include "agent/ended.h"
#include "agent/gone.h"
#include "agent/host_seen.h"
#include "agent/reconcile.h"
#include "agent/routes.h"
#include "agent/runs.h"
#include "agent/service.h"
#include "agent/traffic.h"
#include "cluster/cluster.h"
#include "pods/lateness.h"
#include "pods/looks.h"
#include "serve/api.h"
#include "pods/waiting.h"
#include "node/run_dir.h"
#include "telemetry/labels.h"
#include "base/array.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/once.h"

#define RESYNC_MS 5000
#define EVENTS_PAUSE_MS 50

/* The agent, and what only the wiring has to do with. */
struct daemon {
	struct agent agent;
	uv_timer_t resync, pause;
	uv_signal_t term, intr, hup;
	uv_poll_t events;
	struct http *metrics, *control;
	struct memory_kept memory; /* due: the world has changed */
	char *notes;		   /* of the source, as last logged */
	struct service service;
};

/* ---- sources ----------------------------------------------------------- */

/* The agent logs the source's notes when they change, not at each reading of
 * the same file. */
static void say_notes(struct daemon *d)
{
	const char *p = source_notes(d->agent.source);

	if (!once_text(&d->notes, p))
		return;
	for (size_t len; *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		log_warn(0, "left out: %.*s", (int)len, p);
	}
}

static void source_changed(void *arg)
{
	struct daemon *d = arg;

	d->memory.due = true;
	d->agent.counts.news_ns = d->agent.counts.news_ns ?: uv_hrtime();
	reconcile_unplan(&d->agent);
	runs_drop_world(&d->agent);
	say_notes(d);
	turn_due(&d->agent.turn);
}

static void source_trouble(void *arg)
{
	const struct agent *a = &((struct daemon *)arg)->agent;
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

	if (pods_stale_at(&a->pods, path, datapath_cgroup(a->dp)))
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
	struct daemon *d = timer->data;
	struct agent *a = &d->agent;
	unsigned int repairs;

	datapath_check(a->dp, &repairs); /* it logs what fails */
	if (repairs)
		log_warn(
			0,
			"put back what was missing of the datapath, repairs=%u",
			repairs);
	a->counts.repairs += repairs;
	datapath_listen(a->dp); /* the kernel may have dropped an event */
	memory_give_back(&d->memory, uv_hrtime());
	api_stream_resync(a);
	ended_read(a);
	traffic_read(a);
	diagnose_resync(a);
	starts_scan(a->looks.starts);
	cluster_resync(a);
	host_resync(a);
	runs_resync(a);
	/* Where looks take so long that the last reconcile left some over, the
	 * agent does those first: else the last pods would never have their
	 * turn. */
	if (repairs)
		pods_stale(&a->pods);
	else if (!a->looks.left)
		pods_resync(&a->pods);
	turn_due(&a->turn);
}

/* By pod, or by namespace: as /metrics tells them apart. */
static void count_fallback(struct agent *a, const struct smc_flow *f)
{
	const struct pod *p = pods_by_id(&a->pods, f->pod_id);
	const char *ns = gone_ns(a, p ? p->ns : "");
	__u32 id = a->opt->labels == METRICS_BY_POD ? f->pod_id : 0;
	struct metrics_fallback *row;

	for (size_t i = 0; i < a->counts.n_fallbacks; i++) {
		row = &a->counts.fallbacks[i];
		if (row->pod_id == id && row->ns == ns &&
		    row->code == f->kernel_code) {
			row->count++;
			return;
		}
	}
	row = array_push(a->counts.fallbacks, a->counts.n_fallbacks);
	if (row)
		*row = (struct metrics_fallback){.pod_id = id,
						 .code = f->kernel_code,
						 .count = 1,
						 .ns = ns};
}

static void refused(struct agent *a, const struct smc_event *e)
{
	const struct pod *p = pods_by_id(&a->pods, e->flow.pod_id);
	const char *ns = p ? p->ns : "?", *name = p ? p->name : "?";
	const struct log_field facts[] = {
		{"namespace", ns, .said = true},
		{"pod", name, .said = true},
		{.key = "reason", .value = reason_label(SMC_REASON_REFUSED)},
		{},
	};

	log_with(
		LOG_WARN, (int)e->flow.kernel_code, facts,
		"the kernel refused an SMC socket in pod %s/%s: the pod is disarmed, its new sockets are TCP; take its annotation away and put it back to try again",
		ns, name);
	turn_due(&a->turn);
}

/* Clients of a hostNetwork pod are offered SMC once its port is known. */
static void listens(struct agent *a, __u32 pod_id)
{
	struct pod *p = pods_by_id(&a->pods, pod_id);

	datapath_listen(a->dp);
	if (!p || !p->host_network)
		return;
	pod_stale(p);
	turn_due(&a->turn);
}

/* A namespace is not guarded any more: a look covers the new device. */
static void device_appeared(struct agent *a, __u64 netns_cookie)
{
	for (size_t i = 0; i < a->pods.n; i++) {
		if (a->pods.v[i]->facts.cookie != netns_cookie)
			continue;
		pod_stale(a->pods.v[i]);
		turn_due(&a->turn);
	}
}

static void flow_event(const struct smc_event *e, void *arg)
{
	struct agent *a = arg;

	if (e->type == SMC_EVENT_LISTENS) { /* no flow's */
		listens(a, e->flow.pod_id);
		return;
	}
	if (e->type == SMC_EVENT_DEVICE) {
		device_appeared(a, e->flow.netns_cookie);
		return;
	}
	if (e->type == SMC_EVENT_REFUSED)
		refused(a, e);
	if (e->type == SMC_EVENT_FELL_BACK)
		count_fallback(a, &e->flow);
	api_event(a, e);
}

/*
 * The kernel wakes the reader of an empty ring at the next event. Under traffic
 * that would be each event, and the program that connects pays for the wake. So
 * after a read the agent leaves the ring alone for a while, and events that
 * come then wake nobody. The ring holds 6,000 events (bpf/maps.bpf.h), enough
 * for a few tens of thousands of connections in a second.
 */
static void events_event(uv_poll_t *poll, int status, int events);

static void events_watch(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	uv_poll_start(&d->events, UV_READABLE, events_event);
}

static void events_event(uv_poll_t *poll, int status, int events)
{
	struct daemon *d = poll->data;
	int n = datapath_events_read(d->agent.dp, flow_event, &d->agent);

	if (n < 0)
		log_warn(n, "read flow events");
	if (n >= DATAPATH_EVENTS_AT_ONCE)
		return; /* more may be waiting: again in the next round */
	uv_poll_stop(poll);
	uv_timer_start(&d->pause, events_watch, EVENTS_PAUSE_MS, 0);
}

/* ---- signals ----------------------------------------------------------- */

static void signal_event(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;
	struct agent *a = &d->agent;

	if (number == SIGHUP) {
		log_info("SIGHUP: reading %s again", a->opt->source);
		service_reloading(&d->service);
		source_reread(a->source);
		pods_stale(&a->pods);
		turn_due(&a->turn);
		return;
	}
	log_info("%s: stopping; the datapath stays as it is",
		 number == SIGINT ? "SIGINT" : "SIGTERM");
	service_stopping(&d->service);
	turn_stop(&a->turn);
	uv_stop(&a->loop);
}

/* ---- start ------------------------------------------------------------- */

static void turn_event(void *arg)
{
	struct daemon *d = arg;

	reconcile(&d->agent);
	service_turned(&d->service, &d->agent);
}

static void handles_init(struct daemon *d)
{
	struct agent *a = &d->agent;

	turn_open(&a->turn, &a->loop, turn_event, d);
	uv_timer_init(&a->loop, &d->resync);
	uv_timer_init(&a->loop, &d->pause);
	uv_signal_init(&a->loop, &d->term);
	uv_signal_init(&a->loop, &d->intr);
	uv_signal_init(&a->loop, &d->hup);
	d->resync.data = d->pause.data = d;
	d->term.data = d->intr.data = d->hup.data = d;
	uv_timer_start(&d->resync, resync_event, RESYNC_MS, RESYNC_MS);
	uv_signal_start(&d->term, signal_event, SIGTERM);
	uv_signal_start(&d->intr, signal_event, SIGINT);
	uv_signal_start(&d->hup, signal_event, SIGHUP);
	service_open(&d->service, &a->loop);
	diagnose_open(a);
}

static int http_up(struct daemon *d)
{
	struct agent *a = &d->agent;
	char path[PATH_MAX];
	int fd, err;

	err = api_stream_open(a);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/%s", a->opt->run, AGENT_SOCKET);
	fd = http_listen_unix(path);
	if (fd < 0)
		return fd;
	err = http_start(&a->loop, fd, control_routes, a, &d->control);
	if (err)
		return err;
	fd = http_listen_tcp(a->opt->listen, a->self.listening);
	if (fd < 0)
		return fd;
	return http_start(&a->loop, fd, public_routes, a, &d->metrics);
}

static int events_open(struct daemon *d)
{
	struct agent *a = &d->agent;
	int fd = datapath_events_fd(a->dp), err;

	if (fd < 0)
		return 0;
	err = uv_poll_init(&a->loop, &d->events, fd);
	if (err)
		return log_err(err, "watch the ring buffer of flow events");
	d->events.data = d;
	return uv_poll_start(&d->events, UV_READABLE, events_event);
}

static int datapath_up(struct daemon *d)
{
	struct agent *a = &d->agent;
	struct smc_config config;
	const struct datapath_options opt = {.bpffs = a->opt->bpffs,
					     .cgroup = a->opt->cgroup,
					     .proc = a->opt->proc};
	int err;

	err = datapath_open(&opt, &a->dp);
	/* The caller takes -EINVAL for a wrong option; this is a BPF program's.
	 */
	if (err)
		return err == -EINVAL ? -EIO : err;
	host_fill(a);
	if (!a->host.can_convert || !a->host.mesh.selector)
		source_alone(a->source);
	api_stream_reset(a);
	ended_begin(a);
	err = agent_adopt(a);
	if (err)
		return err;
	runs_find(a);
	/* smc_config remembers whether the mesh was on for the agent before us.
	 */
	if (!datapath_config(a->dp, &config))
		source_remember(a->source, config.enabled);
	return events_open(d);
}

static int agent_start(struct daemon *d)
{
	const struct source_events events = {source_changed, source_trouble, d};
	struct agent *a = &d->agent;
	int err;

	handles_init(d);
	/* The datapath comes last: a port that is taken leaves it untouched.
	 * Nothing is served or read before the loop runs. */
	err = looks_watch(a, watch_event) ?:
	      http_up(d) ?:
	      source_open(&a->loop, a->opt->source, &a->opt->kube, &events,
			  &a->source) ?:
	      datapath_up(d) ?:
	      paths_open(a) ?:
	      looks_open(a, start_event) ?:
	      cluster_open(a);
	if (err)
		return err;
	log_info("running, node=%s source=%s listen=%s run=%s", a->opt->node,
		 a->opt->source, a->self.listening, a->opt->run);
	service_ready(&d->service, a);
	return 0;
}

/* ---- stop -------------------------------------------------------------- */

static void close_rest(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void agent_stop(struct daemon *d)
{
	struct agent *a = &d->agent;
	char path[PATH_MAX];

	turn_stop(&a->turn);
	if (d->control) {
		snprintf(path, sizeof(path), "%s/%s", a->opt->run,
			 AGENT_SOCKET);
		unlink(path);
	}
	http_stop(d->control);
	http_stop(d->metrics);
	cluster_close(a);
	if (a->source)
		source_close(a->source);
	looks_close(a);
	paths_close(a);
	uv_walk(&a->loop, close_rest, NULL);
	uv_run(&a->loop, UV_RUN_DEFAULT);
	uv_loop_close(&a->loop);
	api_stream_free(a);
	datapath_close(a->dp);
	reconcile_forget(a);
	runs_free(a);
	paths_free(a);
	service_free(&d->service);
	free(d->notes);
}

/* The run directory is the first thing that the agent needs rights for. */
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

static void self_fill(struct agent_self *self)
{
	struct timespec now;
	struct utsname name;

	clock_gettime(CLOCK_REALTIME, &now);
	self->start_time = now.tv_sec + now.tv_nsec / 1e9;
	self->start_hrtime = uv_hrtime();
	if (!uname(&name))
		snprintf(self->kernel, sizeof(self->kernel), "%s",
			 name.release);
}

int agent_run(const struct agent_options *opt)
{
	struct daemon d = {.agent.opt = opt};
	_close_ int lock = -1;
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
	/* A client that closes our socket must not kill the agent. */
	signal(SIGPIPE, SIG_IGN);
	self_fill(&d.agent.self);
	err = uv_loop_init(&d.agent.loop);
	if (err)
		return log_err(err, "make the event loop");
	err = agent_start(&d);
	if (!err)
		uv_run(&d.agent.loop, UV_RUN_DEFAULT);
	agent_stop(&d);
	return err;
}
