// SPDX-License-Identifier: Apache-2.0
#include "node/podname.h"

#include <stddef.h>
#include <string.h>

/* The <uid> as it is written in the name of a pod's directory. */
struct uid_part {
	const char *text;
	size_t len;
	char dash; /* written for "-" */
};

/* Return: the length of the first @full characters of @name without ".slice"; 0
 * if they do not end so. */
static size_t slice_len(const char *name, size_t full)
{
	static const char slice[] = ".slice";
	size_t n = strlen(slice);

	return full > n && !strncmp(name + full - n, slice, n) ? full - n : 0;
}

/* In the first @full characters of @name. This only checks the form: the text
 * may be no <uid>, or empty. */
static bool find_uid(const char *name, size_t full, struct uid_part *out)
{
	static const char mark[] = "-pod", plain[] = "pod";
	size_t n = strlen(mark), len = slice_len(name, full);

	if (!len && strncmp(name, plain, strlen(plain)))
		return false;
	if (!len) {
		n = strlen(plain);
		*out = (struct uid_part){name + n, full - n, '-'};
		return true;
	}
	/* From the end: a prefix may hold "-pod" too, as kubepods- itself. */
	for (size_t at = len; --at > 0;) {
		if (strncmp(name + at, mark, n))
			continue;
		*out = (struct uid_part){name + at + n, len - at - n, '_'};
		return true;
	}
	return false;
}

/* Is it one: 32 hexadecimal digits or more, the rest dashes? */
static bool take_uid(const struct uid_part *p, char uid[PODNAME_UID_MAX])
{
	char copy[PODNAME_UID_MAX];
	unsigned int digits = 0;

	if (p->len >= sizeof(copy))
		return false;
	for (size_t i = 0; i < p->len; i++) {
		bool dash = p->text[i] == p->dash;

		if (!dash && !strchr("0123456789abcdef", p->text[i]))
			return false;
		copy[i] = dash ? '-' : p->text[i];
		digits += !dash;
	}
	if (digits < 32)
		return false;
	copy[p->len] = '\0';
	memcpy(uid, copy, p->len + 1);
	return true;
}

/* Are the first @full characters of @name the directory of pod @uid? */
static bool names_pod(const char *name, size_t full, const char *uid)
{
	struct uid_part p;

	if (!*uid || !find_uid(name, full, &p) || p.len != strlen(uid))
		return false;
	for (size_t i = 0; i < p.len; i++)
		if (p.text[i] != (uid[i] == '-' ? p.dash : uid[i]))
			return false;
	return true;
}

bool podname_is(const char *name, const char *uid)
{
	return names_pod(name, strlen(name), uid);
}

/* Of a container's name the part before the colon; of any other the whole. */
static size_t pod_len(const char *name)
{
	return strcspn(name, ":");
}

bool podname_has(const char *name, const char *uid)
{
	return names_pod(name, pod_len(name), uid);
}

/* "[PREFIX-]@word" of the first @len characters of @name? */
static bool ends_with(const char *name, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && !strncmp(name + len - n, word, n) &&
	       (len == n || name[len - n - 1] == '-');
}

static enum podname_what parse_level(const char *name)
{
	size_t len = slice_len(name, strlen(name));

	if (len ? ends_with(name, len, "kubepods") : !strcmp(name, "kubepods"))
		return PODNAME_TOP;
	if (len ? ends_with(name, len, "kubepods-burstable") ||
			    ends_with(name, len, "kubepods-besteffort")
		: !strcmp(name, "burstable") || !strcmp(name, "besteffort"))
		return PODNAME_LEVEL;
	return PODNAME_OTHER;
}

enum podname_what podname_parse(const char *name, char uid[PODNAME_UID_MAX])
{
	enum podname_what what = parse_level(name);
	size_t len = pod_len(name);
	struct uid_part p;

	if (what == PODNAME_OTHER && find_uid(name, len, &p) &&
	    take_uid(&p, uid))
		return name[len] ? PODNAME_CONTAINER : PODNAME_POD;
	return what;
}
