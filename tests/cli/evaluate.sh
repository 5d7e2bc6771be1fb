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
