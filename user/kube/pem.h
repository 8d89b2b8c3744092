/* SPDX-License-Identifier: Apache-2.0 */
/* Is a text PEM (RFC 7468), and of what? Only user/kube includes this. */
#pragma once

#include <stddef.h>

enum pem_kind { PEM_CERTIFICATE, PEM_KEY };

/*
 * pem_wrong - What is wrong with @text, where a certificate or a private key is
 * wanted: there is no block of that kind with something in it, or its key is
 * encrypted. What else is in the text, before it or behind it, does not matter.
 * Return: the end of a sentence about the text, static; NULL: nothing is wrong.
 */
const char *pem_wrong(enum pem_kind kind, const char *text, size_t len);
