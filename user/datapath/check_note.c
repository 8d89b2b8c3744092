// SPDX-License-Identifier: Apache-2.0
/* Logs the result of a check when it differs from the last one. */
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "base/once.h"
#include "datapath/state.h"

/* Keeps the last result of @what. Return: does @err differ from it? */
static bool is_news(struct datapath *dp, const char *what, int err)
{
	struct check_said *said;

	for (size_t i = 0; i < dp->n_said; i++) {
		said = &dp->said[i];
		if (!strcmp(said->what, what))
			return once_err(&said->err, err);
	}
	said = err ? array_push(dp->said, dp->n_said) : NULL;
	if (said)
		*said = (struct check_said){what, err};
	return err;
}

void check_note(struct datapath *dp, struct check *c, const char *what, int did)
{
	int err = did < 0 ? did : 0;

	c->repairs += did > 0 ? did : 0;
	if (!c->err)
		c->err = err;
	if (!is_news(dp, what, err) || !err)
		return;
	if (err == -EEXIST)
		log_warn(err, "the pin of %s below %s is not of this agent",
			 what, dp->dir);
	else
		log_warn(err, "check %s", what);
}
