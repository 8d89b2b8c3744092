/* SPDX-License-Identifier: Apache-2.0 */
/* Levels and formats of the log, and the words that people have for them. */
#pragma once

#include <stdbool.h>

enum log_level { LOG_ERR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT = 0, LOG_LOGFMT, LOG_JSON };

/* The choices, as options have them. */
#define LOG_LEVELS "error|warning|info|debug"
#define LOG_FORMATS "text|logfmt|json"

/* log_level_word - "warning". */
const char *log_level_word(enum log_level level);

/* log_level_parse, log_format_parse - Its opposite. Return: is @word one of
 * LOG_LEVELS, of LOG_FORMATS? If not, *@out is untouched. */
bool log_level_parse(const char *word, enum log_level *out);
bool log_format_parse(const char *word, enum log_format *out);
