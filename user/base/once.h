/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs things once, until they change: the owner keeps what it logged last and
 * asks here whether there is something new.
 */
#pragma once

#include "base/text.h"

/* once_text - Note that *@said is @text now, copied; NULL: all is well. Return:
 * has it changed? Without memory it stays, and is logged again next time. */
static inline bool once_text(char **said, const char *text)
{
	if (text_same(*said, text))
		return false;
	(void)!text_set(said, text);
	return true;
}

/* once_err - The same for a negative errno, or any other number. */
static inline bool once_err(int *said, int err)
{
	bool news = *said != err;

	*said = err;
	return news;
}

/* once_bool - The same for a bool. */
static inline bool once_bool(bool *said, bool now)
{
	bool news = *said != now;

	*said = now;
	return news;
}
