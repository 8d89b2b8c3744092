/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule of nftables asks of a packet, in libnftables' JSON; of
 * rules_nft.c alone. */
#pragma once

#include <yyjson.h>
#include "node/rules.h"

/*
 * expr_match - Take one match statement into @rule: what it asks of the owner,
 * which families it is for.
 * Return: 0 or -ENOMEM; *@holds: of all but the owner.
 */
must_check int expr_match(yyjson_val *match, struct redirect_rule *rule,
			  enum holds *holds);

/* expr_asks_owner - Is skuid or skgid anywhere in that expression? */
bool expr_asks_owner(yyjson_val *expr);
