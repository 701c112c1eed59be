# shellcheck shell=bash
# The messages of all scripts, and how scripts fail. Sourced; the caller has set -euo pipefail.

# Colours only on a terminal.
if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
    bold='' red='' green='' plain=''
fi

# step TEXT: the step that begins now.
step() {
    printf '%s==> %s%s\n' "$bold" "$*" "$plain" >&2
}

# note TEXT: something to know.
note() {
    printf '    %s\n' "$*" >&2
}

# good TEXT: something worked.
good() {
    printf '    %s%s%s\n' "$green" "$*" "$plain" >&2
}

# die TEXT...: one line each, then the end with status 1.
die() {
    printf '%s%s: %s%s\n' "$red" "${0##*/}" "$1" "$plain" >&2
    shift
    (($# == 0)) || printf '    %s\n' "$@" >&2
    exit 1
}

# usage_error TEXT: the command line is wrong (sysexits EX_USAGE).
usage_error() {
    printf '%s: %s; -h shows the usage\n' "${0##*/}" "$1" >&2
    exit 64
}
