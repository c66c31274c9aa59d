#!/bin/bash
# analysis.sh: gcc's analyzer, clang-tidy and cppcheck have nothing to say about the sources; ./run check --all calls it. $1 is a finished
# build directory. What they get wrong, and why, stands in the files beside this one.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

export BUILD
INCLUDES=(-Isrc -I. -I"$BUILD")
DEFINES=('-DPKGDATADIR="/usr/share/peygir"' '-DPKGSYSCONFDIR="/etc/peygir"' '-DLIBEXECDIR="/usr/libexec"')
mapfile -t SOURCES < <(c_files src bots/demo | grep '\.c$')
read -ra LIBRARIES <<<"$(pkg-config --cflags fcgi hiredis json-c libcurl libuv libsodium)"

gcc_analyzer() {
    local log=$BUILD/analyzer.log
    (
        mkdir -p "$BUILD/analyzer" || exit 1
        cd "$BUILD/analyzer" || exit 1
        [[ -e config.status ]] || "$OLDPWD/configure" -q CC=gcc CFLAGS='-O1 -g -fanalyzer' || exit 1
        make -s -k clean all
    ) >"$log" 2>&1 || echo "it does not build: $log"
    grep -E 'warning: .*-Wanalyzer' "$log" | sed "s|^[./]*/src/|src/|" | sort -u
}

# Findings alone make neither tool fail: one that does has not looked at everything, or not run at all.
clang_tidy() {
    local log=$BUILD/clang-tidy.log
    printf '%s\0' "${SOURCES[@]}" | xargs -0 -P "$(nproc)" -I FILE clang-tidy --quiet --config-file=tests/analysis/clang-tidy.yaml FILE -- \
        -std=gnu11 -pthread "${INCLUDES[@]}" "${DEFINES[@]}" "${LIBRARIES[@]}" -include config.h >"$log" 2>&1 ||
        echo "it fails: $log"
    grep -E ': (warning|error): ' "$log" | sed "s|^$PWD/||" | sort -u
}

cpp_check() {
    cppcheck --std=c11 --enable=warning,performance,portability --quiet --suppressions-list=tests/analysis/cppcheck.txt \
        --template='{file}:{line}: {id}: {message}' -j "$(nproc)" "${INCLUDES[@]}" "${DEFINES[@]}" src bots/demo 2>&1 || echo 'it fails'
}

[[ $BUILD && -e $BUILD/config.h ]] || { echo 'not ok static analysis: there is no build'; exit 1; }
clang_tidy | verdict 'clang-tidy finds nothing'
cpp_check | verdict 'cppcheck finds nothing'
gcc_analyzer | verdict 'the analyzer of gcc finds nothing'
