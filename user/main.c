// SPDX-License-Identifier: Apache-2.0
#include "base/revision.h"
#include "built.h" /* which the Makefile writes */
#include "cli/command.h"

static const struct revision built = {SMCMESH_COMMIT, SMCMESH_DATE,
				      SMCMESH_ARCH};

int main(int argc, char **argv)
{
	revision_set(&built);
	return command_main(argc, argv);
}
