// SPDX-License-Identifier: Apache-2.0
#include "cli/ending.h"

#include <signal.h>
#include "base/cleanup.h"

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
static struct sigaction was[array_size(ending)];
static volatile sig_atomic_t came;

static void note(int sig)
{
	came = sig;
}

void ending_catch(void)
{
	const struct sigaction catch = {.sa_handler = note};

	for (size_t i = 0; i < array_size(ending); i++)
		if (!sigaction(ending[i], NULL, &was[i]) &&
		    was[i].sa_handler != SIG_IGN)
			sigaction(ending[i], &catch, NULL);
}

bool ending_came(void)
{
	return came;
}

void ending_release(void)
{
	for (size_t i = 0; i < array_size(ending); i++)
		sigaction(ending[i], &was[i], NULL);
	if (came)
		raise(came);
}
