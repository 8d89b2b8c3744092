// SPDX-License-Identifier: Apache-2.0
#include "cli/check_local.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "agent/agent.h"
#include "base/addr.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/ask_agent.h"
#include "cli/ending.h"
#include "node/run_dir.h"
#include "node/throwaway.h"
#include "objects/json.h"

/* An emulated machine that shares its processors needs most of it. */
#define START_S 180
#define SETTLE_S 3  /* an agent that is ready may still be looking */
#define STEP_MS 100 /* of waiting */
#define NAMESPACE "smcmesh-check"

static const char *const names[] = {NAMESPACE "/a", NAMESPACE "/b"};

struct local {
	const struct check_place *p;
	const char *cgroup;
	struct throwaway pair;
	char dir[32]; /* of the list and the log; "": none */
	pid_t agent;  /* 0: it does not run */
	bool began;   /* an agent: what it made is to be removed */
};

static int fail(int err, const char *what)
{
	fprintf(stderr, "smcmesh check: cannot %s: %s\n", what, strerror(-err));
	return err;
}

/* ---- is the node free? --------------------------------------------------- */

static int say_agent(pid_t holder)
{
	fprintf(stderr,
		"smcmesh check: an agent runs here, pid %d: --local would need one of its own. Check two of its pods: smcmesh check NAMESPACE/POD NAMESPACE/POD\n",
		holder);
	return -EBUSY;
}

static int see_free(const struct check_place *p)
{
	pid_t holder = 0;
	_close_ int lock = lock_take(p->run, &holder);
	char pins[PATH_MAX];

	if (lock == -EBUSY)
		return say_agent(holder);
	if (lock < 0 && lock != -ENOENT)
		return fail(lock, "see whether an agent runs here");
	snprintf(pins, sizeof(pins), "%s/%s", p->bpffs, SMC_PIN_DIR);
	if (access(pins, F_OK))
		return 0;
	fprintf(stderr,
		"smcmesh check: %s is an agent's, and it does not run: start it, or take away what it left (smcmesh cleanup)\n",
		pins);
	return -EBUSY;
}

/* ---- programs: the agent, cleanup ---------------------------------------- */

static void path_in(const struct local *l, const char *name,
		    char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", l->dir, name);
}

/* This program again; what it says goes to the log. */
static pid_t start(const struct local *l, const char *const *argv)
{
	char log[PATH_MAX];
	pid_t parent = getpid(), pid;
	int fd;

	path_in(l, "log", log);
	fflush(NULL);
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	/* A terminal's Ctrl-C is for the parent, which ends it. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (getppid() != parent || fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(1);
	execv("/proc/self/exe", (char *const *)argv);
	_exit(1);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

/* The log, to say why. */
static void print_log(const struct local *l)
{
	_buf_ struct buf text = {}, error = {};
	char log[PATH_MAX];

	path_in(l, "log", log);
	if (!small_file_read(log, &text, &error))
		fputs(text.data ?: "", stderr);
}

/* With the options that both take, and room for more. */
struct argv {
	const char *v[20];
	size_t n;
};

static void add(struct argv *a, const char *option, const char *value)
{
	a->v[a->n++] = option;
	if (value)
		a->v[a->n++] = value;
}

static struct argv argv_of(const struct local *l, const char *command)
{
	struct argv a = {};

	add(&a, "smcmesh", command);
	add(&a, "--run", l->p->run);
	add(&a, "--bpffs", l->p->bpffs);
	add(&a, "--proc", l->p->proc);
	if (l->cgroup)
		add(&a, "--cgroup", l->cgroup);
	return a;
}

/* ---- its source ---------------------------------------------------------- */

static void write_pod(FILE *f, const struct throwaway *t, int i)
{
	char addr[ADDR_STRLEN];

	addr_format(&t->addr[i], addr);
	fprintf(f,
		",{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
		"\"namespace\":\"" NAMESPACE "\",\"name\":\"%s\","
		"\"uid\":\"00000000-0000-0000-0000-00000000000%d\","
		"\"creationTimestamp\":\"2026-01-01T00:00:00Z\","
		"\"annotations\":{\"smcmesh.io/enabled\":\"true\","
		"\"smcmesh.io/netns\":\"/proc/%d/ns/net\"}},"
		"\"spec\":{\"containers\":[{\"name\":\"c\"}]},"
		"\"status\":{\"phase\":\"Running\",\"podIP\":\"%s\","
		"\"podIPs\":[{\"ip\":\"%s\"}]}}",
		names[i] + sizeof(NAMESPACE), i + 1, t->holder[i], addr, addr);
}

static int write_list(const struct local *l)
{
	char path[PATH_MAX];
	_fclose_ FILE *f = NULL;

	path_in(l, "list.json", path);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fprintf(f,
		"{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":["
		"{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":\"SmcMesh\","
		"\"metadata\":{\"name\":\"default\"},"
		"\"spec\":{\"enabled\":true}}");
	write_pod(f, &l->pair, 0);
	write_pod(f, &l->pair, 1);
	fprintf(f, "]}\n");
	return fflush(f) || ferror(f) ? -EIO : 0;
}

/* ---- until it has armed them --------------------------------------------- */

static void wait_a_step(void)
{
	const struct timespec t = {.tv_nsec = STEP_MS * 1000000L};

	nanosleep(&t, NULL);
}

static bool listens(const struct local *l)
{
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", l->p->run,
		     AGENT_SOCKET) >= (int)sizeof(at.sun_path))
		return false;
	return fd >= 0 && !connect(fd, (struct sockaddr *)&at, sizeof(at));
}

