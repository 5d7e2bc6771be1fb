#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip evaluate: scores and labels from files.
. "$(dirname "$0")/lib.sh"
D=$(dirname "$0")/data

nz evaluate --labels "$D/labels.csv" --scores "$D/scores.npz"
status_is "scores are evaluated" 0
has "sample 3 has three equal scores: a miss by its index" "$T/out" "75.00%"
nz evaluate --labels "$D/labels.csv" --scores "$D/scores.npz" --json
status_is "--json succeeds" 0
tr -d ' \n' <"$T/out" >"$T/flat"
has "metrics are value objects" "$T/flat" '"metrics":{"top1":{"value":75.0,"unit":"%","category":"accuracy","better":"higher","source":"measured","n":4,'
has "ties are counted" "$T/flat" '"ties":2'
has "what cannot be had has its reason" "$T/out" "top-5 needs at least 5 classes, the scores have 3"
has "classes have their own values" "$T/flat" '"per_class":{"0":{"precision":{"value":50.0,'
is "nothing is said on standard error" "$(cat "$T/err")" ""

nz evaluate --labels "$D/labels.csv" --scores "$D/scores.npz" --baseline "$D/baseline.npz"
has "a baseline brings agreement" "$T/out" "agreement"
has "and the paired difference" "$T/out" "top-1 against the baseline: +25.00 points"

nz evaluate --labels "$D/labels.csv"
status_is "scores are needed" 2
nz evaluate --labels "$D/labels.csv" --scores "$D/labels.csv"
status_is "a table is no archive" 3
is "that gets one line" "$(wc -l <"$T/err")" 1
printf 'sample,label\n0,0\n1,1\n2,9\n3,1\n' >"$T/l.csv"
nz evaluate --labels "$T/l.csv" --scores "$D/scores.npz"
status_is "a label outside the classes is an input error" 3
is "it is named with its place" "$(cat "$T/err")" "netzip: $T/l.csv:4: label '9' is not a class of the scores, 0 to 2"
nz evaluate --labels "$D/labels.csv" --scores "$D/scores.npz" --scores-are numbers
status_is "scores are logits or probabilities" 2

# Detections: two images and two classes; of three objects two are found, one of them as the other class by the other model.
cat >"$T/truth.json" <<'J'
{"images": [{"id": 5, "width": 100, "height": 100}, {"id": 9, "width": 100, "height": 100}],
 "categories": [{"id": 1, "name": "cat"}, {"id": 3, "name": "dog"}],
 "annotations": [
  {"id": 1, "image_id": 5, "category_id": 1, "bbox": [0, 0, 20, 20], "area": 400, "iscrowd": 0, "segmentation": [[0, 0, 1, 1]]},
  {"id": 2, "image_id": 5, "category_id": 3, "bbox": [50, 50, 40, 40], "area": 1600, "iscrowd": 0},
  {"id": 3, "image_id": 9, "category_id": 3, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0}]}
J
cat >"$T/found.json" <<'J'
[{"image_id": 5, "category_id": 1, "bbox": [0, 0, 20, 20], "score": 0.9},
 {"image_id": 5, "category_id": 1, "bbox": [50, 50, 40, 40], "score": 0.6}]
J
cat >"$T/base.json" <<'J'
[{"image_id": 5, "category_id": 1, "bbox": [0, 0, 20, 20], "score": 0.9},
 {"image_id": 5, "category_id": 3, "bbox": [50, 50, 40, 40], "score": 0.8},
 {"image_id": 9, "category_id": 3, "bbox": [10, 10, 40, 40], "score": 0.7}]
J
nz evaluate --ground-truth "$T/truth.json" --detections "$T/found.json"
status_is "detections are evaluated" 0
has "mAP is the mean over classes" "$T/out" "50.00%"
has "classes stand with their names" "$T/out" "cat"
has "confusions are named" "$T/out" "1 x dog taken for cat"
nz evaluate --ground-truth "$T/truth.json" --detections "$T/found.json" --baseline-detections "$T/base.json" --json
status_is "a baseline's detections are read" 0
tr -d ' \n' <"$T/out" >"$T/flat"
has "the evaluator is named" "$T/flat" '{"evaluator":"coco","images":2,"truths":3,"detections":2,'
has "metrics begin with mAP" "$T/flat" '"metrics":{"map50":{"value":49.99999999999'
has "metrics are value objects" "$T/flat" ',"unit":"%","category":"accuracy","better":"higher","source":"measured","n":2,"ci95":['
has "the twelve statistics are fractions" "$T/flat" '"AP50":{"value":0.49999999999'
has "and -1 without such objects" "$T/flat" '"APlarge":{"value":-1.0,'
has "classes go by category id" "$T/flat" '"3":{"name":"dog","truths":2,"detections":0,"AP":{"value":0.0,'
has "the difference is paired" "$T/flat" '"paired":{"map50":{"difference_pct":-50.0,'
has "boxes of both are matched" "$T/flat" '"match":{"confidence":0.25,"iou":0.5,"baseline_boxes":3,"boxes":2,"matched":2,"same_class":1,'
is "nothing is said on standard error" "$(cat "$T/err")" ""
cp "$T/out" "$T/first"
nz evaluate --ground-truth "$T/truth.json" --detections "$T/found.json" --baseline-detections "$T/base.json" --json
same "the same seed gives the same bytes" "$T/first" "$T/out"
nz evaluate --ground-truth "$T/truth.json" --detections "$T/base.json" --evaluator yolov5 --replicates 0 --json
tr -d ' \n' <"$T/out" >"$T/flat"
has "YOLOv5's evaluator gives its own mAP" "$T/flat" '"map50":{"value":99.50000000'
lacks "and no interval where none is asked for" "$T/flat" '"ci95"'
nz evaluate --ground-truth "$T/truth.json" --detections "$T/found.json" --out "$T/drawn" --replicates 0
status_is "--out is written" 0
good "the evaluation is there" grep -q '"evaluator": "coco"' "$T/drawn/evaluation.json"
good "the curves are drawn" test -s "$T/drawn/plots/precision-recall.png" -a -s "$T/drawn/plots/f1-confidence.svg"
good "the confusion is drawn" test -s "$T/drawn/plots/confusion-found.png"

