#!/bin/bash
# layers.sh: dependencies run one way, base <- net <- redis <- core <- web | worker | push | cli.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

# What each folder of src may include from src, beside itself. tools: small programs of the build.
declare -A BELOW=([base]='' [net]='base' [redis]='base net' [core]='base net redis' [web]='base net redis core'
    [worker]='base net redis core' [push]='base net redis core' [cli]='base net redis core tools' [tools]='base core')

upwards() {
    local file line text from to
    while IFS=: read -r file line text; do
        from=${file#src/} from=${from%%/*}
        to=${text#*\"} to=${to%%/*}
        [[ -v BELOW[$from] ]] || { echo "$file lies in src/$from, which is no layer: tests/lint/layers.sh does not know it"; continue; }
        [[ $text == *\"*/*\"* && $to != "$from" && " ${BELOW[$from]} " != *" $to "* ]] || continue
        echo "$file:$line includes $to, which is not below $from"
    done < <(c_files src | xargs grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"')
}

# only PATTERN WHERE WHAT: includes of PATTERN are allowed in files that match WHERE.
only() {
    c_files src bots | xargs grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]+[<\"]$1" | grep -vE "^($2):" |
        sed -E "s|^([^:]+:[0-9]+):.*|\\1 includes $3|"
}

outside() {
    local file
    c_files bots/demo | xargs grep -nE 'include[[:space:]]+"(base|net|redis|core|web|worker|push|cli)/' |
        sed -E 's|^([^:]+:[0-9]+):.*|\1: a bot includes nothing of src|'
    for file in $(tree src | grep -E '^src/[^/]+/[^/]+/'); do echo "$file: folders are one level deep under src"; done
}

# core says what is so; how it looks and what a browser is told belongs to web.
core_words='text/html|application/json|[Cc]ontent-[Tt]ype|HTTP/[12]|Set-Cookie|Location:|str_add_html|</?(a|div|form|html|input|li|p|span|table|ul)[ >/]'
plain_core() {
    c_files src/core | xargs grep -nE "$core_words" | grep -vE '^[^:]+:[0-9]+:[[:space:]]*(/?\*|//)' |
        sed -E 's|^([^:]+:[0-9]+):.*|\1: core knows no HTML and no HTTP|'
}

# The redis layer carries commands; which keys they name is core's.
keyless_redis() {
    c_files src/redis | xargs grep -nE '"[^"]*(local_request|:queue|:session|peygir:)' |
        sed -E 's|^([^:]+:[0-9]+):.*|\1: a key is named in src/redis|'
}

upwards | verdict 'layers: no include upwards'
only 'hiredis' 'src/redis/[^:]+|bots/demo/[^:]+' 'hiredis, which only src/redis does' | verdict 'layers: hiredis in src/redis only'
only 'fcg(iapp|i_stdio|ios|i_config)|fastcgi' 'src/web/fcgi\.c|bots/demo/[^:]+' 'libfcgi, which only src/web/fcgi.c does' |
    verdict 'layers: libfcgi in src/web/fcgi.c only'
only 'libwebsockets' 'src/push/lws\.h' 'libwebsockets, which only src/push/lws.h does' | verdict 'layers: libwebsockets in src/push/lws.h only'
plain_core | verdict 'layers: core without HTML and HTTP'
keyless_redis | verdict 'layers: no key in src/redis'
outside | verdict 'layers: bots and folders'
