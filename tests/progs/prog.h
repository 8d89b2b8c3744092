/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the test programs share. They run inside the lab's virtual machine,
 * are linked statically (the lab's root need not match the build machine) and
 * print one JSON object as their result.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#ifndef IPPROTO_SMC
#define IPPROTO_SMC 256
#endif

/* die - "PROGRAM: message: errno's text" on stderr, exit 1. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

uint64_t now_ns(clockid_t clock);

/* A run of consecutive addresses on one port: ADDR[+COUNT][:PORT], an IPv6
 * address in brackets. */
struct span {
	struct sockaddr_storage first;
	unsigned int n;
};

void span_parse(const char *text, struct span *out);
/* span_at - The @i-th address (modulo its size); *@len is the sockaddr's. */
struct sockaddr_storage span_at(const struct span *s, unsigned int i,
				socklen_t *len);
/* span_ip - The @i-th address as the ABI writes it: 16 bytes, IPv4 mapped. */
void span_ip(const struct span *s, unsigned int i, uint8_t ip[16]);

unsigned long number(const char *text);

/* sock_timeout - Make blocking calls on @fd give up after @seconds. */
void sock_timeout(int fd, unsigned int seconds);

/*
 * sock_is_smc - What the kernel made of a connected or accepted socket: after
 * a fall-back the file's socket is the inner one, protocol TCP; a socket that
 * really is SMC answers IPPROTO_SMC.
 */
bool sock_is_smc(int fd);

/* Both return 0 or a negative errno; a peer that closed is -EPIPE. */
int send_all(int fd, const void *buf, size_t len);
int recv_all(int fd, void *buf, size_t len);

/* echo_once - Send a message that differs with @seed, want the same back.
 * Return: 0 or a negative errno, -EBADMSG when other bytes came. */
int echo_once(int fd, unsigned int seed);

/* Raw bpf(2): the programs need no library. 0 or fd, negative errno. */
int map_open(const char *pin);
int map_get(int fd, const void *key, void *value);
int map_put(int fd, const void *key, const void *value);
int map_del(int fd, const void *key);
/* @key NULL: the first one. -ENOENT: no more. */
int map_next(int fd, const void *key, void *next);
