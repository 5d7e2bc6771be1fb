# SPDX-License-Identifier: Apache-2.0
# For tests written as shell scripts: source it, run netzip by `nz`, state what must hold; it prints TAP.
#   nz ARGS...               runs netzip; $status, and its output in $T/out and $T/err
#   status_is NAME N         the last exit status
#   is NAME GOT EXPECTED     two texts are equal
#   has NAME FILE TEXT       FILE contains TEXT (fixed string)       lacks: the opposite
#   same NAME FILE FILE      two files are equal
#   good NAME COMMAND...     COMMAND succeeds
#   skip NAME REASON
# shellcheck shell=sh
set -u
T=$(mktemp -d "${TMPDIR:-/tmp}/netzip-test-XXXXXX")
cases=0 failures=0 status=0
NETZIP=${NETZIP_PROGRAM:-build/netzip}
export LC_ALL=C

finish_tests() {
    code=$?
    rm -rf "$T"
    echo "1..$cases"
    [ $failures = 0 ] || exit 1
    exit $code
}
trap finish_tests EXIT

ok() {
    cases=$((cases + 1))
    echo "ok $cases - $1"
}
not_ok() { # NAME DETAIL...
    cases=$((cases + 1)) failures=$((failures + 1))
    echo "not ok $cases - $1"
    shift
    printf '%s\n' "$@" | sed 's/^/#   /'
}
skip() {
    cases=$((cases + 1))
    echo "# skipped: $2"
    echo "ok $cases # SKIP $1"
}
nz() {
    status=0
    "$NETZIP" "$@" >"$T/out" 2>"$T/err" </dev/null || status=$?
}
shown() { # what the last run printed, for a failure's detail
    echo "exit status $status; standard error:"
    head -c 2000 "$T/err"
    echo "standard output:"
    head -c 2000 "$T/out"
}
status_is() {
    if [ "$status" = "$2" ]; then ok "$1"; else not_ok "$1" "exit status $status, expected $2" "$(shown)"; fi
}
is() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:      $2" "expected: $3"; fi
}
has() {
    if grep -qF -e "$3" "$2"; then ok "$1"; else not_ok "$1" "'$3' is not in:" "$(head -c 2000 "$2")"; fi
}
lacks() {
    if grep -qF -e "$3" "$2"; then not_ok "$1" "'$3' is in:" "$(head -c 2000 "$2")"; else ok "$1"; fi
}
same() {
    if cmp -s "$2" "$3"; then ok "$1"; else not_ok "$1" "$(diff "$2" "$3" | head -20)"; fi
}
good() {
    good_name=$1
    shift
    if "$@" >"$T/good" 2>&1; then ok "$good_name"; else not_ok "$good_name" "$* failed:" "$(head -c 2000 "$T/good")"; fi
}
