# SPDX-License-Identifier: Apache-2.0
# To be read by a script that compiles for minutes.
# shellcheck shell=sh

# progress PID AREA WHAT COUNT...: until the process ends, what the command COUNT
# prints, as "WHAT: 812 files, 4 min": on a terminal in one line that changes,
# elsewhere in one line a minute. It looks every $PROGRESS_SECONDS.
progress() {
	watched=$1 area=$2 what=$3
	shift 3
	began=$(date +%s) tick=0
	while sleep "${PROGRESS_SECONDS:-5}" && kill -0 "$watched" 2>/dev/null; do
		line="$what: $("$@"), $((($(date +%s) - began) / 60)) min"
		if [ -t 2 ]; then
			printf '\r  %-7s %s   ' "$area" "$line" >&2
		elif [ $((tick = (tick + 1) % 12)) = 1 ]; then
			printf '  %-7s %s\n' "$area" "$line" >&2
		fi
	done
	[ ! -t 2 ] || echo >&2
}

# lines REGEX LOG UNITS: how many lines of the log match, as "812 files". It has no
# total: nobody knows one before the end.
lines() {
	echo "$(grep -cE "$1" "$2" || :) $3"
}

# named LIST LOG UNITS: how many of the list's lines stand in the log, as "812 of at
# most 2658 packages". Other lines of the log, and one that comes twice, do not
# count, so it cannot pass its total.
named() {
	echo "$(grep -xFf "$1" "$2" | sort -u | wc -l) of at most $(wc -l <"$1") $3"
}
