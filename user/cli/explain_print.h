/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <yyjson.h>

/* explain_print - What /v1/explain answers, for a person: the steps, the peer
 * where one was asked about, what it comes to; the last line says what to do.
 */
void explain_print(yyjson_val *root);

/* explain_print_do - That last line. */
void explain_print_do(const char *remedy);
