#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip report for detectors: curves, classes, confusion, boxes on sample images, tables and words.
. "$(dirname "$0")/lib.sh"
D=$T/results
mkdir -p "$D/samples"
cp "$NETZIP_SOURCE/tests/cli/report/detection.json" "$D/results.json"
nz data make synthetic:shapes,limit=1,split=test "$T/made"
cp "$(find "$T/made" -name '*.png' | head -1)" "$D/samples/1.png"
cp "$D/samples/1.png" "$T/outside.png"

nz report "$D"
status_is "report succeeds" 0
is "what is said: the picture beyond the folder" "$(cat "$T/err")" \
    "netzip: note: The picture of image 285 is missing: ../outside.png: not below the results' own folder"
for name in precision-recall f1-confidence classes-PTQ confusion-None confusion-PTQ detections-139 detections-285; do
    good "it draws $name" test -s "$D/plots/$name.svg" -a -s "$D/plots/$name.png"
done
is "the baseline has no changes of classes" "$(ls "$D/plots" | grep classes-None)" ""
is "a failed model has no plots of its own" "$(ls "$D/plots" | grep -c QAT)" 0
if command -v xmllint >/dev/null 2>&1; then
    good "every SVG is well-formed" xmllint --noout "$D"/plots/*.svg
else
    skip "every SVG is well-formed" "xmllint is absent"
fi
lacks "nothing is drawn at no number" "$D/plots/precision-recall.svg" '"nan"'

P=$D/plots
has "the curve's legend tells AP50" "$P/precision-recall.svg" '>60.50</text>'
has "the F1 curve's legend tells the best point" "$P/f1-confidence.svg" '>0.660 at 0.400</text>'
has "a class is shown with its change" "$P/classes-PTQ.svg" '>−10.0</text>'
has "with the number of its objects" "$P/classes-PTQ.svg" '>6</text>'
has "losses come first" "$P/classes-PTQ.svg" 'dog: 40.0 against 50.0, 6 objects'
lacks "a class without objects has no average precision" "$P/classes-PTQ.svg" 'zebra'
has "a cell of the matrix tells its share" "$P/confusion-None.svg" 'dog, found as dog: 5 of 6 (83.3%)'
has "what is missed is told" "$P/confusion-None.svg" 'dog, not found: 1 of 6 (16.7%)'
has "what is invented is told" "$P/confusion-None.svg" 'nothing, found as zebra: 1 of 3 (33.3%)'
has "the matrix states its scale" "$P/confusion-None.svg" 'share of the row, square-root scale'
has "boxes are shown from a stated score on" "$P/detections-139.svg" 'boxes scoring 0.400 or more, where the baseline'
has "boxes are compared with the baseline's" "$P/detections-139.svg" '2 of 3 found again, 1 new, 1 missed, 1 of another class'
has "a box of another class says so" "$P/detections-139.svg" '&lt;b&gt;cat&lt;/b&gt; → dog 0.60'
has "a picture is within its plot" "$P/detections-139.svg" 'href="data:image/'
is "once" "$(grep -o 'data:image/' "$P/detections-139.svg" | wc -l)" 1
has "a missing picture is said" "$P/detections-285.svg" 'the picture is missing'

has "the page has a part on detection" "$D/report.html" '<h2 id=detection>Detection</h2>'
has "and a table of classes to sort" "$D/report.html" '<table class="sort full">'
has "it is told how many images were looked at" "$D/report.html" 'on ⁨coco (instances.json)⁩, 4 images'
has "by words it is told what is within noise" "$D/report.html" 'it is indistinguishable from'
has "with the interval" "$D/report.html" 'the difference of −0.35 points has the 95% interval [−0.90, +0.20], which contains 0.'
has "and what is not" "$D/report.html" 'the difference of −3.50 points has the 95% interval [−6.00, −1.00], which does not contain 0.'
has "boxes that changed" "$D/report.html" 'it finds 8 (88.9%) again at IoU 0.5; 1 is missing, 1 is new, 1 of the matched has another class.'
has "classes that lost" "$D/report.html" 'Classes whose average precision fell most: '
has "classes that gained" "$D/report.html" 'Classes whose average precision rose most: '
lacks "a class's name is no element" "$D/report.html" '<b>cat'
has "the note stands on the page" "$D/report.html" 'The picture of image 285 is missing'
is "CSV: a row per model and class" "$(wc -l <"$D/table-classes.csv")" 7
has "CSV: in full precision" "$D/table-classes.csv" 'PTQ/native/t1/b1,dog,17,6,0.4,0.7,,,'
has "the main table shows agreement of boxes" "$D/table.md" 'Box agreement'

# The same results give the same files; what is gone is removed, other files stay.
cp "$D/report.html" "$T/first.html"
touch "$P/mine.png"
nz report "$D"
same "the same results give the same page" "$D/report.html" "$T/first.html"
sed 's/"detection": {/"other": {/' "$D/results.json" >"$T/new.json"
cp "$T/new.json" "$D/results.json"
nz report "$D"
status_is "results without detection are drawn" 0
is "their plots are gone" "$(ls "$P" | grep -E 'precision-recall|f1-conf|classes-|confusion-|detections-')" ""
good "so is the table of classes" test ! -e "$D/table-classes.csv"
good "other files stay" test -e "$P/mine.png"
lacks "the page has no part on detection" "$D/report.html" 'id=detection'
