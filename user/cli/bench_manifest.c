// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_manifest.h"

static void print_deployment(FILE *to, const char *pair, const char *role,
			     bool annotated)
{
	fprintf(to,
		"---\n"
		"apiVersion: apps/v1\n"
		"kind: Deployment\n"
		"metadata: {name: %s-%s, namespace: " BENCH_NS "}\n"
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

static void print_term(FILE *to, const char *what, const char *role)
{
	fprintf(to,
		"        %s:\n"
		"          requiredDuringSchedulingIgnoredDuringExecution:\n"
		"          - topologyKey: kubernetes.io/hostname\n"
		"            labelSelector: {matchLabels: {role: %s}}\n",
		what, role);
}

/* Servers on one node and clients on another, as the guide has them, both pairs
 * alike; or all on one. */
static void print_affinity(FILE *to, const char *role, bool one_node)
{
	const bool server = *role == 's';

	fprintf(to, "      affinity:\n");
	print_term(to, "podAffinity", one_node ? "server" : role);
	if (!one_node)
		print_term(to, "podAntiAffinity", server ? "client" : "server");
}

static void print_pod(FILE *to, const struct bench_manifest_how *how,
		      const char *role)
{
	print_affinity(to, role, how->one_node);
	fprintf(to,
		"      terminationGracePeriodSeconds: 1\n"
		"      containers:\n"
		"      - name: fortio\n"
		"        image: %s\n"
		"        args: [server]\n"
		"        ports:\n"
		"        - {name: http-echo, containerPort: " BENCH_PORT "}\n"
		"        readinessProbe: {tcpSocket: {port: " BENCH_PORT "}}\n",
		how->image);
}

static void print_service(FILE *to, const char *pair)
{
	fprintf(to,
		"---\n"
		"apiVersion: v1\n"
		"kind: Service\n"
		"metadata: {name: %s-server, namespace: " BENCH_NS
		", labels: {pair: %s}}\n"
		"spec:\n"
		"  selector: {pair: %s, role: server}\n"
		"  ports:\n"
		"  - {name: http-echo, port: " BENCH_PORT "}\n",
		pair, pair, pair);
}

void bench_manifest(const struct bench_manifest_how *how, FILE *to)
{
	static const char *const pairs[] = {"plain", "smc"};
	static const char *const roles[] = {"server", "client"};

	fprintf(to, "apiVersion: v1\n"
		    "kind: Namespace\n"
		    "metadata: {name: " BENCH_NS "}\n");
	for (int pair = 0; pair < 2; pair++) {
		for (int role = 0; role < 2; role++) {
			print_deployment(to, pairs[pair], roles[role], pair);
			print_pod(to, how, roles[role]);
		}
		print_service(to, pairs[pair]);
	}
}
