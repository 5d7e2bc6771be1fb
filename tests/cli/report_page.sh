#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# report.html in a real browser: nothing that a model is called runs, sorting works, nothing is requested.
. "$(dirname "$0")/lib.sh"
browser=
for name in chromium chromium-browser google-chrome; do
    command -v $name >/dev/null 2>&1 && browser=$name && break
done
if [ -z "$browser" ]; then
    skip "the page in a browser" "chromium is absent"
    exit 0
fi
D=$T/results
mkdir "$D"
cp "$NETZIP_SOURCE/tests/cli/report/hostile.json" "$D/results.json"
nz report "$D"
status_is "report succeeds" 0

browse() { # URL OPTIONS...: what the browser prints, in $T/dom; what it logs, in $T/log
    url=$1
    shift
    rm -rf "$T/profile"
    mkdir "$T/profile"
    "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$T/profile" --enable-logging=stderr --v=0 \
        --host-resolver-rules="MAP * ~NOTFOUND, EXCLUDE 127.0.0.1" \
        "$@" "$url" >"$T/dom" 2>"$T/log" </dev/null
}
if ! browse "file://$D/report.html" --dump-dom || ! grep -q '</html>' "$T/dom"; then
    skip "the page in a browser" "$browser does not run here"
    exit 0
fi
has "the page renders" "$T/dom" '<table id="main">'
lacks "no name runs as a script" "$T/dom" '<title>OWNED'
is "the page has one script element" "$(grep -o '<script' "$T/dom" | wc -l)" 1
lacks "no name becomes an element" "$T/dom" '<img'
has "headings become buttons" "$T/dom" '<th scope="col" class="text stick" data-better="neither" data-id="model"><button'
lacks "the security policy stops nothing of the page itself" "$T/log" "Content Security Policy"
lacks "no script fails" "$T/log" "Uncaught"

# The order of the rows, by their values of one column: 1 is the names'.
order() { # COLUMN
    tr '\n' ' ' <"$T/dom" | sed 's/<tbody>/\n&/;s/<\/tbody>/&\n/' | grep '^<tbody>' | head -1 | sed 's/<tr /\n&/g' |
        grep '^<tr' | sed 's/<td /\n&/g' | awk -v c="$1" '/^<tr/ { n = 0 } /^<td/ && ++n == c { match($0, /data-v="[^"]*"/); printf "%s ", substr($0, RSTART + 8, RLENGTH - 9) }'
}
is "unsorted, the rows stand as in the results" "$(order 3)" "14.2 7.1 8 14.1 14.25 13.9  "
browse "file://$D/report.html#sort=latency_ms" --dump-dom
is "sorted, they rise, with what is missing at the end" "$(order 3)" "7.1 8 13.9 14.1 14.2 14.25  "
has "the sorted column says so" "$T/dom" 'data-id="latency_ms" aria-sort="ascending"'
browse "file://$D/report.html#sort=-top1" --dump-dom
is "sorted downwards, what is missing is at the end too" "$(order 2)" "70.3 70.1 66.6 60 50.8   "

# The browser's log of its network, first for a page that does request something.
requests() { # URL: what it requests; the browser's own makers aside
    rm -f "$T/net.json"
    browse "$1" --dump-dom --log-net-log="$T/net.json" --net-log-capture-mode=Everything
    grep -oE '"url":"(https?|wss?|ftp):[^"]*"' "$T/net.json" 2>/dev/null | grep -vE '//[a-z0-9.]*(google|googleapis|gvt1)\.com' | sort -u
}
echo '<!doctype html><img src="http://127.0.0.1:9/control.png">' >"$T/control.html"
if [ "$(requests "file://$T/control.html")" = '"url":"http://127.0.0.1:9/control.png"' ]; then
    is "the page requests nothing from the network" "$(requests "file://$D/report.html")" ""
else
    skip "the page requests nothing from the network" "$browser does not log its network"
fi

browse "file://$D/report.html" --hide-scrollbars --window-size=390,1400 --screenshot="$T/phone.png"
good "the page is drawn as a phone shows it" test -s "$T/phone.png"
browse "file://$D/report.html" --no-pdf-header-footer --print-to-pdf="$T/page.pdf"
is "the page prints" "$(head -c 4 "$T/page.pdf")" "%PDF"
