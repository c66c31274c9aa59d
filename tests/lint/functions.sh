#!/bin/bash
# functions.sh: functions over 60 lines say why in a comment above them; banned functions are used nowhere, also where
# src/base/banned.h is not included.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

LONGEST=60

long_functions() {
    c_files src bots tests | xargs awk -v longest=$LONGEST '
        FNR == 1 { commented = 0; start = 0 }
        /^\{$/ { start = FNR; why = commented; next }
        /^\}/ && start {
            if (FNR - start - 1 > longest && !why)
                print FILENAME ":" start ": a function of " FNR - start - 1 " lines, and no comment above it says why"
            start = 0; commented = 0; next
        }
        /\*\/[ \t]*$/ { commented = 1; next }
        /^[ \t]*$/ { commented = 0 }'
}

banned_functions() {
    local names
    names=$(sed -nE 's/^#define ([a-z]+)\(.*BANNED.*/\1/p' src/base/banned.h | paste -sd '|')
    c_files src bots tests | grep -vx src/base/banned.h | xargs grep -nE "(^|[^A-Za-z0-9_])($names)[[:space:]]*\\(" |
        grep -vE '^[^:]+:[0-9]+:[[:space:]]*(/?\*|//)' | sed -E 's|^([^:]+:[0-9]+):.*|\1 uses a function that src/base/banned.h bans|'
}

long_functions | verdict "functions: over $LONGEST lines with a reason"
banned_functions | verdict 'functions: none that is banned'
