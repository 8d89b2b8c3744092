// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox OPTION... CGROUP: a pod's sandbox as a runtime makes it, and a
 * program in it; both end, and are made anew in the same cgroup, as when
 * kubelet makes a sandbox anew.
 *
 *   --rounds N   so many times (1); the last one stays
 *   --gap MS     from the end of one sandbox to the next
 *   --delay MS   from the sandbox being in its namespace to its program
 *   --life MS    that the program lives
 *   --hold       keep every namespace, so that none has another's number
 *   --file FROM:TO  what kubelet made for the container is mounted at TO, in a
 *                mount namespace of its own
 *   --file-of-its-own FROM:TO  the same of a file system that the container has
 *                made itself, with the path that kubelet's has
 *
 * CGROUP is made if need be, each sandbox in a directory below it ("%": in it
 * itself). For each round it prints one JSON object when the program listens:
 * the number and the cookie of the namespace, and whether the kernel made the
 * listener an SMC socket. Ends on SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "prog.h"

#define PORT 8080

static unsigned long gap_ms, delay_ms, life_ms;
static const char *file_from, *file_to;
static bool own_file, hold;

static void sleep_ms(unsigned long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t))
		;
}

/* ---- directories --------------------------------------------------------- */

/* Each part of @path that is not there. */
static void make_all(const char *path)
{
	char part[1024];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			die("make %s", part);
		*p = '/';
	}
	if (mkdir(part, 0755) && errno != EEXIST)
		die("make %s", part);
}

static void join(const char *cgroup)
{
	char path[1100];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die("join %s", cgroup);
	close(fd);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	if (fd < 0)
		die("make %s", path);
	close(fd);
}

/* A file system of the container's own, in which the path of the file that it
 * would like to have is what kubelet's is in the host's. */
static const char *make_own(const char *from)
{
	static char path[1100];

	if (mount("own", "/mnt", "tmpfs", 0, NULL))
		die("mount a tmpfs");
	snprintf(path, sizeof(path), "/mnt%s", from);
	*strrchr(path, '/') = '\0';
	make_all(path);
	snprintf(path, sizeof(path), "/mnt%s", from);
	touch(path);
	return path;
}

static void mount_file(void)
{
	const char *from = file_from;

	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("a mount namespace");
	if (own_file)
		from = make_own(from);
	if (mount(from, file_to, NULL, MS_BIND, NULL))
		die("mount %s at %s", from, file_to);
}

/* ---- processes ----------------------------------------------------------- */

struct told {
	unsigned long inode;
	uint64_t cookie;
	bool smc;
};

/* Start a child that runs @run, and wait for what it tells. */
static pid_t start(const char *cgroup, pid_t sandbox,
		   void (*run)(pid_t sandbox, struct told *), struct told *told)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		struct told mine = {0};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		join(cgroup);
		run(sandbox, &mine);
		if (write(ends[1], &mine, sizeof(mine)) != sizeof(mine))
			die("tell");
		for (;;)
			pause();
	}
	close(ends[1]);
	if (read(ends[0], told, sizeof(*told)) != sizeof(*told))
		die("a child ended early");
	close(ends[0]);
	return pid;
}

static void be_sandbox(pid_t none, struct told *told)
{
	(void)none;
	(void)told;
	if (unshare(CLONE_NEWNET))
		die("unshare");
}

static void be_program(pid_t sandbox, struct told *told)
{
	struct sockaddr_in any = {.sin_family = AF_INET,
				  .sin_port = htons(PORT)};
	socklen_t len = sizeof(told->cookie);
	struct stat st;
	char ns[64];
	int fd;

	snprintf(ns, sizeof(ns), "/proc/%d/ns/net", sandbox);
	fd = open(ns, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) || setns(fd, CLONE_NEWNET))
		die("enter %s", ns);
	close(fd);
	if (file_from)
		mount_file();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (void *)&any, sizeof(any)) || listen(fd, 16))
		die("listen");
	told->inode = st.st_ino;
	told->smc = sock_is_smc(fd);
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &told->cookie, &len))
		die("SO_NETNS_COOKIE");
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- rounds -------------------------------------------------------------- */

static void keep(pid_t sandbox)
{
	char ns[64];

	snprintf(ns, sizeof(ns), "/proc/%d/ns/net", sandbox);
	if (open(ns, O_RDONLY) < 0)
		die("open %s", ns);
}

static void round_of(const char *cgroup, unsigned long n, bool last)
{
	char dir[1024];
	struct told told;
	pid_t sandbox, program;

	snprintf(dir, sizeof(dir), "%s/cri-containerd-%lu.scope", cgroup, n);
	if (strchr(cgroup, '%'))
		snprintf(dir, sizeof(dir), "%.*s",
			 (int)(strchr(cgroup, '%') - cgroup), cgroup);
	make_all(dir);
	sandbox = start(dir, 0, be_sandbox, &told);
	sleep_ms(delay_ms);
	program = start(dir, sandbox, be_program, &told);
	if (hold)
		keep(sandbox);
	printf("{\"inode\": %lu, \"cookie\": %llu, \"smc\": %s}\n", told.inode,
	       (unsigned long long)told.cookie, told.smc ? "true" : "false");
	fflush(stdout);
	if (last)
		return;
	sleep_ms(life_ms);
	end(program);
	end(sandbox);
	while (rmdir(dir) && errno == EBUSY)
		sleep_ms(1);
	sleep_ms(gap_ms);
}

static void take_file(char *text, bool own)
{
	char *colon = strchr(text, ':');

	if (!colon)
		die("--file %s: FROM:TO is expected", text);
	*colon = '\0';
	file_from = text;
	file_to = colon + 1;
	own_file = own;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", 1, NULL, 'r'},
		{"gap", 1, NULL, 'g'},
		{"delay", 1, NULL, 'd'},
		{"life", 1, NULL, 'l'},
		{"hold", 0, NULL, 'h'},
		{"file", 1, NULL, 'f'},
		{"file-of-its-own", 1, NULL, 'o'},
		{}};
	unsigned long rounds = 1;
	sigset_t term;
	int got;

	while ((got = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (got) {
		case 'r':
			rounds = number(optarg);
			break;
		case 'g':
			gap_ms = number(optarg);
			break;
		case 'd':
			delay_ms = number(optarg);
			break;
		case 'l':
			life_ms = number(optarg);
			break;
		case 'h':
			hold = true;
			break;
		case 'f':
		case 'o':
			take_file(optarg, got == 'o');
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1)
		return 2;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	for (unsigned long n = 0; n < rounds; n++)
		round_of(argv[optind], n, n == rounds - 1);
	sigwait(&term, &got);
	return 0;
}
