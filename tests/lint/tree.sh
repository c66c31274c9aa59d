#!/bin/bash
# tree.sh: files as they should be: named in the build, of a readable length, nothing unfinished, nothing of one machine.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

LONGEST=600
# Longer ones, and why. Tests are not counted: one file belongs to one subject, and each test in it stands alone.
LONG=('bots/node/package-lock.json made by npm' 'tests/package-lock.json made by npm'
    'www/api/openapi.json one description of all routes, which programs read whole')

words() {
    # shellcheck disable=SC2046  # no name in the tree holds a space; unplain says so otherwise
    grep -nwE 'TODO|FIXME|XXX|HACK' -I $(tree | grep -vE '(^|/)package-lock\.json$|^tests/lint/tree\.sh$') |
        sed -E 's|^([^:]+:[0-9]+):.*|\1: something unfinished|'
}

# A scratch name for mkdtemp (XXXXXX) is of every machine.
machine() {
    # shellcheck disable=SC2046
    grep -nE '(^|[^A-Za-z0-9_.-])/(work|home|Users|tmp)/|\.\./shared|(^|[^a-z])(registry\.|npmmirror|pypi\.|verdaccio|artifactory|nexus\.)' -I \
        $(tree | grep -vx tests/lint/tree.sh) | grep -v 'XXXXXX' | sed -E 's|^([^:]+:[0-9]+):.*|\1: a path or host of one machine|'
}

lengths() {
    local file lines
    for file in $(tree | grep -vE '\.(svg|png|woff2)$|^tests/unit/test_|\.test\.mjs$'); do
        lines=$(wc -l <"$file")
        ((lines <= LONGEST)) || printf '%s\n' "${LONG[@]}" | grep -q "^$file " ||
            echo "$file has $lines lines, more than $LONGEST: split it, or name the reason in tests/lint/tree.sh"
    done
}

# Every source is named in Makefile.am, and everything named there exists.
built() {
    local file
    for file in $(tree src bots/demo tests/unit tests/fuzz tests/bench | grep -E '\.(c|h|lua)$'); do
        grep -qF "$file" Makefile.am || grep -qE "\\$\\(srcdir\\)/${file%/*}( |\$)" Makefile.am ||
            [[ $file == tests/bench/alloccount.c ]] || echo "$file is not named in Makefile.am"
    done
    grep -oE '(src|bots|tests)/[A-Za-z0-9_/-]+\.(c|h|lua)' Makefile.am | sort -u | while IFS= read -r file; do
        [[ -f $file ]] || echo "Makefile.am names $file, which does not exist"
    done
}

# `/* name.c: what it is */` first.
openings() {
    local file
    for file in $(c_files src bots tests); do
        head -n 1 "$file" | grep -qE "^/\\* ${file##*/}: [^ ]" || echo "$file does not open with /* ${file##*/}: what it is */"
    done
    for file in $(tree run .ci tests etc nginx bots | grep -E '\.(sh|mjs|py)$|^bots/.*\.js$'); do
        head -n 3 "$file" | grep -qE "^(# |// |\"\"\")${file##*/}: " || echo "$file does not say in its first lines what it is"
    done
}

unplain() {
    tree | grep -E '[^A-Za-z0-9_./-]' | sed 's/$/: a name that is not plain/'
    # shellcheck disable=SC2046
    grep -lE $'[ \t]+$' -I $(tree | grep -E '\.(c|h|lua|sh|mjs|js|py|css|conf|md|am|ac|mustache|json)$|^run$') | sed 's/$/: a line ends with blanks/'
    # shellcheck disable=SC2046
    grep -lP '\t' -I $(tree | grep -E '\.(c|h|lua|sh|mjs|js|py|css|json)$|^run$') | sed 's/$/: has tabs; four spaces are used here/'
}

words | verdict 'tree: nothing unfinished'
machine | verdict 'tree: nothing of one machine'
lengths | verdict "tree: no file over $LONGEST lines without a reason"
built | verdict 'tree: Makefile.am names every source'
openings | verdict 'tree: every file says what it is'
unplain | verdict 'tree: plain names and lines'
