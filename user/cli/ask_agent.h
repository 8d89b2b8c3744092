/* SPDX-License-Identifier: Apache-2.0 */
/* The client of the control socket. */
#pragma once

#include <stdbool.h>
#include <yyjson.h>
#include "base/buf.h"
#include "base/cleanup.h"

/*
 * client_get - GET @path from the agent of @run into @out.
 * Return: 0, or a negative errno, after an error on stderr that says what to
 * do; @out is then empty.
 */
must_check int client_get(const char *run, const char *path, struct buf *out);

/* client_try - As client_get(), for who can do without: it says nothing, and
 * waits two seconds at most. Return: 0; -EACCES: it is for root only; or
 * another negative errno. */
must_check int client_try(const char *run, const char *path, struct buf *out);

/* client_try_why - The same; on failure @why, freed before, has the sentence
 * about it. */
must_check int client_try_why(const char *run, const char *path,
			      struct buf *out, struct buf *why);

/* client_post - The same for a POST without a body, which changes something. */
must_check int client_post(const char *run, const char *path, struct buf *out);

/*
 * client_within - The same in at most @timeout_ms (at least 1), and silent: on
 * failure @why, freed before, has the sentence about it.
 */
must_check int client_within(const char *run, const char *path, long timeout_ms,
			     struct buf *out, struct buf *why);

/* client_ask - The same for a GET. */
must_check int client_ask(const char *run, const char *path, long timeout_ms,
			  struct buf *out, struct buf *why);

/* client_add_query - Append ?name=value, or &name=value, with @value escaped;
 * nothing if it is NULL. */
void client_add_query(struct buf *path, const char *name, const char *value);

/*
 * client_follow - GET @path and call @fn for each line as it comes, without its
 * newline. Where the agent ends the stream, or is lost, this says so on stderr,
 * waits for an agent, says that one is back, and goes on.
 * Return: a negative errno as above: none answered at first, or it refuses
 * @path; or standard output takes no more, which @fn returns as an errno, or
 * nobody reads it (SIGPIPE comes first, as from a write).
 */
typedef int (*client_line_fn)(const char *line, size_t len, void *arg);
must_check int client_follow(const char *run, const char *path,
			     client_line_fn fn, void *arg);

/*
 * client_show - For simple commands: GET @path; with @json print it by
 * data_print(), else pass the parsed document to @print.
 * Return: an exit status.
 */
int client_show(const char *run, const char *path, bool json,
		void (*print)(yyjson_val *root));

/* client_do - The same for a POST. */
int client_do(const char *run, const char *path, bool json,
	      void (*print)(yyjson_val *root));

/* client_print - With @json print @text by data_print(), else pass the parsed
 * document to @print. Return: an exit status. */
int client_print(const struct buf *text, bool json,
		 void (*print)(yyjson_val *root));

/* json_text - A string member, "" if there is none. */
const char *json_text(yyjson_val *obj, const char *key);

/* json_count - A number that is no less than 0; 0 if there is none. */
unsigned long long json_count(yyjson_val *obj, const char *key);

/* json_copy - json_text() into @to, cut where it has no room. */
void json_copy(yyjson_val *obj, const char *key, char *to, size_t room);

/* json_join - The strings of an array member, with commas. Return: @out's text,
 * "" for none. */
const char *json_join(yyjson_val *obj, const char *key, struct buf *out);

/* json_print - Print a document that a command has made itself, with a line's
 * end (or as YAML: data_print()), and free it. @flags: besides. Return: 0, or a
 * negative errno. */
int json_print(yyjson_mut_doc *doc, yyjson_write_flag flags);
