// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_manifest.h"

#include <stdbool.h>

#define NS "smcmesh-bench"

/* The same as deploy/examples/fortio.yaml has. */
#define IMAGE "docker.io/fortio/fortio:1.63.7"

static void print_deployment(FILE *to, const char *pair, const char *role,
			     bool annotated)
{
	fprintf(to,
		"---\n"
		"apiVersion: apps/v1\n"
		"kind: Deployment\n"
		"metadata: {name: %s-%s, namespace: " NS "}\n"
		"spec:\n"
		"  replicas: 1\n"
		"  selector: {matchLabels: {pair: %s, role: %s}}\n"
		"  template:\n"
		"    metadata:\n"
		"      labels: {pair: %s, role: %s, sidecar.istio.io/inject: \"false\"}\n",
		pair, role, pair, role, pair, role);
	fprintf(to,
		"      annotations: {smc.asm.alibabacloud.com/enabled: \"%s\"}\n"
		"    spec:\n",
		annotated ? "true" : "false");
}

/* Servers on one node and clients on another, as the guide has them. */
static void print_affinity(FILE *to, const char *role)
{
	const bool server = *role == 's';

	fprintf(to,
		"      affinity:\n"
		"        podAntiAffinity:\n"
		"          requiredDuringSchedulingIgnoredDuringExecution:\n"
		"          - topologyKey: kubernetes.io/hostname\n"
		"            labelSelector: {matchLabels: {role: %s}}\n",
		server ? "client" : "server");
}

static void print_pod(FILE *to, const char *role)
{
	print_affinity(to, role);
	fprintf(to, "      containers:\n"
		    "      - name: fortio\n"
		    "        image: " IMAGE "\n"
		    "        args: [server]\n"
		    "        ports:\n"
		    "        - {name: http-echo, containerPort: 8080}\n");
}

static void print_service(FILE *to, const char *pair)
{
	fprintf(to,
		"---\n"
		"apiVersion: v1\n"
		"kind: Service\n"
		"metadata: {name: %s-server, namespace: " NS "}\n"
		"spec:\n"
		"  selector: {pair: %s, role: server}\n"
		"  ports:\n"
		"  - {name: http-echo, port: 8080}\n",
		pair, pair);
}

void bench_manifest(FILE *to)
{
	static const char *const pairs[] = {"plain", "smc"};
	static const char *const roles[] = {"server", "client"};

	fprintf(to, "apiVersion: v1\n"
		    "kind: Namespace\n"
		    "metadata: {name: " NS "}\n");
	for (int pair = 0; pair < 2; pair++) {
		for (int role = 0; role < 2; role++) {
			print_deployment(to, pairs[pair], roles[role], pair);
			print_pod(to, roles[role]);
		}
		print_service(to, pairs[pair]);
	}
}
