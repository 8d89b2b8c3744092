// SPDX-License-Identifier: Apache-2.0
#include "cli/hide.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <nettle/hmac.h>
#include <string.h>
#include <sys/random.h>
#include "base/addr.h"
#include "base/array.h"
#include "base/file.h"

#define NAME_MAX_LEN 253 /* DNS-1123 */
#define SHOWN_BYTES 5	 /* of the hash, as twice as many digits */
#define TEXT_ADDR_MAX 46

void hide_free(struct hide *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->v[i]);
	free(h->v);
	buf_free(&h->key);
	*h = (struct hide){};
}

/* ---- the key ----------------------------------------------------------- */

int hide_key(struct hide *h, const char *path, struct buf *error)
{
	char random[32];
	int err;

	if (!path) {
		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		return buf_add(&h->key, random, sizeof(random));
	}
	err = small_file_read(path, &h->key, error);
	if (err)
		return err;
	if (h->key.len >= HIDE_KEY_MIN && h->key.len <= HIDE_KEY_MAX)
		return 0;
	buf_printf(error, "%s: a key has %d to %d bytes, and this has %zu",
		   path, HIDE_KEY_MIN, HIDE_KEY_MAX, h->key.len);
	return -EINVAL;
}

static void add_hash(const struct hide *h, const char *what, const char *text,
		     size_t len, struct buf *out)
{
	unsigned char digest[SHOWN_BYTES];
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, h->key.len, (unsigned char *)h->key.data);
	hmac_sha256_update(&ctx, len, (const unsigned char *)text);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	buf_printf(out, "%s-", what);
	for (size_t i = 0; i < sizeof(digest); i++)
		buf_printf(out, "%02x", digest[i]);
}

/* ---- names ------------------------------------------------------------- */

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '.';
}

