#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The frame of the command line: help, version, mistakes, exit statuses.
. "$(dirname "$0")/lib.sh"

nz --version
status_is "--version succeeds" 0
good "--version is one line: netzip and three numbers" grep -qE '^netzip [0-9]+\.[0-9]+\.[0-9]+$' "$T/out"
is "--version prints nothing on standard error" "$(cat "$T/err")" ""

nz --help
status_is "--help succeeds" 0
has "--help shows the usage" "$T/out" "usage: netzip COMMAND"
verbs=$(sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$T/out")
cp "$T/out" "$T/help"
nz -h
same "-h is --help" "$T/out" "$T/help"
nz help
same "help is --help" "$T/out" "$T/help"

nz
status_is "no command is a usage error" 2
is "it says so in one line" "$(cat "$T/err")" "netzip: a command is needed (netzip --help lists them)"
nz qqqqqqqqqq
status_is "an unknown command is a usage error" 2
has "the unknown command is named" "$T/err" "unknown command 'qqqqqqqqqq'"
nz "$(printf 'a\033[31mb\nc')"
is "control characters of an argument do not reach the terminal" "$(cat "$T/err")" \
    "netzip: unknown command 'a\\x1b[31mb\\x0ac' (netzip --help lists them)"

for verb in $verbs; do
    nz "$verb" --help
    status_is "$verb --help succeeds" 0
    has "$verb --help shows the usage" "$T/out" "usage: netzip $verb"
    has "$verb --help has examples" "$T/out" "examples:"
    nz help "$verb"
    has "help $verb is $verb --help" "$T/out" "usage: netzip $verb"
    nz "$verb" --no-such-option
    status_is "$verb refuses an unknown option" 2
    is "$verb says so in one line" "$(wc -l <"$T/err")" 1
    has "$verb is in the manual page" "$NETZIP_SOURCE/docs/netzip.1" ".B netzip $verb"
done

if [ -w /dev/full ]; then
    code=0
    "$NETZIP" --help >/dev/full 2>"$T/err" || code=$?
    is "a full disk behind standard output is an error" "$code" 4
    has "and is named" "$T/err" "netzip: standard output cannot be written"
else
    skip "a full disk behind standard output is an error" "/dev/full is absent"
fi
