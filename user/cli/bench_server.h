/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * bench_server - Answer HTTP requests with the body that they bring, until a
 * signal ends it. Prints "listening ADDRESS:PORT" once it does.
 * @listen: ADDRESS:PORT; port 0: one that the kernel chooses.
 * Return: an exit status.
 */
int bench_server(const char *listen);
