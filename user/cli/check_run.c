// SPDX-License-Identifier: Apache-2.0
#include "cli/check_run.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "base/addr.h"
#include "cli/ask_agent.h"
#include "cli/check_flows.h"
#include "cli/pod_space.h"
#include "datapath/unconverted.h"
#include "objects/json.h"

static int fail(int err, const char *what, const char *name)
{
	fprintf(stderr, "smcmesh check: cannot %s%s%s: %s\n", what,
		*name ? " " : "", name, strerror(-err));
	return err;
}

/* ---- pods ---------------------------------------------------------------- */

/* Of those that the agent lists, which is what is published of an armed one. */
static int take_address(yyjson_val *pod, struct smc_addr *out)
{
	yyjson_val *v = yyjson_arr_get_first(yyjson_obj_get(pod, "published"));

	if (!v)
		v = yyjson_arr_get_first(yyjson_obj_get(pod, "addresses"));
	return v ? addr_parse(yyjson_get_str(v), out) : -ENOENT;
}

static int take_pod(yyjson_val *pod, struct check_pod *out)
{
	if (yyjson_get_bool(yyjson_obj_get(pod, "host_network"))) {
		fprintf(stderr,
			"smcmesh check: pod %s has the host's network, where its sockets are told apart by its cgroup: the probe's would be nobody's\n",
			out->name);
		return -EOPNOTSUPP;
	}
	if (take_address(pod, &out->addr))
		return fail(-EADDRNOTAVAIL, "find an address of pod",
			    out->name);
	out->armed = yyjson_get_bool(yyjson_obj_get(pod, "armed"));
	snprintf(out->sentence, sizeof(out->sentence), "not armed: %s",
		 json_text(pod, "sentence"));
	snprintf(out->remedy, sizeof(out->remedy), "%s",
		 json_text(pod, "remedy"));
	return 0;
}

int check_pod_find(const struct check_place *p, const char *name,
		   struct check_pod *out)
{
	_doc_ yyjson_doc *doc = NULL;
	yyjson_val *pod;
	int err;

	*out = (struct check_pod){.at = PLACE_NONE};
	snprintf(out->name, sizeof(out->name), "%s", name);
	err = pod_ask(p->run, name, &doc, &pod);
	return err ?: take_pod(pod, out)
		       ?: pod_space_of(p->proc, name, pod, &out->at);
}

void check_pod_close(struct check_pod *pod)
{
	place_close(&pod->at);
}

static int enter(const struct check_pod *pod)
{
	return setns(pod->at.fd, CLONE_NEWNET)
		       ? fail(-errno, "enter the network namespace of pod",
			      pod->name)
		       : 0;
}

/* ---- the client ---------------------------------------------------------- */

/* Without the mark there is nothing to compare with. */
static bool stay_tcp(const struct check_place *p)
{
	return !unconverted_mark(p->bpffs, getpid());
}

static void compare(const struct check_place *p, struct check_way *w)
{
	struct exchange e;

	if (!stay_tcp(p)) {
		exchange_connect(&w->at, EXCHANGE_LAST, true, &e);
		return;
	}
	for (unsigned int i = 0; i < w->wanted; i++) {
		exchange_connect(&w->at,
				 i + 1 < w->wanted ? EXCHANGE_TCP
						   : EXCHANGE_LAST,
				 true, &e);
		if (!e.err && !e.converted)
			w->tcp[w->n_tcp++] = e;
	}
}

/* The first that fails is the last: each may take ten seconds. */
static void connect_all(const struct check_place *p, struct check_way *w)
{
	int err = 0;

	while (!err && w->n < w->wanted) {
		exchange_connect(&w->at, EXCHANGE_CHECK, !w->service,
				 &w->v[w->n]);
		err = w->v[w->n++].err;
	}
	if (!err && !w->service)
		compare(p, w);
}

int check_connect(const struct check_place *p, struct check_way *w)
{
	int err = enter(w->from);

	if (err)
		return err;
	connect_all(p, w);
	return check_flows(p->run, w);
}

/* ---- the server ---------------------------------------------------------- */

/* Return: a listener in the pod's namespace, which the caller then is in. */
static int listen_in(struct check_way *w)
{
	__u16 port;
	int err = enter(w->to);
	int fd = err
			 ?: exchange_listen(&w->to->addr, &port,
					    &w->listener_converted);

	if (fd < 0)
		return err ?: fail(fd, "listen in pod", w->to->name);
	w->at = addr_port(&w->to->addr, port);
	return fd;
}

int check_serve(const struct check_place *p, struct check_way *w,
		void (*ready)(const struct smc_addr_port *at))
{
	struct exchange_served served = {};
	_close_ int fd = listen_in(w);
	int err;

	if (fd < 0)
		return fd;
	ready(&w->at);
	err = exchange_serve(fd, &served);
	if (err)
		return fail(err, "serve in pod", w->to->name);
	w->n = served.n;
	for (unsigned int i = 0; i < served.n; i++)
		w->v[i].port = served.ports[i];
	return check_flows(p->run, w);
}

/* ---- both ---------------------------------------------------------------- */

/* Shared with the two processes. */
struct shared {
	struct exchange_served served;
	struct check_way way;
	int err; /* the client's */
};

static pid_t start(void)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(1);
	return 0;
}

static void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int client_beside(const struct check_place *p, struct shared *s)
{
	pid_t pid = start();

	if (pid < 0)
		return fail(pid, "start a process", "");
	if (!pid) {
		s->err = enter(s->way.from);
		if (!s->err)
			connect_all(p, &s->way);
		_exit(0);
	}
	wait_for(pid);
	return s->err;
}

static int both(const struct check_place *p, int listener, struct shared *s)
{
	pid_t server = start();
	int err;

	if (server < 0)
		return fail(server, "start a process", "");
	if (!server)
		_exit(!!exchange_serve(listener, &s->served));
	err = client_beside(p, s);
	/* It waits for more if the client failed. */
	if (err || s->way.n < s->way.wanted || s->way.v[s->way.n - 1].err)
		kill(server, SIGKILL);
	wait_for(server);
	return err;
}

static int listen_and_return(struct check_way *w)
{
	_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_close_ int fd = own < 0 ? fail(-errno, "open", "/proc/self/ns/net")
				 : listen_in(w);

	if (own >= 0 && setns(own, CLONE_NEWNET))
		return fail(-errno, "return from the namespace of pod",
			    w->to->name);
	return take_fd(fd);
}

int check_both(const struct check_place *p, struct check_way *w)
{
	_close_ int fd = listen_and_return(w);
	struct shared *s;
	int err;

	if (fd < 0)
		return fd;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return fail(-errno, "share memory with a process", "");
	s->way = *w;
	err = both(p, fd, s);
	*w = s->way;
	munmap(s, sizeof(*s));
	return err ?: check_flows(p->run, w);
}
