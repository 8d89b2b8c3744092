/* SPDX-License-Identifier: Apache-2.0 */
/* The matches of an nftables rule, in libnftables' JSON; for rules_nft.c
 * alone. */
#pragma once

#include <yyjson.h>
#include "node/rules.h"

/*
 * expr_match - Add one match statement to @rule: its owner tests, and its
 * families.
 * Return: 0 or -ENOMEM; *@holds: of all but the owner.
 */
must_check int expr_match(yyjson_val *match, struct redirect_rule *rule,
			  enum holds *holds);

/* expr_asks_owner - Is skuid or skgid anywhere in that expression? */
bool expr_asks_owner(yyjson_val *expr);
