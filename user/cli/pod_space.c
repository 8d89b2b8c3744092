// SPDX-License-Identifier: Apache-2.0
#include "cli/pod_space.h"

#include <string.h>
#include "cli/ask_agent.h"
#include "node/podspace.h"
#include "objects/json.h"

static bool is_pod(yyjson_val *pod, const char *name)
{
	size_t len = strlen(json_text(pod, "namespace"));

	return !strncmp(name, json_text(pod, "namespace"), len) &&
	       name[len] == '/' &&
	       !strcmp(name + len + 1, json_text(pod, "name"));
}

static yyjson_val *find(yyjson_val *root, const char *name)
{
	yyjson_val *pod;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(root, "pods"), i, max, pod) {
		if (is_pod(pod, name))
			return pod;
	}
	return NULL;
}

/* As the agent does: the host's, that of a path which a file gives, or that of
 * the pod's processes. */
static int open_space(const char *proc, yyjson_val *pod, struct place *out)
{
	const char *path = json_text(pod, "netns");
	char host[PATH_MAX];

	if (yyjson_get_bool(yyjson_obj_get(pod, "host_network"))) {
		snprintf(host, sizeof(host), "%s/1/ns/net", proc);
		return place_open(host, out);
	}
	if (*path)
		return place_open(path, out);
	return podspace_search(proc, json_text(pod, "cgroup_uid"), out);
}

int pod_ask(const char *run, const char *name, yyjson_doc **doc,
	    yyjson_val **pod)
{
	_doc_ yyjson_doc *answer = NULL;
	_buf_ struct buf text = {};
	int err = client_get(run, "/v1/pods", &text);

	if (err)
		return err;
	answer = yyjson_read(text.data, text.len, 0);
	*pod = find(yyjson_doc_get_root(answer), name);
	if (!*pod) {
		fprintf(stderr,
			"smcmesh: the agent knows no pod %s on this node\n",
			name);
		return -ENOENT;
	}
	*doc = take_ptr(answer);
	return 0;
}

int pod_space_of(const char *proc, const char *name, yyjson_val *pod,
		 struct place *out)
{
	int err = open_space(proc, pod, out);

	if (err)
		fprintf(stderr,
			"smcmesh: the network namespace of pod %s: %s\n", name,
			err == -ENOENT
				? "none was found: it has no process here"
				: strerror(-err));
	return err;
}

int pod_space(const char *run, const char *proc, const char *name,
	      struct place *out)
{
	_doc_ yyjson_doc *doc = NULL;
	yyjson_val *pod;

	return pod_ask(run, name, &doc, &pod)
		       ?: pod_space_of(proc, name, pod, out);
}
