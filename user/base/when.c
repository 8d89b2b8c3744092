// SPDX-License-Identifier: Apache-2.0
#include "base/when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Read @digits digits at *@text, and move it behind them; -1: not that. */
static int number(const char **text, int digits)
{
	int n = 0;

	for (; digits; digits--, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		n = 10 * n + (**text - '0');
	}
	return n;
}

static bool skip(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static bool parse_date(const char **text, struct tm *tm)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};
	int year, month, day, last;
	bool leap;

	year = number(text, 4);
	if (year < 1 || !skip(text, '-'))
		return false;
	month = number(text, 2);
	if (month < 1 || month > 12 || !skip(text, '-'))
		return false;
	day = number(text, 2);
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	last = days[month - 1] + (month == 2 && leap);
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return day >= 1 && day <= last;
}

static bool parse_clock(const char **text, struct tm *tm)
{
	tm->tm_hour = number(text, 2);
	if (tm->tm_hour < 0 || tm->tm_hour > 23 || !skip(text, ':'))
		return false;
	tm->tm_min = number(text, 2);
	if (tm->tm_min < 0 || tm->tm_min > 59 || !skip(text, ':'))
		return false;
	tm->tm_sec = number(text, 2);
	if (tm->tm_sec < 0 || tm->tm_sec > 60) /* 60: a leap second */
		return false;
	if (!skip(text, '.'))
		return true;
	if (number(text, 1) < 0)
		return false;
	*text += strspn(*text, "0123456789");
	return true;
}

/* "Z" or "+08:00" to seconds east of Greenwich. */
static bool parse_zone(const char **text, int *east)
{
	int sign, hours, minutes;

	*east = 0;
	if (skip(text, 'Z') || skip(text, 'z'))
		return true;
	sign = **text == '+' ? 1 : -1;
	if (!skip(text, '+') && !skip(text, '-'))
		return false;
	hours = number(text, 2);
	if (hours < 0 || hours > 23 || !skip(text, ':'))
		return false;
	minutes = number(text, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*east = sign * (hours * 3600 + minutes * 60);
	return true;
}

int when_parse(const char *text, long long *out)
{
	struct tm tm = {};
	int east;

	if (!parse_date(&text, &tm) || (!skip(&text, 'T') && !skip(&text, 't')))
		return -EINVAL;
	if (!parse_clock(&text, &tm) || !parse_zone(&text, &east) || *text)
		return -EINVAL;
	*out = (long long)timegm(&tm) - east;
	return 0;
}

const char *when_format(long long seconds, char text[WHEN_STRLEN])
{
	time_t t = seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(text, WHEN_STRLEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
	else
		snprintf(text, WHEN_STRLEN, "%lld", seconds);
	return text;
}
