// SPDX-License-Identifier: Apache-2.0
#include "base/log_words.h"

#include <string.h>
#include "base/cleanup.h"

static const char *const levels[] = {
	[LOG_ERR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static const char *const formats[] = {
	[LOG_TEXT] = "text",
	[LOG_LOGFMT] = "logfmt",
	[LOG_JSON] = "json",
};

/* Its place in @words; -1: it has none. */
static int place_of(const char *word, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(words[i], word))
			return i;
	return -1;
}

const char *log_level_word(enum log_level level)
{
	return levels[level];
}

bool log_level_parse(const char *word, enum log_level *out)
{
	int at = place_of(word, levels, array_size(levels));

	if (at >= 0)
		*out = at;
	return at >= 0;
}

bool log_format_parse(const char *word, enum log_format *out)
{
	int at = place_of(word, formats, array_size(formats));

	if (at >= 0)
		*out = at;
	return at >= 0;
}
