#!/bin/bash
# units.sh: systemd understands the units of etc/systemd and finds little exposed in them.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

if ! command -v systemd-analyze >/dev/null; then
    echo "skipped units of systemd: systemd-analyze (systemd) is not installed"
    exit 0
fi

# The units with the programs where they were built, so that they are found.
DIR=$(mktemp -d) || exit 1
trap 'rm -rf "$DIR"' EXIT
for file in etc/systemd/*; do sed "s|/usr/local/sbin|${BUILD:-/usr/local/sbin}|" "$file" >"$DIR/${file##*/}"; done

SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$DIR"/*.service "$DIR"/*.socket 2>&1 | verdict 'systemd takes the units'

# exposed NAME: what systemd-analyze says, 0.0 (nothing) to 10.0.
exposed() { systemd-analyze security --offline=true --no-pager "$1" | sed -nE 's/.*exposure level for [^:]+: ([0-9.]+).*/\1/p'; }

# exposes_at_most LIMIT NAME [DROP-IN]
exposes_at_most() {
    local score fits='not ok' unit=$DIR/$2.service
    [[ -z ${3:-} ]] || { mkdir -p "$unit.d" && cp "$DIR/$3" "$unit.d/"; }
    score=$(exposed "$unit")
    awk -v score="$score" -v limit="$1" 'BEGIN { exit score == "" || score > limit }' && fits=ok
    echo "$fits the exposure of $2${3:+ with $3} is at most $1: it is ${score:-unknown}"
}

exposes_at_most 0.5 peygir-web
exposes_at_most 1.5 peygir-worker
exposes_at_most 0.5 peygir-push
exposes_at_most 1.0 peygir-web peygir-web-redis-tcp.conf
exposes_at_most 1.0 peygir-push peygir-web-redis-tcp.conf
