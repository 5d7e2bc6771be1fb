#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip report: the files it draws from a results.json that holds failures, missing values and hostile names.
. "$(dirname "$0")/lib.sh"
D=$T/results
mkdir "$D"
cp "$NETZIP_SOURCE/tests/cli/report/hostile.json" "$D/results.json"

nz report "$D"
status_is "report succeeds" 0
is "it prints nothing" "$(cat "$T/out" "$T/err")" ""
nz report "$D" --json
is "--json prints one object" "$(tr -d ' \n' <"$T/out")" "{\"path\":\"$D\"}"
for name in table.csv table.md table.tex report.html plots/ratios.svg plots/ratios.png plots/bars-top1.svg \
    plots/bars-latency_ms.png plots/scatter-latency_ms.svg plots/scatter-disk_bytes.png; do
    good "it writes $name" test -s "$D/$name"
done
is "a metric that no model has is not drawn" "$(ls "$D/plots" | grep energy)" ""
is "an accuracy is not drawn against a cost that is the same for all" "$(ls "$D/plots" | grep 'scatter-x')" ""
is "no file leaves plots/, whatever a metric is called" "$(find "$D" "$T" -maxdepth 1 -newer "$D/results.json" -name '*.svg')" ""
is "nothing temporary stays" "$(find "$D" -name '*.tmp*' -o -name '.*.??????')" ""

# Tables.
is "Markdown: a row per model" "$(grep -c '^| ' "$D/table.md")" 8
has "Markdown takes a name's markup literally" "$D/table.md" '\| \*\*x\*\*'
lacks "Markdown holds no markup of a name" "$D/table.md" '<script'
has "Markdown names the failure" "$D/table.md" 'broken failed: broken.onnx: node "conv1"'
has "Markdown tells why energy is missing" "$D/table.md" 'Not available: Energy: no power source'
has "Markdown shows a partial score with an asterisk" "$D/table.md" '5.91\*'
has "LaTeX takes a command literally" "$D/table.tex" '\textbackslash{}input\{/etc/passwd\}'
is "LaTeX: as many ends of rows as rows" "$(grep -c ' \\\\$' "$D/table.tex")" 9
has "CSV names its columns" "$D/table.csv" 'id,name,technique,status,baseline,runtime,runtime_version,threads,batch,host,seed,compute,top1,top1_ci95_low'
has "CSV quotes" "$D/table.csv" '"<script>document.title=""OWNED""</script>&""'"'"'"'
has "CSV makes no formula" "$D/table.csv" "\"'=HYPERLINK("
has "CSV has full precision" "$D/table.csv" ',70.1,69.2,70.99,10000,measured,,'
has "CSV gives the reason of a missing value" "$D/table.csv" 'unavailable,no power source: this machine has no meter'

# Plots.
if command -v xmllint >/dev/null 2>&1; then
    good "every SVG is well-formed" xmllint --noout "$D"/plots/*.svg
else
    skip "every SVG is well-formed" "xmllint is absent"
fi
has "a missing value is named in a plot" "$D/plots/bars-top1.svg" '>not available</text>'
has "a failed model is named in a plot" "$D/plots/bars-top1.svg" '>failed</text>'
has "a plot says which way is better" "$D/plots/bars-latency_ms.svg" 'lower is better'
has "a plot's text stays text" "$D/plots/bars-top1.svg" '&lt;script'
is "every PNG is one" "$(for f in "$D"/plots/*.png; do head -c 4 "$f" | tail -c 3; done | sed 's/PNG//g')" ""

# The page.
is "the page has one script" "$(grep -c '<script' "$D/report.html")" 1
lacks "the page holds no element of a name" "$D/report.html" '<img'
is "the page names nothing to load" "$(grep -oE '(src|href)="?(https?:|//)[^ >]*' "$D/report.html")" ""
has "the page forbids everything it does not bring" "$D/report.html" "default-src 'none'"
lacks "the page allows no script by its place" "$D/report.html" "unsafe-inline"
has "the page tells the uncertainty of a figure" "$D/report.html" '[69.20, 70.99] (95% interval); measured; n = 10000; ties 3'
has "the page says what zeros do not do" "$D/report.html" 'The file is no smaller although 50% of the weights are zero'
has "the page shows the run's warnings" "$D/report.html" 'the machine was &lt;b&gt;busy&lt;/b&gt;'
has "the page says what is within noise" "$D/report.html" 'top-1 accuracy: 0.20 points lower (70.10 against 70.30'

# Once more, with fewer metrics and something of the user's own beside.
touch "$D/plots/mine.svg" "$D/plots/bars-of-gold.txt"
cp "$D/report.html" "$T/first.html"
nz report "$D"
same "the same results give the same page" "$D/report.html" "$T/first.html"
sed 's/"sparsity"/"sparsity_all"/' "$D/results.json" >"$T/new.json"
cp "$T/new.json" "$D/results.json"
nz report "$D"
status_is "report draws again" 0
good "a new metric has its plot" test -s "$D/plots/bars-sparsity_all.svg"
good "a metric that is gone has none" test ! -e "$D/plots/bars-sparsity.svg"
good "other files stay" test -e "$D/plots/mine.svg" -a -e "$D/plots/bars-of-gold.txt"

# What cannot be read leaves everything as it was.
cp "$D/table.csv" "$T/table.csv"
echo '{"schema": "netzip.results/1", "models": [{"metrics": {"top1": 7}}]}' >"$D/results.json"
nz report "$D"
status_is "a broken document is an input error" 3
is "it is told in one line" "$(cat "$T/err")" "netzip: $D/results.json: models[0]: metrics.top1 is not an object"
same "a broken document leaves the files as they were" "$D/table.csv" "$T/table.csv"
head -c 500 "$T/new.json" >"$D/results.json"
nz report "$D"
status_is "a truncated document is an input error" 3
is "that is told in one line too" "$(wc -l <"$T/err")" 1
nz report "$T/absent"
status_is "an absent folder is an input error" 3
has "it is named" "$T/err" "$T/absent/results.json"
nz report
status_is "a folder is needed" 2

# Without any font the letters are plain strokes, and that is said.
cp "$T/new.json" "$D/results.json"
cat >"$T/fonts.conf" <<'X'
<?xml version="1.0"?><fontconfig></fontconfig>
X
FONTCONFIG_FILE=$T/fonts.conf nz report "$D"
status_is "report draws without any font" 0
if grep -q 'no font' "$T/err"; then ok "that there is no font is said"; else skip "that there is no font is said" "fontconfig found one all the same"; fi
