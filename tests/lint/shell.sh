#!/bin/bash
# shell.sh: shellcheck has nothing to say about the scripts. Where it is not installed, bash reads them at least.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

checked() {
    if command -v shellcheck >/dev/null; then
        shellcheck -x -f gcc "$1" 2>&1
    else
        bash -n "$1" 2>&1
    fi
}

for file in $(tree | grep -E '\.sh$|^run$|^\.ci/run$'); do
    checked "$file" | verdict "shell: $file"
done
