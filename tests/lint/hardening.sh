#!/bin/bash
# hardening.sh: what configure.ac asks of the compiler and the linker has arrived in the programs that were built.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

if ! command -v readelf >/dev/null; then
    echo "skipped hardening of the programs: readelf (binutils) is not installed"
    exit 0
fi

# has WHAT PATTERN TEXT: one complaint unless a line of TEXT matches; lacks: unless none does.
has() { grep -qE -- "$2" <<<"$3" || echo "no $1"; }
lacks() { ! grep -qE -- "$2" <<<"$3" || echo "$1"; }

faults() {
    local header segments dynamic symbols
    header=$(readelf -hW "$1") segments=$(readelf -lW "$1") dynamic=$(readelf -dW "$1") symbols=$(readelf --dyn-syms -W "$1")
    has 'PIE: it is loaded at a known address' 'Type: +DYN' "$header"
    has 'PIE flag' 'FLAGS_1.*PIE' "$dynamic"
    has 'RELRO: its table of functions stays writable' 'GNU_RELRO' "$segments"
    has 'BIND_NOW: RELRO is partial' '\(FLAGS(_1)?\).*NOW' "$dynamic"
    has 'mark of a stack that is not executable' 'GNU_STACK' "$segments"
    lacks 'an executable stack' 'GNU_STACK.* RWE ' "$segments"
    lacks 'a segment that is writable and executable' 'LOAD.* RWE ' "$segments"
    lacks 'RPATH or RUNPATH: libraries from another directory' '\((RPATH|RUNPATH)\)' "$dynamic"
    lacks 'TEXTREL' 'TEXTREL' "$dynamic"
    has 'stack protector' ' __stack_chk_fail' "$symbols"
    # A sanitizer takes the place of _FORTIFY_SOURCE, and brings code of its own that knows no control-flow protection.
    if ! grep -qE ' __(asan|tsan|ubsan)_' <<<"$symbols"; then
        has 'use of _FORTIFY_SOURCE' ' __[a-z]+_chk(@|$)' "$symbols"
        # (The C library's own start-up code lacks it in Debian 12, so that the program's ELF note does not tell.)
        [[ $(uname -m) != x86_64 ]] || has 'control-flow protection in its code' endbr64 "$(objdump -d --disassemble=main "$1")"
    fi
}

for program in peygir peygir-web peygir-worker peygir-push peygir-demo-bot; do
    if [[ -x $BUILD/$program ]]; then
        faults "$BUILD/$program" | verdict "$program is hardened"
    else
        echo "it is not in ${BUILD:-the build directory}" | verdict "$program is hardened"
    fi
done
