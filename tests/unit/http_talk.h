/* SPDX-License-Identifier: Apache-2.0 */
/* A client of an HTTP server on a loop of the same thread: it writes and reads
 * without blocking while the loop turns. */
#pragma once

#include "unit.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* http_talk - Connect to the socket at @path and send @request. */
static inline int http_talk(const char *path, const char *request)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(un.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(write(fd, request, strlen(request)),
			 (ssize_t)strlen(request));
	return fd;
}

/* The body without the marks between its chunks. */
static inline size_t http_unchunk(char *text, size_t len, bool *whole)
{
	char *from = strstr(text, "\r\n\r\n"), *to = text, *mark;
	size_t n = 1;

	*whole = false;
	for (from = from ? from + 4 : text + len; from < text + len && n;) {
		n = strtoul(from, &mark, 16);
		from = mark + 2;
		if (from + n > text + len)
			n = text + len - from;
		*whole = !n;
		memmove(to, from, n);
		to += n;
		from += n + 2;
	}
	*to = '\0';
	return to - text;
}

/*
 * http_read - An answer in chunks, up to its end.
 * @turned: called after each turn of the loop; NULL: nothing.
 * @whole: the last chunk came. Return: the body, of @len bytes.
 */
static inline char *http_read(uv_loop_t *loop, int fd, void (*turned)(void),
			      size_t *len, bool *whole)
{
	const size_t room = 64 << 20;
	char *text = calloc(1, room);
	ssize_t got = -1;
	size_t n = 0;

	assert_non_null(text);
	for (int turn = 0; turn < 1000000 && got; turn++) {
		uv_run(loop, UV_RUN_NOWAIT);
		if (turned)
			turned();
		while ((got = read(fd, text + n, room - 1 - n)) > 0)
			n += got;
		if (n > 5 && !memcmp(text + n - 5, "0\r\n\r\n", 5))
			break;
	}
	*len = http_unchunk(text, n, whole);
	return text;
}
