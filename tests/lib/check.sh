#!/bin/bash
# check.sh: what `./run check` does; read by run. Each suite adds to three numbers, and the last line tells them.
# Everything a suite printed is in .build/check/SUITE.log.
# shellcheck disable=SC2015,SC2154  # `a && b || c` as in run; ROOT and the package lists come from run

CHECK_PACKAGES=(libcmocka-dev chromium fonts-noto-core curl python3-redis python3-aiosmtpd openssl socat jq)
PASSED=0 FAILED=0 SKIPPED=0

# tally SUITE PASSED FAILED [SKIPPED]: one line about a suite, and the sums.
tally() {
    ((PASSED += $2, FAILED += $3, SKIPPED += ${4:-0})) || :
    say "$1: $2 passed, $3 failed, ${4:-0} skipped"
}

# count PATTERN FILE: the lines that match; 0 without the file.
count() { grep -cE -- "$1" "$2" 2>/dev/null || [[ -e $2 ]] || echo 0; }

check_packages() {
    command -v node >/dev/null || CHECK_PACKAGES+=(nodejs)
    command -v npm >/dev/null || CHECK_PACKAGES+=(npm)
    [[ $1 != --all ]] || CHECK_PACKAGES+=(clang clang-tidy cppcheck)
    install_packages "${RUN_PACKAGES[@]}" "${BUILD_PACKAGES[@]}" "${CHECK_PACKAGES[@]}"
}

npm_packages() {
    local lock=tests/package-lock.json stamp=tests/node_modules/.package-lock.json
    [[ -e $lock ]] && [[ ! -e $stamp || $lock -nt $stamp ]] || return 0
    say "installing the npm packages of the tests"
    (cd tests && npm ci --ignore-scripts --no-audit --no-fund) >"$LOGS/npm.log" 2>&1 && touch "$stamp" && return
    tail -n 10 "$LOGS/npm.log" >&2
    tally npm 0 1
}

# try_build NAME [configure arguments]: a build that fails is one failure.
try_build() {
    say "building $1"
    build "$@" && return
    tally "build $1" 0 1
    return 1
}

# unit NAME: the cmocka programs of build NAME, and the fuzz targets with their corpora. A program without a result, and one that failed without saying in
# which test, is one failure.
unit() {
    local dir=$ROOT/.build/$1 log=$LOGS/unit-$1.log source name pass=0 fail=0 bad
    rm -f "$dir"/test-suite.log "$dir"/tests/{unit,fuzz}/*.{log,trs}
    CMOCKA_MESSAGE_OUTPUT=TAP make -C "$dir" -s -k -j2 test-suite.log >"$log" 2>&1
    for source in tests/unit/test_*.c tests/fuzz/fuzz_*.c; do
        [[ -e $source ]] || continue
        name=$dir/${source%.c}
        ((pass += $(count '^ok ' "$name.log"))) || :
        bad=$(count '^not ok ' "$name.log")
        if ((!bad)) && ! grep -qs '^:test-result: PASS' "$name.trs"; then
            bad=1
        fi
        ((bad == 0)) || show_failures "$name.log" "${source##*/} ($1)" "$log"
        ((fail += bad)) || :
    done
    tally "unit ($1)" "$pass" "$fail"
}

# show_failures FILE NAME LOG: the failed lines of FILE, or where to look.
show_failures() {
    say "$2 failed:"
    grep -E '^ *not ok |^# .*error|ERROR: |runtime error' "$1" 2>/dev/null | head -n 15 >&2 ||
        tail -qn 5 "$1" "$3" 2>/dev/null | tail -n 8 >&2
    say "everything it printed: $1 and $3"
}