static bool is_name(const char *text, size_t len)
{
	if (!len || len > NAME_MAX_LEN || !isalnum((unsigned char)*text) ||
	    !isalnum((unsigned char)text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(text[i]))
			return false;
	return true;
}

/* Hosts' names may have capitals. */
static void lower(const char *text, size_t len, char out[NAME_MAX_LEN + 1])
{
	for (size_t i = 0; i < len; i++)
		out[i] = tolower((unsigned char)text[i]);
	out[len] = '\0';
}

static void add_part(struct hide *h, const char *text, size_t len)
{
	char name[NAME_MAX_LEN + 1], **slot;

	if (!is_name(text, len))
		return;
	lower(text, len, name);
	slot = array_push(h->v, h->n);
	if (slot)
		*slot = strdup(name);
	if (slot && *slot)
		return;
	h->n -= !!slot;
	h->err = -ENOMEM;
}

void hide_name(struct hide *h, const char *name)
{
	for (size_t len; *name; name += len + (name[len] == '/')) {
		len = strcspn(name, "/");
		add_part(h, name, len);
	}
}

/* Does a member of this name hold names? "peer_pod", "strangers". */
static bool key_names(const char *key)
{
	static const char *const words[] = {"namespace", "pod", "node",
					    "service", "stranger"};

	for (size_t i = 0; i < array_size(words); i++)
		if (strstr(key, words[i]))
			return true;
	return false;
}

static void hide_span(struct hide *h, const char *text, size_t len)
{
	char name[2 * NAME_MAX_LEN + 2];

	if (len >= sizeof(name))
		return;
	memcpy(name, text, len);
	name[len] = '\0';
	hide_name(h, name);
}

/* A note of the source: "KIND NAME: ..." or "KIND NAMESPACE/NAME: ...", of an
 * object that is left out and so has no member of its own. */
static void hide_noted(struct hide *h, const char *note)
{
	const char *name = strchr(note, ' ');
	size_t len = name ? strcspn(++name, " :") : 0;

	if (len && name[len] == ':')
		hide_span(h, name, len);
}

/* How long the name is that begins @text, or two with a slash between. */
static size_t span_length(const char *text)
{
	size_t n = 0;

	while (is_name_char(text[n]) || text[n] == '/')
		n++;
	while (n && !isalnum((unsigned char)text[n - 1]))
		n--;
	return n;
}

/* A warning of the plan's; it may be of a node that is in no other text. */
static void hide_warned(struct hide *h, const char *text)
{
	static const char *const before[] = {"pod ", "Service ", " on node ",
					     " of node "};

	for (size_t i = 0; i < array_size(before); i++) {
		const char *at = text;

		while ((at = strstr(at, before[i]))) {
			size_t len;

			at += strlen(before[i]);
			len = span_length(at);
			/* "the pod is": no name, nor is it a node's */
			if (before[i][0] == ' ' || memchr(at, '/', len))
				hide_span(h, at, len);
		}
	}
}

/* "/run/netns/NAME": whoever made it may have named it as the pod. */
static void hide_netns(struct hide *h, const char *path)
{
	const char *name = strstr(path, "/netns/");

	if (name)
		hide_name(h, name + strlen("/netns/"));
}

static void hide_member(struct hide *h, const char *key, const char *text)
{
	if (key_names(key))
		hide_name(h, text);
	else if (!strcmp(key, "notes"))
		hide_noted(h, text);
	else if (!strcmp(key, "warnings"))
		hide_warned(h, text);
	else if (!strcmp(key, "path"))
		hide_netns(h, text);
}

static void collect(struct hide *h, const char *key, yyjson_val *v);

static void collect_members(struct hide *h, yyjson_val *obj)
{
	bool named = yyjson_is_str(yyjson_obj_get(obj, "namespace"));
	yyjson_val *k, *v;
	size_t i, max;

	yyjson_obj_foreach (obj, i, max, k, v) {
		const char *key = yyjson_get_str(k);

		/* the object's own, beside its namespace */
		collect(h, named && !strcmp(key, "name") ? "pod" : key, v);
	}
}

static void collect(struct hide *h, const char *key, yyjson_val *v)
{
	yyjson_val *e;
	size_t i, max;

	if (yyjson_is_obj(v))
		collect_members(h, v);
	else if (yyjson_is_str(v))
		hide_member(h, key, yyjson_get_str(v));
	yyjson_arr_foreach (v, i, max, e) {
		collect(h, key, e);
	}
}

void hide_names_of(struct hide *h, yyjson_val *root)
{
	collect(h, "", root);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void hide_ready(struct hide *h)
{
	if (h->n)
		qsort(h->v, h->n, sizeof(*h->v), by_text);
}

static bool is_known(const struct hide *h, const char *text, size_t len)
{
	char name[NAME_MAX_LEN + 1], *key = name;

	if (!h->n || !is_name(text, len))
		return false;
	lower(text, len, name);
	return bsearch(&key, h->v, h->n, sizeof(*h->v), by_text);
}

/* ---- texts ------------------------------------------------------------- */

/* A text, and what of it was done. */
struct scan {
	const struct hide *h;
	const char *text;
	size_t at, len;
	struct buf *out;
};

/* How many characters at @at may be of a name. */
static size_t run_length(const struct scan *s)
{
	size_t n = 0;

	while (s->at + n < s->len && is_name_char(s->text[s->at + n]))
		n++;
	return n;
}

static void replace(struct scan *s, const char *what, size_t len)
{
	char name[NAME_MAX_LEN + 1];

	lower(s->text + s->at, len, name);
	add_hash(s->h, what, name, len, s->out);
	s->at += len;
}

/* Of "web-0.example" the longest start that is a name by itself, as in
 * "web-0-copy"; 0: none is. */
static size_t known_length(const struct scan *s, size_t run)
{
	for (size_t n = run; n; n--)
		if ((n == run || !isalnum((unsigned char)s->text[s->at + n])) &&
		    is_known(s->h, s->text + s->at, n))
			return n;
	return 0;
}

/* The name behind the slash after one that is known. */
static void take_neighbour(struct scan *s)
{
	size_t run;

	while (s->at + 1 < s->len && s->text[s->at] == '/') {
		buf_add(s->out, "/", 1);
		s->at++;
		run = run_length(s);
		while (run && !is_name(s->text + s->at, run))
			run--;
		if (run && run <= NAME_MAX_LEN)
			replace(s, "name", run);
	}
}

static bool take_name(struct scan *s)
{
	size_t run = s->h->names ? run_length(s) : 0;

	/* the last character of a sentence is no part of a name */
	while (run && !isalnum((unsigned char)s->text[s->at + run - 1]))
		run--;
	run = known_length(s, run);
	if (!run)
		return false;
	replace(s, "name", run);
	take_neighbour(s);
	return true;
}

/* ---- addresses ---- */

/* The address at the start of @text, of @len bytes or fewer. Return: how many
 * it has; 0: there is none, or one that says nothing of this machine. */
static size_t addr_length(const char *text, size_t len, struct smc_addr *out)
{
	char copy[TEXT_ADDR_MAX];
	struct in_addr four;

	for (size_t n = len < sizeof(copy) ? len : sizeof(copy) - 1; n > 1;
	     n--) {
		memcpy(copy, text, n);
		copy[n] = '\0';
		if (addr_parse(copy, out))
			continue;
		if (!strcmp(copy, "::") || !strcmp(copy, "::1") ||
		    !strcmp(copy, "0.0.0.0") || !strncmp(copy, "127.", 4))
			return 0;
		/* "1.2.3.45" is no 1.2.3.4 */
		if (inet_pton(AF_INET, copy, &four) == 1 && n < len &&
		    isdigit((unsigned char)text[n]))
			return 0;
		return n;
	}
	return 0;
}

static bool take_addr(struct scan *s)
{
	struct smc_addr addr;
	size_t n = 0;

	if (!s->h->addresses)
		return false;
	while (s->at + n < s->len &&
	       (isxdigit((unsigned char)s->text[s->at + n]) ||
		strchr(".:", s->text[s->at + n])))
		n++;
	n = addr_length(s->text + s->at, n, &addr);
	if (!n)
		return false;
	add_hash(s->h, "addr", (const char *)addr.ip, sizeof(addr.ip), s->out);
	s->at += n;
	return true;
}

/* Does a name begin here, or an address, and not go on? */
static bool may_start(const struct scan *s, const char *goes_on)
{
	char before = s->at ? s->text[s->at - 1] : ' ';

	return !isalnum((unsigned char)before) && !strchr(goes_on, before);
}

void hide_text(const struct hide *h, const char *text, size_t len,
	       struct buf *out)
{
	struct scan s = {h, text, 0, len, out};

	while (s.at < len) {
		if (may_start(&s, "") && take_name(&s))
			continue;
		if (may_start(&s, ".:") && take_addr(&s))
			continue;
		buf_add(out, text + s.at, 1);
		s.at++;
	}
}

void hide_quoted(const struct hide *h, const char *text, size_t len,
		 struct buf *out)
{
	const char *end = text + len, *next;
	bool inside = false;

	for (; text < end; text = next, inside = !inside) {
		next = memchr(text, '"', end - text);
		next = next ? next + 1 : end;
		if (inside)
			hide_text(h, text, next - text, out);
		else
			buf_add(out, text, next - text);
	}
}

/* ---- documents --------------------------------------------------------- */

static int hide_string(const struct hide *h, yyjson_mut_doc *doc,
		       yyjson_mut_val *v)
{
	_buf_ struct buf text = {};
	yyjson_mut_val *copy;

	hide_text(h, yyjson_mut_get_str(v), yyjson_mut_get_len(v), &text);
	copy = text.err ? NULL
			: yyjson_mut_strncpy(doc, text.data ?: "", text.len);
	/* The copy's text is the document's, as is the copy. */
	if (!copy || !yyjson_mut_set_strn(v, yyjson_mut_get_str(copy),
					  yyjson_mut_get_len(copy)))
		return -ENOMEM;
	return 0;
}

static int hide_value(const struct hide *h, yyjson_mut_doc *doc,
		      yyjson_mut_val *v)
{
	yyjson_mut_val *k, *e;
	size_t i, max;
	int err = 0;

	if (yyjson_mut_is_str(v))
		return hide_string(h, doc, v);
	yyjson_mut_arr_foreach(v, i, max, e)
	{
		err = err ?: hide_value(h, doc, e);
	}
	yyjson_mut_obj_foreach(v, i, max, k, e)
	{
		err = err ?: hide_value(h, doc, e);
	}
	return err;
}

int hide_json(const struct hide *h, yyjson_mut_doc *doc)
{
	return hide_value(h, doc, yyjson_mut_doc_get_root(doc));
}
