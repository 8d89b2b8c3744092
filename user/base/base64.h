/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648, section 4), as Kubernetes writes bytes into text. */
#pragma once

#include "base/buf.h"

/*
 * base64_decode - Append the bytes that @text encodes. Ignores white space;
 * padding at the end is needed.
 * Return: 0, -EINVAL (@out untouched) or -ENOMEM.
 */
int base64_decode(const char *text, struct buf *out);
