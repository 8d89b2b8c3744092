// SPDX-License-Identifier: Apache-2.0
#include "doctor/kernels.h"

#include <fnmatch.h>
#include <string.h>
#include "base/rpm_order.h"

#define SEEN_PACKAGE "the distribution's package"
#define SEEN_CONFIG "a published configuration"
#define SEEN_SOURCE "published source"
#define SEEN_NOT ""

const struct kernel_row kernel_rows[] = {
#define KERNEL(...) {__VA_ARGS__},
#include "doctor/kernels.def"
#undef KERNEL
	{}};

/* Is @word one of @words, which have | between them? "": any. */
static bool is_one_of(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; *p; p += strspn(p, "|")) {
		size_t n = strcspn(p, "|");

		if (n == len && !strncmp(p, word, n))
			return true;
		p += n;
	}
	return !*words;
}

static bool fits(const struct kernel_row *r, const struct host *h,
		 const struct os_release *os)
{
	return is_one_of(r->systems, os->id) &&
	       !strncmp(os->version, r->version, strlen(r->version)) &&
	       is_one_of(r->machines, h->machine) &&
	       (!*r->from || rpm_order(h->release, r->from) >= 0) &&
	       (!*r->before || rpm_order(h->release, r->before) < 0) &&
	       !fnmatch(r->like, h->release, FNM_EXTMATCH);
}

const struct kernel_row *kernel_row_find(const struct host *h,
					 const struct os_release *os)
{
	for (const struct kernel_row *r = kernel_rows; r->name; r++)
		if (fits(r, h, os))
			return r;
	return NULL;
}

const char *kernel_has_sentence(enum kernel_has has)
{
	static const char *const sentences[KERNEL_HAS_MAX] = {
		[KERNEL_UNKNOWN] = "unknown",
		[KERNEL_WORKS] = "all that is needed",
		[KERNEL_BEFORE_HS_CTRL] =
			"SMC and IPPROTO_SMC, no smc_hs_ctrl (6.19): programs on a pod's devices select",
		[KERNEL_BEFORE_IPPROTO] =
			"SMC, no IPPROTO_SMC (6.11), no smc_hs_ctrl (6.19)",
		[KERNEL_NO_SMC] = "no SMC: CONFIG_SMC is off",
		[KERNEL_NO_DIBS] =
			"no SMC: CONFIG_DIBS defaults to n, and CONFIG_SMC needs it",
		[KERNEL_VENDOR] = "SMC, with ways of the vendor's own",
	};

	return sentences[has];
}

static void add_ways(struct buf *out)
{
	buf_printf(out, "\n## The shortest way\n\nThe lines are:\n\n    ");
	for (const char *p = KERNEL_LINES; *p; p++)
		buf_printf(out, *p == '\n' ? "\n    " : "%c", *p);
	buf_printf(out, "\n\n");
	for (const struct kernel_row *r = kernel_rows; r->name; r++)
		if (*r->way)
			buf_printf(out, "- **%s**: %s\n", r->name, r->way);
}

int kernels_reference(struct buf *out)
{
	buf_printf(
		out,
		"| system | kernels seen | what they have | shared memory | seen in |\n"
		"|---|---|---|---|---|\n");
	for (const struct kernel_row *r = kernel_rows; r->name; r++) {
		buf_printf(out, "| %s | %s | %s%s%s | %s | %s%s%s |\n", r->name,
			   *r->seen ? r->seen : "none",
			   kernel_has_sentence(r->has), *r->note ? "; " : "",
			   r->note, r->memory,
			   *r->evidence ? r->evidence : "nothing",
			   *r->date ? ", " : "", r->date);
	}
	add_ways(out);
	return out->err;
}
