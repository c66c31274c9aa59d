#!/bin/bash
# redis_users.sh: every command of the Lua scripts is allowed to each user of etc/redis-users.acl that runs them.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

# rights USER: the commands that it may use, a line each.
rights() {
    sed '/^#/d' etc/redis-users.acl | sed -e :a -e '$!N;s/\n  */ /;ta' -e 'P;D' | grep "^user peygir-$1 " | grep -oE '\+[a-z]+' | tr -d +
}

called=$(grep -ohE "call\(['\"][A-Za-z]+" src/lua/*.lua | tr -d "'\"" | sed 's/.*(//' | tr '[:upper:]' '[:lower:]' | sort -u)
for user in web worker admin; do
    grep -vxF -f <(rights "$user") <<<"$called" | sed "s/.*/scripts call & and the user peygir-$user may not/" |
        verdict "the user peygir-$user may do what the scripts do"
done
