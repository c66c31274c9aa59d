#!/bin/bash
# scripts.sh: every Lua script says first what it is, its keys, arguments and result (a part, what it needs), and reads no JSON (cjson loses digits and empty
# arrays; to quote one text with it loses nothing).
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

# The comment that a script opens with, behind #!lua.
opening() { awk 'NR == 1 && /^#!lua/ { next } /^--/ { print; next } { exit }' "$1"; }

wrong() {
    local file=$1 name=${1##*/} word words=(keys args/argv result)
    [[ $name != part_* ]] || words=(needs)
    opening "$file" | head -n 1 | grep -qE "^-- ($name: )?[A-Za-z]" || echo "$file does not open with a comment that says what it is"
    for word in "${words[@]}"; do
        opening "$file" | grep -qiE "(^-- |\. )(${word//\//|})(:| )" || echo "the opening comment of $file does not tell its ${word%/*}"
    done
    grep -n 'cjson.decode\|cmsgpack' "$file" | sed -E "s|^([0-9]+):.*|$file:\\1 decodes; a script hands JSON through as it is|"
    grep -nE '\b(KEYS|FLUSHALL|FLUSHDB|SCAN)\b' "$file" | grep "'\(KEYS\|FLUSH\|SCAN\)" | sed -E "s|^([0-9]+):.*|$file:\\1 looks through all keys|"
}

for file in $(tree src/lua); do
    wrong "$file" | verdict "scripts: ${file##*/}"
done
