// SPDX-License-Identifier: Apache-2.0
/*
 * podstart OPTION...: starts pods as kubelet and a runtime do, beside an agent
 * that reads a List, and asks the kernel what became of their first listener.
 *
 *   --list FILE    the agent's List, replaced for each batch
 *   --node NAME    whose pods they are
 *   --driver systemd|cgroupfs
 *   --count N      pods, in batches of --width W
 *   --early MS     from the List (the API event) to the pod's cgroup
 *   --gap MS       from the sandbox being in its namespace to the program
 *
 * One start: the pod's cgroup; in it one for the sandbox, whose process joins
 * it and then makes the namespace; after the gap one for the program, whose
 * process joins it, enters the namespace and listens as its first act.
 *
 * Pods in time are taken away at once, late ones stay. Prints one JSON object,
 * {"armed": N, "late": ["NAME", ...]}, and ends on SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "prog.h"

#define ROOT "/sys/fs/cgroup"
#define WIDTH_MAX 64
#define LATE_MAX 4096
#define PORT 7000

static const char *list, *node;
static bool systemd;

struct pod {
	unsigned int n;
	char uid[40], cgroup[256];
	pid_t sandbox, program;
	bool armed;
};

static struct pod late[LATE_MAX];
static unsigned int n_late;

static void sleep_ms(unsigned long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t))
		;
}

/* ---- the List ------------------------------------------------------------ */

static void put_pod(FILE *f, const struct pod *p)
{
	fprintf(f,
		",{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"default\","
		"\"name\":\"p%u\",\"uid\":\"%s\",\"creationTimestamp\":"
		"\"2025-01-01T00:00:00Z\",\"annotations\":{"
		"\"smc.asm.alibabacloud.com/enabled\":\"true\"}},"
		"\"spec\":{\"nodeName\":\"%s\",\"containers\":[{\"name\":"
		"\"app\"}]},\"status\":{\"phase\":\"Running\"}}",
		p->n, p->uid, node);
}

static void write_list(const struct pod *v, unsigned int n)
{
	char new[512];
	FILE *f;

	snprintf(new, sizeof(new), "%s.new", list);
	f = fopen(new, "w");
	if (!f)
		die("write %s", new);
	fprintf(f, "{\"kind\":\"List\",\"items\":[{\"kind\":\"SmcMesh\","
		   "\"metadata\":{\"name\":\"default\"},\"spec\":{\"enabled\":"
		   "true}}");
	for (unsigned int i = 0; i < n_late; i++)
		put_pod(f, &late[i]);
	for (unsigned int i = 0; i < n; i++)
		put_pod(f, &v[i]);
	fprintf(f, "]}\n");
	if (fclose(f) || rename(new, list))
		die("write %s", list);
}

/* ---- cgroups ------------------------------------------------------------- */

static void make(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		die("make %s", path);
}

static void make_levels(void)
{
	make(systemd ? ROOT "/kubepods.slice" : ROOT "/kubepods");
	make(systemd ? ROOT "/kubepods.slice/kubepods-burstable.slice"
		     : ROOT "/kubepods/burstable");
}

static void name_pod(struct pod *p, unsigned int n)
{
	static unsigned int run;
	char escaped[40];

	if (!run)
		run = now_ns(CLOCK_REALTIME) / 1000000;
	memset(p, 0, sizeof(*p));
	p->n = n;
	snprintf(p->uid, sizeof(p->uid), "%08x-1111-4222-8333-%012x", run, n);
	strcpy(escaped, p->uid);
	for (char *c = escaped; *c; c++)
		*c = *c == '-' ? '_' : *c;
	if (systemd)
		snprintf(p->cgroup, sizeof(p->cgroup),
			 ROOT "/kubepods.slice/kubepods-burstable.slice/"
			      "kubepods-burstable-pod%s.slice",
			 escaped);
	else
		snprintf(p->cgroup, sizeof(p->cgroup),
			 ROOT "/kubepods/burstable/pod%s", p->uid);
}

static void container(const struct pod *p, const char *name, char path[512])
{
	snprintf(path, 512, systemd ? "%s/cri-containerd-%s.scope" : "%s/%s",
		 p->cgroup, name);
}

/* In the child: into a cgroup of its own below the pod's. */
static void join(const struct pod *p, const char *name)
{
	char path[512], procs[600];
	int fd;

	container(p, name, path);
	make(path);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die("join %s", path);
	close(fd);
}

