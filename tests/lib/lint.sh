#!/bin/bash
# lint.sh: what the checks in tests/lint share; read by them. Each begins in the top directory of the tree and prints lines
# "ok NAME" and "not ok NAME: what is wrong". $1 is a build directory, which a check may use.
set -u
export LC_ALL=C.UTF-8
# shellcheck disable=SC2034  # the checks use it
BUILD=$(cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../../.build/release}" 2>/dev/null && pwd -P) || BUILD=
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

# verdict NAME: reads what is wrong, a line each; nothing is good.
verdict() {
    local line bad=0
    while IFS= read -r line; do
        printf 'not ok %s: %s\n' "$1" "$line"
        bad=1
    done
    ((bad)) || printf 'ok %s\n' "$1"
}

# tree [NAME...]: the files that belong to the tree, all or those below NAME: without what git ignores, without binary ones.
tree() {
    if [[ -e .git ]] && command -v git >/dev/null; then
        git ls-files --cached --others --exclude-standard -- "$@"
    else
        find "${@:-.}" \( -name node_modules -o -name .build -o -name .run -o -name build-aux -o -name autom4te.cache \) -prune \
            -o -type f ! -name '*~' ! -name configure ! -name Makefile.in ! -name aclocal.m4 ! -name config.h.in -print | sed 's|^\./||'
    fi | sort -u | while IFS= read -r file; do [[ ! -f $file ]] || printf '%s\n' "$file"; done
}

# c_files NAME...: the C sources and headers below.
c_files() { tree "$@" | grep -E '\.[ch]$'; }
