// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's socket diagnosis says in which cgroup a listener was made: what
 * the ports of hostNetwork pods rest on. As root, in a cgroup and a network
 * namespace of its own.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "datapath/features.h"
#include "node/cgroup.h"
#include "node/listens.h"

static char dir[PATH_MAX], inner[PATH_MAX];

static int listen_at(int family, const char *ip)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = family == AF_INET ? sizeof(sin) : sizeof(sin6);
	struct sockaddr *at = family == AF_INET ? (struct sockaddr *)&sin
						: (struct sockaddr *)&sin6;
	int fd = socket(family, SOCK_STREAM, 0);

	inet_pton(family, ip,
		  family == AF_INET ? (void *)&sin.sin_addr
				    : (void *)&sin6.sin6_addr);
	if (bind(fd, at, len) || listen(fd, 1) || getsockname(fd, at, &len))
		return -1;
	return ntohs(family == AF_INET ? sin.sin_port : sin6.sin6_port);
}

static int join(const char *cgroup)
{
	char path[PATH_MAX + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fputs("0", f);
	return fclose(f) ? -errno : 0;
}

/* A process of the cgroup below ours, with listeners at *@v4 and *@v6. */
static pid_t start_listener(int *v4, int *v6)
{
	int to[2], ports[2];
	pid_t pid;

	assert_int_equal(pipe(to), 0);
	pid = fork();
	if (!pid) {
		if (join(inner))
			_exit(1);
		ports[0] = listen_at(AF_INET, "0.0.0.0");
		ports[1] = listen_at(AF_INET6, "::");
		if (write(to[1], ports, sizeof(ports)) != sizeof(ports))
			_exit(1);
		pause();
		_exit(0);
	}
	close(to[1]);
	assert_int_equal(read(to[0], ports, sizeof(ports)), sizeof(ports));
	close(to[0]);
	*v4 = ports[0];
	*v6 = ports[1];
	return pid;
}

static const struct netns_listener *find(const struct netns_listener *v, int n,
					 int port)
{
	for (int i = 0; i < n; i++)
		if (v[i].port == port)
			return &v[i];
	return NULL;
}

static void kernel_tells_the_cgroup_of_each_listener(void **state)
{
	_free_ struct netns_listener *v = NULL;
	const struct netns_ref here = {.path = "/proc/self/ns/net"};
	struct mesh_ports ports = {0};
	int v4, v6, mine, n;
	__u64 id;
	pid_t pid = start_listener(&v4, &v6);

	mine = listen_at(AF_INET, "0.0.0.0");
	assert_int_equal(cgroup_id(inner, &id), 0);
	n = diag_tcp_listeners(&v);
	assert_true(n >= 3);
	assert_non_null(find(v, n, v4));
	assert_true(find(v, n, v4)->cgroup == id);
	assert_non_null(find(v, n, v6));
	assert_true(find(v, n, v6)->cgroup == id);
	assert_non_null(find(v, n, mine));
	assert_true(find(v, n, mine)->cgroup != id);
	/* they are not SMC: no port is theirs to be offered at */
	assert_int_equal(listens_find(&here, dir, &ports), 0);
	assert_int_equal(ports.n, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int setup(void **state)
{
	char root[CGROUP_PATH_MAX];

	if (unshare(CLONE_NEWNET) ||
	    features_find_cgroup2("/proc", root, sizeof(root)))
		return -1;
	snprintf(dir, sizeof(dir), "%.4000s/test_listens.%d", root, getpid());
	snprintf(inner, sizeof(inner), "%.4000s/app", dir);
	return mkdir(dir, 0755) || mkdir(inner, 0755) ? -1 : 0;
}

static int teardown(void **state)
{
	return rmdir(inner) || rmdir(dir) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_tells_the_cgroup_of_each_listener),
	};

	return cmocka_run_group_tests_name("listens", tests, setup, teardown);
}