# lints BUILD: a line "skipped NAME: WHY" is one that cannot be done here. They are told where the programs are, whose --help and tables they compare with the documents.
lints() {
    local file log good=0 bad=0 skipped=0 here
    for file in tests/lint/*.sh; do
        [[ -e $file ]] || continue
        log=$LOGS/lint-$(basename "$file" .sh).log
        here=0
        bash "$file" "$ROOT/.build/$1" >"$log" 2>&1 || here=1
        [[ $(count '^not ok ' "$log") == 0 ]] || here=$(count '^not ok ' "$log")
        ((here == 0)) || show_failures "$log" "$file" "$log"
        ((good += $(count '^ok ' "$log"), bad += here, skipped += $(count '^skipped ' "$log"))) || :
    done
    tally lint "$good" "$bad" "$skipped"
}

# node_suite NAME BUILD FILE...: black-box and browser tests against the programs of .build/BUILD.
node_suite() {
    local name=$1 build=$2 log=$LOGS/$1.log files=() file fail
    shift 2
    for file; do [[ ! -e $file ]] || files+=("$file"); done
    ((${#files[@]})) || return 0
    say "running $name"
    BUILD_DIR=$ROOT/.build/$build node --test --test-concurrency=2 \
        --test-reporter=tap --test-reporter-destination="$log" "${files[@]}" >"$log.output" 2>&1
    fail=$(($(tap_sum fail "$log") + $(tap_sum cancelled "$log")))
    if ((fail + $(tap_sum pass "$log") + $(tap_sum skipped "$log") == 0)); then
        cat "$log.output" >>"$log"
        fail=1
    fi
    ((fail == 0)) || show_failures "$log" "$name" "$log.output"
    tally "$name" "$(tap_sum pass "$log")" "$fail" "$(($(tap_sum skipped "$log") + $(tap_sum todo "$log")))"
}

# tap_sum WORD FILE: the number that node:test gives in its closing lines.
tap_sum() { sed -nE "s/^# $1 ([0-9]+)$/\\1/p" "$2" 2>/dev/null | tail -n 1 | grep . || echo 0; }

# faults BUILD: they need a program that is not built otherwise.
faults() {
    make -C "$ROOT/.build/$1" -s queue-push >"$LOGS/queue-push-$1.log" 2>&1 || { tally "build queue-push $1" 0 1; return; }
    node_suite "faults-$1" "$1" tests/faults/*.test.mjs
}

# analysis BUILD: what three tools find in the sources.
analysis() {
    local log=$LOGS/analysis.log bad
    say "analysing the sources"
    bash tests/analysis/analysis.sh "$ROOT/.build/$1" >"$log" 2>&1
    bad=$(count '^not ok ' "$log")
    [[ $bad != 0 || $(count '^ok ' "$log") != 0 ]] || bad=1
    ((bad == 0)) || show_failures "$log" analysis "$log"
    tally analysis "$(count '^ok ' "$log")" "$bad"
}

# fuzz BUILD: each target for half a minute, in a build of its own below.
fuzz() {
    local log=$LOGS/fuzz.log bad
    say "fuzzing"
    make -C "$ROOT/.build/$1" -s fuzz FUZZ_SECONDS=30 >"$log" 2>&1
    bad=$(count '^not ok ' "$log")
    [[ $bad != 0 || $(count '^ok ' "$log") != 0 ]] || bad=1
    ((bad == 0)) || show_failures "$log" fuzz "$log"
    tally fuzz "$(count '^ok ' "$log")" "$bad"
}

# missing_files DEST: what README.md tells the reader to use where he installed it, and an install into DEST has not.
missing_files() {
    local path doc=/usr/local/share/doc/peygir
    { grep -oE '/usr/local/(sbin|share)/[A-Za-z0-9_./-]+|/etc/peygir/services' README.md
      grep -oE '(\bbots/|\b)examples/[A-Za-z0-9_./-]+' README.md | sed "s|^|$doc/|"
      echo /usr/local/bin/peygir; } | sort -u | while IFS= read -r path; do [[ -e $1$path ]] || echo "not ok install: there is no $path"; done
}

# distribution BUILD: what is packed builds, passes its unit tests, installs and uninstalls; an install has what README.md names.
distribution() {
    local log=$LOGS/distribution.log dest bad
    say "packing and installing"
    dest=$(mktemp -d) || exit 1
    {
        make -C "$ROOT/.build/$1" -s -j"$(nproc)" distcheck && echo 'ok distcheck' || echo 'not ok distcheck'
        make -C "$ROOT/.build/$1" -s install DESTDIR="$dest" sysconfdir=/etc && echo 'ok install' || echo 'not ok install'
        missing_files "$dest"
    } >"$log" 2>&1
    rm -rf "$dest"
    bad=$(count '^not ok (distcheck|install)' "$log")
    ((bad == 0)) || show_failures "$log" distribution "$log"
    tally distribution "$(count '^ok (distcheck|install)' "$log")" "$bad"
}

# suites BUILD: everything that needs running programs.
suites() {
    node_suite "system-$1" "$1" tests/system/*.test.mjs
    node_suite "browser-$1" "$1" tests/browser/*.test.mjs
    faults "$1"
}

check_long() {
    local name
    export CHECK_ALL=1
    suites asan
    try_build tsan --enable-sanitizers=thread && { unit tsan; suites tsan; }
    try_build clang CC=clang --enable-werror && { tally 'build clang, warnings as errors' 1 0; unit clang; }
    distribution release
    analysis release
    fuzz release
}

check() {
    check_packages "$1"
    leave_sudo
    LOGS=$ROOT/.build/check
    mkdir -p "$LOGS" || die "$LOGS cannot be written by $(id -un)"
    rm -f "$LOGS"/*
    npm_packages
    [[ $1 != --all ]] || export CHECK_ALL=1
    try_build release && { lints release; unit release; suites release; }
    if try_build asan --enable-sanitizers=address,undefined; then
        unit asan
        [[ $1 == --all ]] || node_suite journey-asan asan tests/system/journey.test.mjs
    fi
    [[ $1 != --all ]] || check_long
    ((PASSED + FAILED > 0)) || FAILED=1
    printf '%d passed, %d failed%s\n' "$PASSED" "$FAILED" "$( ((SKIPPED == 0)) || echo ", $SKIPPED skipped")"
    ((FAILED == 0))
}
