#!/bin/bash
# report.sh: what a bot says and asks over HTTP, with curl: for shell scripts that a bot starts, and to try things by hand.
#
#   echo '{"progress": 40, "step": "recognizing"}' | report.sh HASH progress
#   report.sh HASH otp-required|completed|failed < members.json
#   report.sh HASH state        what the request is now
#   report.sh HASH code         waits; prints {"otp":"12345"}, {"resend":true} or {"cancelled":true}
#
# TOKEN is one of role bot, RUN what the call had in Peygir-Run, SITE where Peygir is (http://127.0.0.1:8080).
# Ends with 0; 3: nobody waits for it any more (the request has ended, or another run goes on with it), stop; 1: it went wrong.
set -u
HASH=$1 WHAT=$2 SITE=${SITE:-http://127.0.0.1:8080}

# Token and members are in no command line, where everybody on the machine could read them.
call() {
    curl -sS --max-time 70 -w '\n%{http_code}' -H @<(printf '%s\n' "Authorization: Bearer $TOKEN" "Peygir-Run: $RUN") \
        "${@:2}" "$SITE/api/internal/local-requests/$HASH$1"
}

# ask PATH BODY [OPTION...]: prints the answer; 2: there is none yet.
ask() {
    local answer status pause
    for pause in 1 2 5 ''; do
        answer=$(printf %s "$2" | call "$1" "${@:3}")
        status=${answer##*$'\n'} answer=${answer%$'\n'*}
        [[ $status == [05]* && $pause ]] || break
        sleep "$pause"
    done
    case $status in
    200) printf '%s\n' "$answer" ;;
    204) return 2 ;;
    404 | 409) exit 3 ;;
    *) printf '%s\n' "$answer" >&2; exit 1 ;;
    esac
}

case $WHAT in
state) ask '' '' ;;
code) until ask '/otp?wait=25' ''; do :; done ;;
*) ask "/$WHAT" "$(cat)" -H 'Content-Type: application/json' --data-binary @- ;;
esac
