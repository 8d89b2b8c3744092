# SPDX-License-Identifier: Apache-2.0
# To be read by a script that compiles for minutes.
# shellcheck shell=sh

# progress PID LOG REGEX AREA WHAT UNITS: until the process ends, how many lines
# of its log match REGEX, as "WHAT: N UNITS": on a terminal in one line that
# changes, elsewhere in one line a minute.
progress() {
	began=$(date +%s)
	while sleep 5 && kill -0 "$1" 2>/dev/null; do
		n=$(grep -cE "$3" "$2") || : # none yet
		line="$5: $n $6, $((($(date +%s) - began) / 60)) min"
		if [ -t 2 ]; then
			printf '\r  %-7s %s   ' "$4" "$line" >&2
		elif [ $((tick = (${tick:-0} + 1) % 12)) = 1 ]; then
			printf '  %-7s %s\n' "$4" "$line" >&2
		fi
	done
	[ ! -t 2 ] || echo >&2
}
