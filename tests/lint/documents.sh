#!/bin/bash
# documents.sh: the documents tell what the programs have: options, verbs, routes, files. The tables of the programs decide.
# shellcheck source=tests/lib/lint.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lint.sh"

DOCUMENTS=(README.md API.md DATA.md src/README.md bots/README.md bots/demo/README.md bots/node/README.md)

# One word a line of what `peygir` of the build prints.
peygir() { env -i "$BUILD/peygir" --config /dev/null "$@"; }

options() { peygir --json config | sed -nE 's/^ *"name": ?"([A-Z0-9_]+)".*/\1/p'; }
verbs() { peygir --help | sed -n '/^Verbs:/,/^Options/p' | sed -nE 's/^  ([a-z]+( [a-z-]+)?).*/\1/p'; }
routes() { sed -nE 's/^ *\{ METHOD_[A-Z]+, "([^"]+)".*/\1/p' src/web/route.c | sort -u; }

# named WHAT FILE...: each line that is read stands in one of the files as a word of its own. Manual pages are read without their
# fonts and escapes.
named() {
    local what=$1 word text
    shift
    text=$(sed -E 's/\\f[A-Z]//g; s/\\//g' "$@")
    while IFS= read -r word; do
        grep -qE "(^|[^A-Za-z0-9_/{}-])$(printf %s "$word" | sed 's/[][{}.*^$]/\\&/g')($|[^A-Za-z0-9_/{}-])" <<<"$text" ||
            echo "the $what $word is not named in $*"
    done
}

built() {
    [[ -x $BUILD/peygir ]] || { echo "no program peygir in the build directory: give one as the first argument"; return 1; }
}

# `name` of `code` and [links](to) that look like files of the tree. What the text makes or finds elsewhere is not looked for.
paths() {
    local file path base
    for file in "${DOCUMENTS[@]}"; do
        base=$(dirname "$file")
        { grep -oE '\]\([A-Za-z0-9_./-]+\)' "$file" | sed -E 's/^\]\(|\)$//g'
          # shellcheck disable=SC2016  # the backquotes are the text's
          grep -oE '`(src|etc|www|nginx|bots|tests)/[A-Za-z0-9_./*-]+`' "$file" | tr -d '`'; } | sort -u |
            while IFS= read -r path; do
                [[ $path != etc/services/horoscope.json ]] || continue # the reader writes it
                [[ -n $(compgen -G "$path") || -n $(compgen -G "$base/$path") ]] || echo "$file names $path, which does not exist"
            done
    done
}

# What README has installed for production is what ./run has installed to build and to run.
packages() {
    local package
    sed -nE '/^(RUN|BUILD)_PACKAGES=\(/,/\)$/p' run | sed -E 's/^[A-Z_]+=\(|\)$//g' | xargs -n 1 | while IFS= read -r package; do
        sed -n '/^apt-get install /,/[^\\]$/p' README.md | grep -qE "(^| )$package( |$)" ||
            echo "README.md does not install $package, as ./run does"
    done
}

# The map names every source file of src, with or without its ending, by itself or as part of `group_*.c`.
map() {
    local file name stem
    for file in $(tree src | grep -E '\.c$'); do
        name=${file#src/*/} stem=${name%.c}
        grep -qE "\`([a-z]+/)?($stem|$name|${stem%%_*}_\*\.c)\`" src/README.md || echo "src/README.md does not name $file"
    done
}

# What the map names exists.
mapped() {
    local dir='' line name
    while IFS= read -r line; do
        [[ ! $line =~ ^\|\ (base|redis|core|web|worker|push)/\ \| ]] || dir=src/${BASH_REMATCH[1]}
        [[ $line != '| net/, cli/'* ]] || dir=src
        [[ $line != '## '* ]] || dir=
        [[ $dir ]] || continue
        line=${line#|} line=${line%%|*}
        # shellcheck disable=SC2016
        for name in $(grep -oE '`[^`]+`' <<<"$line" | tr -d '`'); do
            [[ -n $(compgen -G "$dir/$name") || -n $(compgen -G "$dir/$name.[ch]") ]] || echo "src/README.md names $dir/$name, which does not exist"
        done
    done <src/README.md
}

manuals() {
    local page
    for page in peygir.1 peygir-web.8 peygir-worker.8 peygir-push.8 peygir.env.5; do
        [[ -s $BUILD/$page ]] || echo "$page was not made in the build directory"
    done
}

if built | verdict 'documents: a build to ask' && [[ $BUILD && -x $BUILD/peygir ]]; then
    options | named option README.md | verdict 'documents: every option is in README.md'
    options | named option "$BUILD/peygir.env.5" | verdict 'documents: every option is in peygir.env(5)'
    verbs | named verb README.md | verdict 'documents: every verb is in README.md'
    verbs | named verb "$BUILD/peygir.1" | verdict 'documents: every verb is in peygir(1)'
    manuals | verdict 'documents: manual pages'
fi
routes | named route "${DOCUMENTS[@]}" | verdict 'documents: every route is in a document'
packages | verdict 'documents: README.md installs what ./run does'
paths | verdict 'documents: every file that is named exists'
{ map; mapped; } | verdict 'documents: the map is complete'
