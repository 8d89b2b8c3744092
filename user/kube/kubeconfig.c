// SPDX-License-Identifier: Apache-2.0
/*
 * Reads a kubeconfig: the cluster and the user of its current context.
 *
 * It refuses by name what it does not support, so that nobody wonders why the
 * server does not know us, and ignores fields that do not concern us.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "kube/config.h"
#include "objects/json.h"
#include "objects/yaml.h"

struct file {
	const char *path;
	struct buf *error;
	const char *section; /* "user \"admin\"", for errors */
};

static void name_field(const struct file *f, const char *field, struct buf *out)
{
	buf_printf(out, "kubeconfig %s: %s: %s", f->path, f->section, field);
}

static int refuse(const struct file *f, const char *field, const char *why)
{
	name_field(f, field, f->error);
	buf_printf(f->error, " %s", why);
	return -EINVAL;
}

/* Return: 1 with *@out, 0 if it is missing or empty, -EINVAL. */
static int get_text(const struct file *f, yyjson_val *obj, const char *field,
		    const char **out)
{
	yyjson_val *val = yyjson_obj_get(obj, field);
	const char *text = yyjson_get_str(val);

	if (!val || yyjson_is_null(val))
		return 0;
	if (yyjson_is_bool(val))
		return refuse(
			f, field,
			"is not a string: YAML takes this word for true or false unless it is in quotes");
	if (!text || strlen(text) != yyjson_get_len(val))
		return refuse(f, field, "is not a string");
	if (!*text)
		return 0;
	*out = text;
	return 1;
}

static int take_text(const struct file *f, yyjson_val *obj, const char *field,
		     char **out)
{
	const char *text;
	int got = get_text(f, obj, field, &text);

	if (got <= 0)
		return got;
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

/* A path is relative to the directory of the kubeconfig. */
static int take_path(const struct file *f, yyjson_val *obj, const char *field,
		     char **out)
{
	const char *slash = strrchr(f->path, '/'), *text;
	_buf_ struct buf path = {};
	int got = get_text(f, obj, field, &text);

	if (got <= 0)
		return got;
	if (*text != '/' && slash)
		buf_add(&path, f->path, slash - f->path + 1);
	buf_printf(&path, "%s", text);
	*out = buf_take(&path);
	return *out ? 0 : -ENOMEM;
}

/* @field names a file, @field-data is the content, which wins. */
static int take_pem(const struct file *f, yyjson_val *obj, const char *field,
		    struct kube_pem *out)
{
	_buf_ struct buf from = {};
	char data[64];
	const char *text;
	int got, err;

	snprintf(data, sizeof(data), "%s-data", field);
	got = get_text(f, obj, data, &text);
	if (got < 0)
		return got;
	err = got ? base64_decode(text, &out->data)
		  : take_path(f, obj, field, &out->file);
	if (err)
		return err == -EINVAL && got ? refuse(f, data, "is not base64")
					     : err;
	name_field(f, got ? data : field, &from);
	out->from = buf_take(&from);
	return out->from ? 0 : -ENOMEM;
}

/* The @inner object of the element called @name of the array @outer. */
static int find(struct file *f, yyjson_val *root, const char *outer,
		const char *inner, const char *name, yyjson_val **out)
{
	yyjson_val *val;
	size_t i, n;

	yyjson_arr_foreach (yyjson_obj_get(root, outer), i, n, val) {
		if (!yyjson_equals_str(yyjson_obj_get(val, "name"), name))
			continue;
		*out = yyjson_obj_get(val, inner);
		if (yyjson_is_obj(*out))
			return 0;
	}
	buf_printf(f->error, "kubeconfig %s: there is no %s \"%.100s\"",
		   f->path, inner, name);
	return -EINVAL;
}

static int read_cluster(const struct file *f, yyjson_val *cluster,
			struct kube_config *out)
{
	yyjson_val *insecure =
		yyjson_obj_get(cluster, "insecure-skip-tls-verify");

	if (insecure && !yyjson_is_null(insecure) && !yyjson_is_false(insecure))
		return refuse(
			f, "insecure-skip-tls-verify",
			"is not supported: the server's certificate is always verified; give certificate-authority");
	return take_text(f, cluster, "server", &out->server)
		       ?: take_text(f, cluster, "tls-server-name",
				    &out->server_name)
		       ?: take_text(f, cluster, "proxy-url", &out->proxy)
		       ?: take_pem(f, cluster, "certificate-authority",
				   &out->ca);
}

static int read_user(const struct file *f, yyjson_val *user,
		     struct kube_config *out)
{
	static const struct {
		const char *field, *why;
	} refused[] = {
		{"exec",
		 "is not supported: an agent runs no plugins; give a token or a client certificate"},
		{"auth-provider",
		 "is not supported; give a token or a client certificate"},
		{"username",
		 "is not supported: API servers take no passwords; give a token or a client certificate"},
		{"as", "is not supported: the agent impersonates nobody"},
		{"as-uid", "is not supported: the agent impersonates nobody"},
		{"as-groups",
		 "is not supported: the agent impersonates nobody"},
	};

	for (size_t i = 0; i < array_size(refused); i++) {
		yyjson_val *val = yyjson_obj_get(user, refused[i].field);

		if (val && !yyjson_is_null(val))
			return refuse(f, refused[i].field, refused[i].why);
	}
	return take_text(f, user, "token", &out->token)
		       ?: take_path(f, user, "tokenFile", &out->token_file)
		       ?: take_pem(f, user, "client-certificate", &out->cert)
		       ?: take_pem(f, user, "client-key", &out->key);
}

static int read_context(struct file *f, yyjson_val *root,
			struct kube_config *out)
{
	const char *name, *cluster, *user = NULL;
	yyjson_val *val;
	char section[160];
	int got;

	f->section = "top level";
	got = get_text(f, root, "current-context", &name);
	if (got <= 0)
		return got ?: refuse(f, "current-context", "is not set");
	got = find(f, root, "contexts", "context", name, &val);
	if (got)
		return got;
	snprintf(section, sizeof(section), "context \"%.100s\"", name);
	f->section = section;
	got = get_text(f, val, "cluster", &cluster);
	if (got <= 0)
		return got ?: refuse(f, "cluster", "is not set");
	if (get_text(f, val, "user", &user) < 0)
		return -EINVAL;
	got = find(f, root, "clusters", "cluster", cluster, &val);
	if (got)
		return got;
	snprintf(section, sizeof(section), "cluster \"%.100s\"", cluster);
	got = read_cluster(f, val, out);
	if (got || !user)
		return got;
	got = find(f, root, "users", "user", user, &val);
	if (got)
		return got;
	snprintf(section, sizeof(section), "user \"%.100s\"", user);
	return read_user(f, val, out);
}

int kubeconfig_read(const char *path, struct kube_config *out,
		    struct buf *error)
{
	struct file f = {.path = path, .error = error};
	_doc_ yyjson_doc *doc = NULL;
	_buf_ struct buf text = {}, problem = {};
	yyjson_val *root;
	int err = small_file_read(path, &text, error);

	if (err)
		return err;
	doc = yaml_read(text.data ?: "", text.len, &problem);
	root = yyjson_doc_get_root(doc);
	if (yyjson_is_obj(root))
		return read_context(&f, root, out);
	buf_printf(error, "kubeconfig %s: %s", path,
		   problem.data ?: "it is none: no mapping at the top");
	return -EINVAL;
}
