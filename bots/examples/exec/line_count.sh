#!/bin/bash
# line_count.sh: a program that a job runs: the lines of all texts in a folder. Its job type is line_count.json.
#
#   payload  {"folder": "2026-01"}, a folder in DOCUMENTS, which the job type names
#   result   {"files": 12, "lines": 3456}
set -u
shopt -s nullglob

# It will not go better another time.
refuse() {
    printf '{"error": {"code": "%s", "message": "%s", "retryable": false}}\n' "$1" "$2"
    exit 1
}

# One plain word is all that is needed of the JSON, and all that is printed is numbers. For more than that use jq, which also quotes.
read -r job
plain='"payload"[ ]*:.*"folder"[ ]*:[ ]*"([A-Za-z0-9][A-Za-z0-9._-]*)"'
[[ $job =~ $plain ]] || refuse bad_folder 'The folder must be a plain name.'
folder=$DOCUMENTS/${BASH_REMATCH[1]}
[[ -d $folder ]] || refuse no_such_folder 'There is no such folder.'

files=("$folder"/*.txt) lines=0 done=0
for file in "${files[@]}"; do
    printf '{"progress": %d, "message": "text %d of %d"}\n' $((100 * done / ${#files[@]})) $((done + 1)) ${#files[@]}
    count=$(wc -l <"$file") || exit 1 # unreadable: tried again
    lines=$((lines + count)) done=$((done + 1))
done
printf '{"result": {"files": %d, "lines": %d}}\n' "$done" "$lines"
