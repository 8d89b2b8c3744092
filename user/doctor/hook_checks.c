// SPDX-License-Identifier: Apache-2.0
#include "doctor/hook_checks.h"

#include "node/synproxy.h"

/* ---- programs ---- */

static void say_user(const struct hook_user *u, struct finding *f)
{
	const char *kind = "at a hook of ours";

	if (u->sockops)
		kind = "sock_ops on the cgroup";
	else if (u->decides)
		kind = "fmod_ret/update_socket_protocol";
	buf_printf(&f->found, "%sprogram %u %s (%s, %s%s)", check_join(f),
		   u->id, u->name, kind, u->where,
		   u->sockmap ? ", with a sockmap" : "");
}

/* What is found names all that @is; harmless ones, too. */
static enum check_status judge(const struct doctor_check *c,
			       const struct doctor *d, struct finding *f,
			       bool (*is)(const struct hook_user *u), bool all)
{
	bool wrong = false;

	for (size_t i = 0; i < d->n_users; i++) {
		wrong |= is(&d->users[i]);
		if (all || is(&d->users[i]))
			say_user(&d->users[i], f);
	}
	if (!wrong && d->users_err)
		return check_untold(f, "the BPF programs of this machine",
				    d->users_err);
	return check_wrong(c, wrong);
}

static bool decides(const struct hook_user *u)
{
	return u->decides;
}

static bool has_sockmap(const struct hook_user *u)
{
	return u->sockops && u->sockmap;
}

enum check_status ask_other_hooks(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f)
{
	return judge(c, d, f, decides, true);
}

enum check_status ask_sockmap(const struct doctor_check *c,
			      const struct doctor *d, struct finding *f)
{
	return judge(c, d, f, has_sockmap, false);
}

/* ---- selectors ---- */

enum check_status ask_foreign_selector(const struct doctor_check *c,
				       const struct doctor *d,
				       struct finding *f)
{
	bool wrong = false;

	for (size_t i = 0; i < d->spaces.n; i++) {
		const struct doctor_namespace *ns = &d->spaces.v[i];

		if (!ns->foreign)
			continue;
		wrong = true;
		if (netns_has_filters(ns->ctrl))
			buf_printf(&f->found, "%sin %s %s", check_join(f),
				   ns->path ?: "?", ns->detail);
		else
			buf_printf(&f->found, "%snet.smc.hs_ctrl of %s is %s",
				   check_join(f), ns->path ?: "?", ns->ctrl);
	}
	if (wrong)
		return check_wrong(c, true);
	if (!d->ours)
		return check_untold(f, "the selectors of this machine", -EPERM);
	if (d->spaces.unseen)
		return check_untold(f, "some network namespaces", -EACCES);
	return CHECK_PASS;
}

/* ---- rules ---- */

enum check_status ask_synproxy(const struct doctor_check *c,
			       const struct doctor *d, struct finding *f)
{
	char what[SYNPROXY_TEXT_MAX];
	int got = synproxy_find(what);

	if (got < 0)
		return check_untold(f, "the host's nftables and iptables rules",
				    got);
	if (got)
		buf_printf(&f->found, "%s", what);
	return check_wrong(c, got);
}
