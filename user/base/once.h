/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is logged once, until it changes: its owner keeps what was said last and
 * asks here whether there is something else to say now.
 */
#pragma once

#include "base/text.h"

/* once_text - *@said is @text now, copied; NULL: all is well. Return: was it
 * something else? Without memory it stays so, and is said again next time. */
static inline bool once_text(char **said, const char *text)
{
	if (text_same(*said, text))
		return false;
	(void)!text_set(said, text);
	return true;
}

/* once_err - The same of a negative errno, or of any other number. */
static inline bool once_err(int *said, int err)
{
	bool news = *said != err;

	*said = err;
	return news;
}

/* once_bool - The same of what is so or not. */
static inline bool once_bool(bool *said, bool now)
{
	bool news = *said != now;

	*said = now;
	return news;
}
