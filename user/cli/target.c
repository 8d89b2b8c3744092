// SPDX-License-Identifier: Apache-2.0
#include "cli/target.h"

#include <curl/curl.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>

static void url_cleanup(CURLU **url)
{
	curl_url_cleanup(*url);
}

static int refuse(struct buf *error, const char *text, const char *why)
{
	buf_printf(error,
		   "expected HOST:PORT, [ADDRESS]:PORT or a URL, not %s%s%s%s",
		   *text ? text : "nothing", *why ? " (" : "", why,
		   *why ? ")" : "");
	return -EINVAL;
}

/* A part of the URL to @out, or "" if it has none. Return: is there room? */
static bool take_part(CURLU *url, CURLUPart part, unsigned int flags, char *out,
		      size_t room)
{
	char *text = NULL;
	size_t len;

	*out = '\0';
	if (curl_url_get(url, part, &text, flags))
		return true;
	len = strlen(text);
	if (len < room)
		strcpy(out, text);
	curl_free(text);
	return len < room;
}

/* HOST:PORT alone: no path, no query, nobody's name. */
static bool is_bare(CURLU *url)
{
	static const CURLUPart none[] = {CURLUPART_USER, CURLUPART_QUERY,
					 CURLUPART_FRAGMENT};
	char part[4];

	for (size_t i = 0; i < array_size(none); i++)
		if (!take_part(url, none[i], 0, part, sizeof(part)) || *part)
			return false;
	return take_part(url, CURLUPART_PATH, 0, part, sizeof(part)) &&
	       (!*part || !strcmp(part, "/"));
}

static void drop_brackets(char *host)
{
	size_t len = strlen(host);

	if (*host != '[')
		return;
	memmove(host, host + 1, len - 2);
	host[len - 2] = '\0';
}

/* curl has default ports for many schemes, which nobody means here:
 * those of http and https alone are used. */
static unsigned int port_flags(CURLU *url)
{
	char scheme[8];

	return take_part(url, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) &&
			       (!strcmp(scheme, "http") ||
				!strcmp(scheme, "https"))
		       ? CURLU_DEFAULT_PORT
		       : 0;
}

int target_parse(const char *text, struct target *out, struct buf *error)
{
	_cleanup_(url_cleanup) CURLU *url = curl_url();
	bool bare = !strstr(text, "://");
	_buf_ struct buf whole = {};
	struct target t;
	CURLUcode code;

	buf_printf(&whole, "%s%s", bare ? "tcp://" : "", text);
	if (!url || whole.err)
		return refuse(error, text, "out of memory");
	code = curl_url_set(url, CURLUPART_URL, whole.data,
			    CURLU_NON_SUPPORT_SCHEME);
	if (code == CURLUE_BAD_PORT_NUMBER)
		return refuse(error, text,
			      "a port is a number from 1 to 65535");
	if (code)
		return refuse(error, text, curl_url_strerror(code));
	if (bare && (strchr(text, '/') || !is_bare(url)))
		return refuse(error, text, "");
	if (!take_part(url, CURLUPART_HOST, 0, t.host, sizeof(t.host)) ||
	    !*t.host)
		return refuse(error, text, "the host is missing or too long");
	if (!take_part(url, CURLUPART_PORT, port_flags(url), t.port,
		       sizeof(t.port)) ||
	    !*t.port)
		return refuse(error, text, "the port is missing");
	if (!strtoul(t.port, NULL, 10))
		return refuse(error, text,
			      "a port is a number from 1 to 65535");
	drop_brackets(t.host);
	*out = t;
	return 0;
}

int target_resolve(const struct target *t, int flags,
		   struct sockaddr_storage *v, size_t room, size_t *n,
		   struct buf *error)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = flags | AI_NUMERICSERV};
	struct addrinfo *all = NULL;
	int err = getaddrinfo(t->host, t->port, &hints, &all);

	if (err) {
		buf_printf(error, "%s does not resolve here: %s", t->host,
			   err == EAI_SYSTEM ? strerror(errno)
					     : gai_strerror(err));
		return -ENOENT;
	}
	*n = 0;
	for (const struct addrinfo *a = all; a; a = a->ai_next) {
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		if (*n < room)
			memcpy(&v[*n], a->ai_addr, a->ai_addrlen);
		++*n;
	}
	freeaddrinfo(all);
	return 0;
}
