// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_server.h"

#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/command.h"

#define BODY_MAX (1U << 20)
#define BACKLOG 4096
#define CONNECTIONS_MAX 4096U

/* ---- one request --------------------------------------------------------- */

static enum MHD_Result reply(struct MHD_Connection *c, unsigned int status,
			     struct buf *body)
{
	const size_t len = body->len;
	char *data = buf_take(body);
	struct MHD_Response *r = MHD_create_response_from_buffer(
		len, data, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ret;

	if (!r) {
		free(data);
		return MHD_NO;
	}
	ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

/* *@state: the body so far; NULL at the request's first call. */
static enum MHD_Result answer(void *arg, struct MHD_Connection *c,
			      const char *url, const char *method,
			      const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	struct buf *body = *state;

	(void)arg;
	if (!body) {
		*state = calloc(1, sizeof(*body));
		return *state ? MHD_YES : MHD_NO;
	}
	if (!*upload_size)
		return reply(c, MHD_HTTP_OK, body);
	if (body->len + *upload_size > BODY_MAX ||
	    buf_add(body, upload, *upload_size))
		return MHD_NO; /* closes the connection */
	*upload_size = 0;
	return MHD_YES;
}

static void completed(void *arg, struct MHD_Connection *c, void **state,
		      enum MHD_RequestTerminationCode how)
{
	(void)arg;
	if (*state)
		buf_free(*state);
	free(*state);
	*state = NULL;
}

/* ---- the whole ----------------------------------------------------------- */

static int fail(const char *what, const char *name)
{
	fprintf(stderr, "smcmesh bench: cannot %s %s: %m\n", what, name);
	return -1;
}

/* A listener as any program makes it: in an armed pod, and in `smcmesh run`, it
 * is converted. */
static int open_listener(const struct addrinfo *at, const char *name)
{
	_close_ int fd = socket(at->ai_family,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0)
		return fail("make a socket for", name);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, BACKLOG))
		return fail("listen on", name);
	return take_fd(fd);
}

static int listen_on(const char *name)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_PASSIVE | AI_NUMERICHOST |
						   AI_NUMERICSERV};
	const char *colon = strrchr(name, ':');
	struct addrinfo *at = NULL;
	char host[ADDR_STRLEN] = "";
	size_t len = colon ? colon - name : 0;
	int fd;

	if (len > 2 && *name == '[' && colon[-1] == ']') {
		name++;
		len -= 2;
	}
	if (colon && len < sizeof(host))
		memcpy(host, name, len);
	if (!*host || getaddrinfo(host, colon + 1, &hints, &at)) {
		fprintf(stderr,
			"smcmesh bench: --listen is ADDRESS:PORT or [ADDRESS]:PORT, not %s\n",
			name);
		return -EXIT_USAGE;
	}
	fd = open_listener(at, name);
	freeaddrinfo(at);
	return fd;
}

static void say_where(int fd)
{
	struct sockaddr_storage own = {};
	socklen_t len = sizeof(own);
	char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "",
	     text[NI_MAXHOST + 40];

	if (!getsockname(fd, (struct sockaddr *)&own, &len))
		(void)!getnameinfo((struct sockaddr *)&own, len, host,
				   sizeof(host), port, sizeof(port),
				   NI_NUMERICHOST | NI_NUMERICSERV);
	printf("listening %s\n",
	       host_port_format(host, port, text, sizeof(text)));
	fflush(stdout);
}

static unsigned int threads(void)
{
	const long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 1 ? n : 1;
}

/* One thread needs no pool, and gets none. A channel of their own tells threads
 * to end: shutdown() of a listener that is an SMC socket wakes nobody. */
static struct MHD_Daemon *start(int fd)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL,
		answer, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
		threads() > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
		threads(), MHD_OPTION_END);
}

int bench_server(const char *listen)
{
	struct MHD_Daemon *daemon;
	sigset_t ending;
	int fd = listen_on(listen), sig;

	if (fd < 0)
		return fd == -EXIT_USAGE ? EXIT_USAGE : EXIT_FAILED;
	/* before the threads, which inherit it */
	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	signal(SIGPIPE, SIG_IGN);
	daemon = start(fd);
	if (!daemon) {
		fprintf(stderr, "smcmesh bench: cannot start the server\n");
		close(fd);
		return EXIT_FAILED;
	}
	say_where(fd);
	sigwait(&ending, &sig);
	MHD_stop_daemon(daemon);
	return EXIT_OK;
}