/* The root of an answer, or NULL. */
static yyjson_doc *ask(const struct local *l, const char *path)
{
	_buf_ struct buf text = {};

	return client_get(l->p->run, path, &text)
		       ? NULL
		       : yyjson_read(text.data, text.len, 0);
}

/* Are both pods there, and are they armed? */
static bool all_armed(const struct local *l, bool *there)
{
	_doc_ yyjson_doc *doc = ask(l, "/v1/pods");
	yyjson_val *pods = yyjson_obj_get(yyjson_doc_get_root(doc), "pods");
	yyjson_val *pod;
	size_t i, max, armed = 0;

	*there = yyjson_arr_size(pods) == array_size(names);
	yyjson_arr_foreach (pods, i, max, pod) {
		armed += yyjson_get_bool(yyjson_obj_get(pod, "armed"));
	}
	return *there && armed == array_size(names);
}

/* Nothing more is to be expected: it is ready, since when? */
static bool is_ready(const struct local *l, bool *capable)
{
	_doc_ yyjson_doc *doc = ask(l, "/v1/status");
	yyjson_val *root = yyjson_doc_get_root(doc);

	*capable = yyjson_get_int(yyjson_obj_get(root, "capability"));
	return yyjson_get_bool(yyjson_obj_get(root, "ready"));
}

/* Return: 1: it has done what it can; 0: not yet. */
static bool has_settled(const struct local *l, __u64 *ready_since)
{
	bool there, capable;

	if (!listens(l))
		return false;
	if (all_armed(l, &there))
		return true;
	if (!there || !is_ready(l, &capable))
		return false;
	if (!*ready_since)
		*ready_since = clock_now();
	return !capable || clock_now() - *ready_since > SETTLE_S * CLOCK_SECOND;
}

static int wait_settled(struct local *l)
{
	const __u64 until = clock_now() + START_S * CLOCK_SECOND;
	__u64 ready_since = 0;

	while (!ending_came() && clock_now() < until) {
		if (waitpid(l->agent, NULL, WNOHANG) == l->agent) {
			l->agent = 0;
			print_log(l);
			return fail(-ECHILD, "run an agent");
		}
		if (has_settled(l, &ready_since))
			return 0;
		wait_a_step();
	}
	if (ending_came())
		return -EINTR;
	print_log(l);
	return fail(-ETIMEDOUT, "run an agent");
}

/* ---- the whole ----------------------------------------------------------- */

static int begin(struct local *l)
{
	char source[PATH_MAX + 8] = "file:";
	struct argv a = argv_of(l, "agent");
	int err;

	strcpy(l->dir, "/tmp/smcmesh-check-XXXXXX");
	if (!mkdtemp(l->dir)) {
		l->dir[0] = '\0';
		return fail(-errno, "make a directory in /tmp");
	}
	err = write_list(l);
	if (err)
		return fail(err, "write the list of the two pods");
	path_in(l, "list.json", source + strlen("file:"));
	add(&a, "--source", source);
	add(&a, "--node", "check");
	add(&a, "--listen", "127.0.0.1:0");
	l->agent = start(l, a.v);
	if (l->agent < 0) {
		err = l->agent;
		l->agent = 0;
		return fail(err, "run an agent");
	}
	l->began = true;
	return wait_settled(l);
}

static int look(struct local *l, struct check_pod pods[2],
		struct check_way *const v[2])
{
	int err = check_pod_find(l->p, names[0], &pods[0])
			  ?: check_pod_find(l->p, names[1], &pods[1]);

	for (int i = 0; !err && !ending_came() && i < 2; i++) {
		v[i]->from = &pods[i];
		v[i]->to = &pods[!i];
		err = check_both(l->p, v[i]);
	}
	return err ?: ending_came() ? -EINTR : 0;
}

static void remove_files(const struct local *l)
{
	static const char *const files[] = {"list.json", "log"};
	char path[PATH_MAX];

	for (size_t i = 0; i < array_size(files); i++) {
		path_in(l, files[i], path);
		unlink(path);
	}
	rmdir(l->dir);
}

/* The namespaces first: nothing then keeps a selector. */
static void end(struct local *l)
{
	struct argv a = argv_of(l, "cleanup");
	pid_t pid;

	throwaway_drop(&l->pair);
	if (l->agent) {
		kill(l->agent, SIGTERM);
		/* it says nothing that matters any more */
		(void)!wait_for(l->agent);
	}
	if (l->began) {
		pid = start(l, a.v);
		if (pid < 0 || wait_for(pid)) {
			print_log(l);
			fprintf(stderr,
				"smcmesh check: not all of it is taken away: smcmesh cleanup\n");
		}
	}
	if (l->dir[0])
		remove_files(l);
}

int check_local(const struct check_place *p, const char *cgroup,
		struct check_pod pods[2], struct check_way *const v[2])
{
	struct local l = {.p = p, .cgroup = cgroup};
	_buf_ struct buf error = {};
	int err;

	pods[0].at = pods[1].at = PLACE_NONE;
	ending_catch();
	err = throwaway_make(&l.pair, &error);
	if (err)
		fprintf(stderr, "smcmesh check: %s\n", error.data ?: "");
	err = err ?: see_free(p) ?: begin(&l) ?: look(&l, pods, v);
	check_pod_close(&pods[0]);
	check_pod_close(&pods[1]);
	end(&l);
	ending_release();
	return err;
}
