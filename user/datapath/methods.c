// SPDX-License-Identifier: Apache-2.0
/* How sockets become SMC, handshakes are allowed and flows recorded: of each
 * the ways that there are. */
#include "datapath/converter.h"
#include "datapath/recorder.h"
#include "datapath/selector.h"

const struct converter *const converters[] = {&converter_sockproto, NULL};
const struct selector *const selectors[] = {&selector_hs_ctrl, NULL};
const struct recorder *const recorders[] = {&recorder_smc, &recorder_sockops,
					    NULL};

size_t datapath_methods(const struct features *fs, struct datapath_method *out,
			size_t room)
{
	size_t n = 0;

	for (size_t i = 0; converters[i]; i++, n++)
		if (n < room)
			out[n] = (struct datapath_method){
				"converter", converters[i]->name,
				converters[i]->cannot,
				converters[i]->probe(fs)};
	for (size_t i = 0; selectors[i]; i++, n++)
		if (n < room)
			out[n] = (struct datapath_method){
				"selector", selectors[i]->name,
				selectors[i]->cannot, selectors[i]->probe(fs)};
	for (size_t i = 0; recorders[i]; i++, n++)
		if (n < room)
			out[n] = (struct datapath_method){
				"recorder", recorders[i]->name,
				recorders[i]->cannot, recorders[i]->probe(fs)};
	return n;
}
