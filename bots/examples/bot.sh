#!/bin/bash
# bot.sh: a bot as a shell script that reports over HTTP. It answers one call, with standard input and output for the connection, as inetd
# does, socat, or a socket of systemd with Accept=yes:
#
#   socat TCP-LISTEN:9998,bind=127.0.0.1,reuseaddr,fork EXEC:bots/examples/bot.sh
#
# It does what bot.py does. `work` and `send_code` pretend; all else is how a bot may look. It needs curl and jq, and report.sh beside it.
# TOKEN is one of role bot, SITE where Peygir is (http://127.0.0.1:8080), PACE the seconds that each step takes (1).
set -u
export LC_ALL=C RUN='' # read and ${#…} count bytes
HERE=$(dirname "${BASH_SOURCE[0]}")
BODY_MAX=65536
HASH='' LANGUAGE=''

# --- answering ---

# answer STATUS JSON: the end of the call.
answer() {
    printf 'HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "$1" "${#2}" "$2"
    exit 0
}

success() { answer '200 OK' "{\"status\":\"success\",\"data\":$1}"; }

# error CODE [true]: in the visitor's language; true: trying again may help.
error() { answer "${STATUS:-200 OK}" "{\"status\":\"error\",\"code\":\"$1\",\"message\":\"$(words "$1")\",\"retryable\":${2:-false}}"; }

words() {
    case $LANGUAGE-$1 in
    fa-NOT_FOUND) echo 'چنین فایلی پیدا نشد.' ;;
    fa-BROKEN) echo 'مشکلی پیش آمد. لطفاً کمی بعد دوباره تلاش کنید.' ;;
    fa-OVER) echo 'دیگر کسی منتظر این کار نیست.' ;;
    *-NOT_FOUND) echo 'There is no such file.' ;;
    *-BROKEN) echo 'Something went wrong. Please try again later.' ;;
    *-OVER) echo 'Nobody waits for this any more.' ;;
    *) echo 'This is no call of Peygir'\''s.' ;;
    esac
}

# Nobody waits for this call any more: the request has ended, or another run goes on with it.
over() {
    log over
    error OVER
}

log() { printf '%s: %s\n' "$HASH" "$1" >&2; } # socat shows it, systemd keeps it

# --- being called ---

read_head() {
    local line
    LENGTH=0
    read -r METHOD TARGET _ || exit 0
    while read -r line && line=${line%$'\r'} && [[ $line ]]; do
        case ${line,,} in
        content-length:*) LENGTH=${line#*:} LENGTH=${LENGTH// /} ;;
        peygir-run:*) RUN=${line#*:} RUN=${RUN// /} ;;
        accept-language:*) LANGUAGE=${line#*:} LANGUAGE=${LANGUAGE# } LANGUAGE=${LANGUAGE:0:2} ;;
        esac
    done
}

# The form and the request's hash, texts all of them, and with a code `otpData`; anything else is not what Peygir sends. No value is ever
# an argument of a program, where others on the machine could read it.
read_call() {
    read_head
    if [[ ! $LENGTH =~ ^[0-9]{1,7}$ ]] || ((10#$LENGTH > BODY_MAX)); then
        STATUS='413 Content Too Large' error TOO_LARGE
    fi
    DATA=$(head -c "$LENGTH" | tr -d '\0' | jq -ces '
        if length == 1 then .[0] else null end |
        select(type == "object" and (.requestHash | type) == "string" and ([del(.otpData)[] | type] | all(. == "string")))' 2>/dev/null)
    HASH=$(jq -r .requestHash <<<"$DATA")
    if [[ $METHOD != POST || ! $RUN =~ ^[0-9]*$ || ! $HASH =~ ^req_[0-9A-Z]{26}$ ]]; then
        STATUS='400 Bad Request' error BAD_CALL
    fi
}

# --- reporting ---

# report KIND [MEMBERS]: SAID is what Peygir says to it. When nobody waits any more, the call is over.
report() {
    local status=0
    SAID=$(printf %s "${2-}" | bash "$HERE/report.sh" "$HASH" "$1") || status=$?
    case $status in
    0) ;;
    3) over ;;
    *) log broken; error BROKEN true ;;
    esac
}

said() { jq -r "$1 // empty" <<<"$SAID"; }

# --- the work ---

work() { sleep "${PACE:-1}"; }

read_document() {
    local step
    for step in '{"step":"preprocessing","progress":20}' '{"step":"recognizing","progress":50}' '{"step":"postprocessing","progress":85}'; do
        report progress "$step"
        work
        [[ $(jq -r .file_id <<<"$DATA") != missing ]] || error NOT_FOUND
    done
    success "$(jq -c '{text: "What stands in \(.file_id)", pages: 3, confidence: 0.98}' <<<"$DATA")"
}

# The text message: here a line on the terminal. Nothing of Peygir's ever holds the code.
send_code() {
    printf -v CODE %05d $((SRANDOM % 100000))
    log "text message: the code is $CODE"
}

# Until the visitor has entered the right one.
wait_for_code() {
    while report code; do
        if [[ $(said .cancelled) ]]; then
            over
        elif [[ $(said .resend) ]]; then
            send_code
        elif [[ $(said .otp) == "$CODE" ]]; then
            return
        else
            report otp-required '{"reason":"wrong"}'
            [[ $(said .status) == otp_required ]] || over # it was the last try
        fi
    done
}

# With `otp` in its data it is called for a code that an earlier call, which broke, was to hear of: it begins again as well.
rate_credit() {
    report progress '{"step":"authentication","progress":30}'
    work
    send_code
    report otp-required '{"length":5}'
    wait_for_code
    report progress '{"step":"verifying_otp","progress":80}'
    work
    success "{\"score\":742,\"grade\":\"A\",\"amount\":500000000,\"report_date\":\"$(date +%F)\",\"items\":[\"No returned cheques\"]}"
}

read_call
case $TARGET in
/api/services/document-ocr) read_document ;;
/api/services/credit-score-rating) rate_credit ;;
/api/services/document-ocr/* | /api/services/credit-score-rating/*) success '{}' ;; # the call that is held hears of it in its mailbox
*) STATUS='404 Not Found' error UNKNOWN_SERVICE ;;
esac
