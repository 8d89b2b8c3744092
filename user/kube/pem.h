/* SPDX-License-Identifier: Apache-2.0 */
/* Is a text PEM (RFC 7468), and which kind? Only user/kube includes this. */
#pragma once

#include <stddef.h>

enum pem_kind { PEM_CERTIFICATE, PEM_KEY };

/*
 * pem_wrong - What is wrong with @text as a certificate or a private key: it
 * has no block of that kind with content, or its key is encrypted. Other text
 * before or after it does not matter.
 * Return: the end of a sentence about the text, static; NULL: nothing is wrong.
 */
const char *pem_wrong(enum pem_kind kind, const char *text, size_t len);
