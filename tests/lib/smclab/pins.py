# SPDX-License-Identifier: Apache-2.0
"""Where the agent's pins are. Also imported by what runs in the guest."""
ROOT = "/sys/fs/bpf/smcmesh/"    # of every ABI
ABI = 2
PINS = f"{ROOT}v{ABI}/"          # maps under their names, links below links/
