#!/bin/bash
# redis_users.sh: every command of the Lua scripts is allowed to each user of etc/redis-users.acl that runs them: all to those that run
# most, and to peygir-push and bots those of the scripts that they run. (request_save is none of these: it pushes jobs as well, which
# neither asks it to.)
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

# rights USER: the commands that it may use, a line each.
rights() {
    sed '/^#/d' etc/redis-users.acl | sed -e :a -e '$!N;s/\n  */ /;ta' -e 'P;D' | grep "^user peygir-$1 " | grep -oE '\+[a-z]+' | tr -d +
}

# called SCRIPT...: the commands of these, and of the parts that they include, a line each.
called() {
    local parts
    mapfile -t parts < <(sed -n 's|^-- include |src/lua/|p' "$@")
    grep -ohE "call\(['\"][A-Za-z]+" "$@" "${parts[@]}" | tr -d "'\"" | sed 's/.*(//' | tr '[:upper:]' '[:lower:]' | sort -u
}

# may USER SCRIPT...
may() {
    local user=$1
    shift
    called "${@/#/src/lua/}" 2>&1 | grep -vxF -f <(rights "$user") | sed "s/.*/scripts call & and the user peygir-$user may not/" |
        verdict "the user peygir-$user may do what the scripts do that it runs"
}

mapfile -t ALL < <(cd src/lua && printf '%s\n' *.lua)
for user in web worker admin; do may "$user" "${ALL[@]}"; done
may push limit_take.lua mailbox_{return,take}.lua presence_touch.lua request_watch.lua session_{adopt,revoke,touch}.lua token_use.lua
may bot mailbox_{return,take}.lua