/* ---- processes ----------------------------------------------------------- */

/* Start @run in a child and wait for the byte that it writes. */
static char start(struct pod *p, pid_t *pid, void (*run)(struct pod *, int))
{
	int ends[2];
	char byte = 0;

	if (pipe(ends))
		die("pipe");
	*pid = fork();
	if (*pid < 0)
		die("fork");
	if (!*pid) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		run(p, ends[1]);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		die("a child of pod %u ended early", p->n);
	close(ends[0]);
	return byte;
}

static void tell(int fd, char byte)
{
	if (write(fd, &byte, 1) != 1)
		die("tell");
}

static void sandbox(struct pod *p, int out)
{
	join(p, "sandbox");
	if (unshare(CLONE_NEWNET))
		die("unshare");
	tell(out, 's');
}

static void program(struct pod *p, int out)
{
	struct sockaddr_in any = {.sin_family = AF_INET,
				  .sin_port = htons(PORT)};
	char ns[64];
	int fd;

	join(p, "program");
	snprintf(ns, sizeof(ns), "/proc/%d/ns/net", p->sandbox);
	fd = open(ns, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("enter %s", ns);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (void *)&any, sizeof(any)) || listen(fd, 16))
		die("listen in pod %u", p->n);
	tell(out, sock_is_smc(fd) ? 'y' : 'n');
}

static void finish(struct pod *p)
{
	static const char *const names[] = {"sandbox", "program"};
	char path[512];

	kill(p->program, SIGKILL);
	waitpid(p->program, NULL, 0);
	kill(p->sandbox, SIGKILL);
	waitpid(p->sandbox, NULL, 0);
	for (int i = 0; i < 2; i++) {
		container(p, names[i], path);
		/* The kernel lets go of the dead in its own time. */
		while (rmdir(path) && errno == EBUSY)
			sleep_ms(1);
	}
	if (rmdir(p->cgroup))
		die("remove %s", p->cgroup);
}

/* ---- batches ------------------------------------------------------------- */

static unsigned int batch(unsigned int first, unsigned int n,
			  unsigned long early, unsigned long gap)
{
	struct pod v[WIDTH_MAX];
	unsigned int armed = 0;

	for (unsigned int i = 0; i < n; i++)
		name_pod(&v[i], first + i);
	write_list(v, n);
	sleep_ms(early);
	for (unsigned int i = 0; i < n; i++) {
		make(v[i].cgroup);
		start(&v[i], &v[i].sandbox, sandbox);
	}
	sleep_ms(gap);
	for (unsigned int i = 0; i < n; i++)
		v[i].armed = start(&v[i], &v[i].program, program) == 'y';
	for (unsigned int i = 0; i < n; i++) {
		armed += v[i].armed;
		if (v[i].armed)
			finish(&v[i]);
		else if (n_late < LATE_MAX)
			late[n_late++] = v[i];
	}
	return armed;
}

static void report(unsigned int armed)
{
	printf("{\"armed\": %u, \"late\": [", armed);
	for (unsigned int i = 0; i < n_late; i++)
		printf("%s\"p%u\"", i ? ", " : "", late[i].n);
	printf("]}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"list", 1, NULL, 'l'},	  {"node", 1, NULL, 'n'},
		{"driver", 1, NULL, 'd'}, {"count", 1, NULL, 'c'},
		{"width", 1, NULL, 'w'},  {"early", 1, NULL, 'e'},
		{"gap", 1, NULL, 'g'},	  {}};
	unsigned long count = 1, width = 1, early = 0, gap = 0;
	unsigned int armed = 0;
	sigset_t term;
	int got;

	while ((got = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (got) {
		case 'l':
			list = optarg;
			break;
		case 'n':
			node = optarg;
			break;
		case 'd':
			systemd = !strcmp(optarg, "systemd");
			break;
		case 'c':
			count = number(optarg);
			break;
		case 'w':
			width = number(optarg);
			break;
		case 'e':
			early = number(optarg);
			break;
		case 'g':
			gap = number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (!list || !node || !width || width > WIDTH_MAX)
		return 2;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	make_levels();
	for (unsigned long i = 0; i < count; i += width)
		armed += batch(i, count - i < width ? count - i : width, early,
			       gap);
	write_list(NULL, 0);
	report(armed);
	sigwait(&term, &got);
	for (unsigned int i = 0; i < n_late; i++)
		finish(&late[i]);
	return 0;
}