nz evaluate --ground-truth "$T/truth.json" --detections "$T/found.json" --replicates 39
status_is "intervals take resamples enough" 2
nz evaluate --ground-truth "$T/truth.json" --detections "$T/found.json" --evaluator yolov5 --json
tr -d ' \n' <"$T/out" >"$T/flat"
has "YOLOv5's evaluator has no intervals and resamples nothing" "$T/flat" '"replicates":0,'

# A faint detection, and a category without objects.
sed 's/"name": "cat"}/&, {"id": 2, "name": "bird"}/' "$T/truth.json" >"$T/three.json"
sed 's/0.6}]/0.6}, {"image_id": 9, "category_id": 2, "bbox": [0, 0, 9, 9], "score": 0.0001}]/' "$T/found.json" >"$T/faint.json"
nz evaluate --ground-truth "$T/three.json" --detections "$T/faint.json" --replicates 0 --json
tr -d ' \n' <"$T/out" >"$T/flat"
has "all detections of a class are counted" "$T/flat" '"2":{"name":"bird","truths":0,"detections":1,"AP":{"value":-1.0,'
has "a class without objects has no figures" "$T/flat" '"name":"bird","id":2,"truths":0,"ap":-1.0,"ap50":-1.0,"precision":-1.0,"recall":-1.0,"f1":-1.0'

sed 's/"area": 400,/&"ignore": 1,/' "$T/truth.json" >"$T/three.json"
nz evaluate --ground-truth "$T/three.json" --detections "$T/found.json" --replicates 0
has "a field that COCO's evaluator does not heed is a warning" "$T/err" '1 annotations say "ignore" without "iscrowd"'
has "and changes nothing" "$T/out" "50.00%"
sed 's/"category_id": 3/"category_id": 2/' "$T/base.json" >"$T/other.json"
nz evaluate --ground-truth "$T/truth.json" --detections "$T/other.json"
has "unknown categories are a warning" "$T/err" "2 detections are of categories that the ground truth does not list"
nz evaluate --ground-truth "$T/truth.json" --detections "$T/truth.json"
status_is "annotations are no detections" 3
is "that gets one line" "$(cat "$T/err")" "netzip: $T/truth.json:1: the file is no list"
sed 's/"image_id": 9/"image_id": 8/' "$T/base.json" >"$T/other.json"
nz evaluate --ground-truth "$T/truth.json" --detections "$T/other.json"
status_is "a detection on another image is an input error" 3
has "it is named" "$T/err" "detection 2 is on image 8, which the ground truth does not list"
printf '{"images": [], "categories": [], "annotations": []}' >"$T/other.json"
nz evaluate --ground-truth "$T/other.json" --detections "$T/found.json"
status_is "ground truth without images is an input error" 3
is "the file is named" "$(cat "$T/err")" "netzip: $T/other.json: 'images' is empty"
nz evaluate --ground-truth "$T/truth.json" --detections "$T/no.json"
status_is "a missing file is an input error" 3
nz evaluate --ground-truth "$T/truth.json"
status_is "detections are needed" 2
nz evaluate --ground-truth "$T/truth.json" --detections "$T/found.json" --evaluator voc
status_is "the evaluator is coco or yolov5" 2
nz evaluate --ground-truth "$T/truth.json" --detections "$T/found.json" --baseline "$T/base.json"
status_is "a baseline of scores is for scores" 2
has "the right option is named" "$T/err" "--baseline-detections"

# Ground truth of another kind of data.
printf '[]' >"$T/empty.json"
nz evaluate --data synthetic:shapes-det,split=test,limit=3 --detections "$T/empty.json" --replicates 0
status_is "ground truth may be any data with objects" 0
has "nothing found is 0" "$T/out" "0.00%"
nz evaluate --data "synthetic:shapes,limit=4" --detections "$T/found.json"
status_is "data of classes is no ground truth for detections" 2
