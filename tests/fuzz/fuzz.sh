#!/bin/bash
# fuzz.sh: carries out libFuzzer targets one after the other, FUZZ_SECONDS each; called by `make fuzz` in the build directory, with
# their names. What was found stays in found/TARGET-…; what led to new places, in corpus/TARGET, for the next time.
set -u
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
export TOP_SOURCE=$SOURCE UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
bad=0
mkdir -p found log
for target; do
    name=${target##*/fuzz_}
    mkdir -p "corpus/$name"
    "$target" -max_total_time="${FUZZ_SECONDS:-30}" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="found/$name-" "corpus/$name" "$SOURCE/tests/fuzz/corpus/$name" >"log/$name" 2>&1
    status=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "log/$name")
    if ((status == 0)); then
        printf 'ok fuzz %s: %s executions\n' "$name" "$executions"
    else
        printf 'not ok fuzz %s: %s\n' "$name" "$(grep -m 1 -E 'broken promise|ERROR:|runtime error' "log/$name" || echo "status $status")"
        printf '  the input is %s in %s, the report %s\n' "$(sed -n 's/.*Test unit written to //p' "log/$name")" "$PWD" "$PWD/log/$name"
        bad=1
    fi
done
exit "$bad"
