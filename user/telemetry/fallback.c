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
	const char *label, *sentence;
};

static const struct text declines[] = {
#define ROW(id, code, label, sentence) {code, label, sentence},
	FALLBACKS(ROW)
#undef ROW
};

/* The errnos with which smc_connect() fails after both ends agreed on SMC. */
static const struct text broken[] = {
	{ETIMEDOUT, "etimedout",
	 "the peer agreed to SMC and then said nothing"},
	{EPROTO, "eproto", "the peer agreed to SMC and then did not speak it"},
	{ECONNRESET, "econnreset",
	 "the connection was closed during the SMC handshake"},
	{EAGAIN, "eagain", "the SMC handshake was interrupted by a signal"},
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

const char *fallback_sentence(__u32 code)
{
	const struct text *t;

	if (!code)
		return "the kernel gave no reason";
	if (fallback_is_errno(code)) {
		t = text_find(broken, array_size(broken), -(__s32)code);
		return t ? t->sentence : strerror(-(__s32)code);
	}
	t = text_find(declines, array_size(declines), code);
	return t ? t->sentence : "a reason that this version does not know";
}
