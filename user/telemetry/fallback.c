// SPDX-License-Identifier: Apache-2.0
#include "telemetry/fallback.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"

struct text {
	__u32 code;
	const char *label, *sentence, *remedy;
};

static const struct text declines[] = {
#define ROW(id, code, label, sentence, remedy) {code, label, sentence, remedy},
	FALLBACKS(ROW)
#undef ROW
};

/* The errnos with which smc_connect() fails after both ends agreed on SMC. */
static const struct text broken[] = {
	{ETIMEDOUT, "etimedout", "the peer agreed to SMC and then said nothing",
	 "see whether the peer's program accepts in time, and whether it still runs; smcmesh quarantine says until when it is offered no SMC"},
	{EPROTO, "eproto", "the peer agreed to SMC and then did not speak it",
	 "exclude the peer's address or port: it, or something on the way, returns TCP options that it does not understand"},
	{ECONNRESET, "econnreset",
	 "the connection was closed during the SMC handshake",
	 "nothing to do if the server was being stopped; else see whether its backlog is too small or it closes what it accepts"},
	{EAGAIN, "eagain", "the SMC handshake was interrupted by a signal",
	 "nothing can be done but to leave programs without the annotation whose signal handlers run during connect(): a bug of the kernel's SMC"},
};

static const struct text *text_find(const struct text *v, size_t n, __u32 code)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].code == code)
			return &v[i];
	return NULL;
}

bool fallback_is_errno(__u32 code)
{
	__s32 value = code;

	return value < 0 && value >= -4095; /* MAX_ERRNO */
}

static void errno_label(int err, char text[FALLBACK_LABEL_MAX])
{
	const char *name = strerrorname_np(err);

	snprintf(text, FALLBACK_LABEL_MAX, "%s", name ? name : "other");
	for (char *p = text; *p; p++)
		*p = tolower((unsigned char)*p);
}

const char *fallback_label(__u32 code, char text[FALLBACK_LABEL_MAX])
{
	const struct text *t = text_find(declines, array_size(declines), code);

	if (fallback_is_errno(code))
		errno_label(-(__s32)code, text);
	else
		snprintf(text, FALLBACK_LABEL_MAX, "%s",
			 t	? t->label
			 : code ? "other"
				: "none");
	return text;
}

static const struct text *text_of(__u32 code)
{
	if (fallback_is_errno(code))
		return text_find(broken, array_size(broken), -(__s32)code);
	return text_find(declines, array_size(declines), code);
}

const char *fallback_sentence(__u32 code)
{
	const struct text *t = text_of(code);

	if (!code)
		return "the kernel gave no reason";
	if (t)
		return t->sentence;
	return fallback_is_errno(code)
		       ? strerror(-(__s32)code)
		       : "a reason that this version does not know";
}

const char *fallback_remedy(__u32 code)
{
	const struct text *t = text_of(code);

	return t ? t->remedy : "";
}

bool fallback_known(__u32 code)
{
	return text_of(code);
}

bool fallback_find(const char *label, __u32 *out)
{
	for (size_t i = 0; i < array_size(declines); i++)
		if (!strcmp(declines[i].label, label)) {
			*out = declines[i].code;
			return true;
		}
	for (size_t i = 0; i < array_size(broken); i++)
		if (!strcmp(broken[i].label, label)) {
			*out = -broken[i].code;
			return true;
		}
	return false;
}
