#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip demo, in its quick form: the whole job without any file, and the same again for the same seed.
. "$(dirname "$0")/lib.sh"
export OMP_WAIT_POLICY=PASSIVE

# Every figure that is counted or computed, with its model; not what a clock or a meter tells.
figures() {
    awk '/^      "(id|sha256)":/ { print }
        /^        "[a-z0-9_]+": \{/ { id = $1 }
        /^          "value":/ && id !~ /latency|throughput|cpu_|ram_|energy|power|gpu_/ { print id, $2 }' "$1"
}

nz demo --task segmentation
status_is "there are two tasks" 2
nz demo --quick --out "$T/a" --threads 1
status_is "the demonstration runs" 0
has "it says what was found" "$T/out" "In plain words: the uncompressed network is right on"
for method in PTQ QAT GUP_R GUP_L1; do has "$method is judged" "$T/out" "  $method: right on"; done
is "the last line says where to look" "$(tail -n 1 "$T/out")" "The report: $T/a/report.html"
# Behind a name may stand a dagger: how busy the machine is does not matter here.
has "every method is in the table" "$T/a/table.md" "| GUP\\_L1"
figures "$T/a/results.json" >"$T/first"
good "figures are compared" test "$(wc -l <"$T/first")" -gt 60

nz demo --quick --out "$T/b" --threads 1
figures "$T/b/results.json" >"$T/second"
same "the same seed gives the same figures" "$T/first" "$T/second"
for model in None PTQ QAT GUP_R GUP_L1; do
    same "the same seed gives the same $model.onnx" "$T/a/models/$model.onnx" "$T/b/models/$model.onnx"
done

# The experiment that was run can be changed and run again.
nz run "$T/a/experiment.yaml" --out "$T/a" --resume --dry-run
status_is "its experiment is one for netzip run" 0
is "of which everything is done but the drawing of the report" "$(grep -c ' done ' "$T/out")" 6

# The same job on scenes of several objects.
nz demo --task detection --quick --out "$T/d" --threads 1
status_is "the demonstration of detection runs" 0
has "it says what was found" "$T/out" "In plain words: the uncompressed network finds objects with a mean average precision"
for method in PTQ QAT GUP_R GUP_L1; do has "$method is judged by its boxes" "$T/out" "  $method: mAP50-95 of"; done
has "the ratio of performance is one of mAP" "$T/out" "performance (map50_95)"
is "the last line says where to look" "$(tail -n 1 "$T/out")" "The report: $T/d/report.html"
has "its task is told" "$T/d/results.json" '"task": "detection"'
has "its learning curve is one of mAP" "$T/d/results.json" '"test_map50_95"'
good "boxes are drawn on images" test "$(ls "$T"/d/samples/*.png | wc -l)" -eq 6
nz run "$T/d/experiment.yaml" --out "$T/d" --resume --dry-run
is "it can be gone on with" "$(grep -c ' done ' "$T/out")" 6
nz run "$T/d/experiment.yaml" --out "$T/e" --threads 1 --set 'methods=[ptq]'
for model in None PTQ; do
    same "its experiment gives the same $model.onnx" "$T/d/models/$model.onnx" "$T/e/models/$model.onnx"
done
