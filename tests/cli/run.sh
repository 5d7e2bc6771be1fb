#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip run: experiments are checked before anything is run, done step by step, and gone on with.
. "$(dirname "$0")/lib.sh"
export OMP_WAIT_POLICY=PASSIVE

# The experiments that come along describe something, with and without their data.
for file in "$NETZIP_SOURCE"/experiments/*.yaml; do
    name=$(basename "$file" .yaml)
    nz run "$file" --dry-run --out "$T/none"
    status_is "$name.yaml is sound" 0
    has "$name.yaml ends in a report" "$T/out" "$T/none/report.html"
    other=synthetic:shapes
    grep -q 'arch: yolo' "$file" && other=synthetic:shapes-det
    nz run "$file" --dry-run --out "$T/none" --data "$other" --set model.checkpoint= --set train.epochs=1
    status_is "$name.yaml is sound with other data" 0
done
good "a dry run writes nothing" test ! -e "$T/none"
nz run "$NETZIP_SOURCE/experiments/resnet20-cifar10.yaml" --dry-run --json
is "a dry run answers in JSON too" "$(grep -c '"state": "to do"' "$T/out")" 20

# What is wrong is said with its place, before anything is run.
cat >"$T/bad.yaml" <<'T'
data: synthetic:shapes
model: resnet8
train: {epochs: 1}
methods:
  - gup-l1: {sparsty: 0.5}
T
nz run "$T/bad.yaml"
status_is "an unknown key is wrong usage" 2
has "its place is told" "$T/err" "bad.yaml:5:23: method gup-l1: unknown key 'sparsty'; did you mean 'sparsity'?"
nz run "$T/bad.yaml" --set methods=ptq
has "a change is checked like the file" "$T/err" "methods should be a list"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --data cifar10:nowhere
status_is "absent data end it" 3
has "they are named" "$T/err" "bad.yaml: data: train: nowhere: neither"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set 'compare.threads=[1, 0]'
has "options of the comparison are checked at once" "$T/err" "compare: threads: at most 64 numbers from 1 to 65536"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --data synthetic:shapes-det
has "a classifier learns no boxes" "$T/err" "bad.yaml: model: resnet8 gives one class an image, and data are labelled with boxes"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set model=yolov5-tiny
has "a detector learns no single class" "$T/err" "bad.yaml: model: yolov5-tiny is a detector, and data are not labelled"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set compare.data=synthetic:shapes-det
has "all sets are of one kind" "$T/err" "bad.yaml: data: compare: data is labelled with boxes of objects, and "
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set model=yolov5-tiny --data synthetic:shapes-det,size=100 --dry-run
status_is "images that do not fit the network are told before anything is run" 2
has "with what it needs" "$T/err" "bad.yaml: model: yolov5-tiny: images of 100x100 pixels (height x width); both have to be multiples of 32"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set compare.runtime=nativ
has "so are its runtimes" "$T/err" "compare: no runtime is called 'nativ'"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set compare.lambda=1
has "and its weights" "$T/err" "compare: lambda"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set compare.data=cifar10:nowhere
has "and its data" "$T/err" "compare: data: nowhere"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set 'compare.batch=[1, 1]'
has "a batch size given twice is refused at once" "$T/err" "compare: batch: 1 is there twice"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --set compare.power=nowhere
has "so is an unknown power source" "$T/err" "compare: no power source is called 'nowhere'"
nz run "$T/bad.yaml" --set 'methods=[ptq]' --out "$T/bad.yaml"
has "and a file in the folder's place" "$T/err" "bad.yaml: is a file; a folder is needed for --out"
sed 's/  - gup-l1.*/  - ptq/' "$T/bad.yaml" >"$T/plain"
nz run "$T/plain" --dry-run
has "a file without an extension has its results beside it" "$T/out" "$T/plain-results/report.html"
printf 'a: [1\n' >"$T/broken.yaml"
nz run "$T/broken.yaml"
status_is "what is no YAML is a broken input" 3
nz run "$T/absent.yaml"
status_is "an absent file is a missing input" 3
good "nothing was written" test ! -e "$T/bad"

# A run with a sweep, two seeds, and a method that fails.
cat >"$T/e.yaml" <<'T'
name: trial
seeds: [0, 1]
data:
  train: synthetic:shapes,split=train,count=96
  test: synthetic:shapes,split=test,count=40
  preprocess: preset=cifar10
model: resnet8
train: {epochs: 1, batch: 32}
methods:
  - gup-l1: {sparsity: [0.5, 0.75], finetune: 1, batch: 32}
  - continue: {epochs: 1, batch: 32}
  - gup-r: {exclude: Conv}
compare: {metrics: [top1, disk_bytes, sparsity, entropy_bytes, latency_ms], budget: 0.02}
T
nz run "$T/e.yaml" --out "$T/r" --threads 1
status_is "a method that fails gives exit status 1" 1
has "the others are compared" "$T/out" "GUP_L1 sparsity=0.75"
has "what failed is told with its reason" "$T/out" "failed: method gup: the model has no float weights"
has "means stand beside spreads" "$T/out" "mean ± standard deviation"
has "the report's place is told" "$T/out" "The report: $T/r/report.html"
for name in results.json manifest.json table.csv table-seeds.csv table.md table.tex report.html experiment.yaml \
    plots/learning-network.svg plots/learning-methods.png models/None-s0.onnx models/GUP_L1-sparsity-0.5-s1.onnx \
    models/CONTINUED-s0.onnx models/None-s0.step.json models/None-s0.history.csv; do
    good "it writes $name" test -s "$T/r/$name"
done
tr -d ' \n' <"$T/r/results.json" >"$T/flat"
has "the failed model is in the results" "$T/flat" '"status":"failed","error":"methodgup:themodelhasnofloatweights'
has "seeds are part of an id" "$T/flat" '"id":"GUP_L1sparsity=0.5/native/t1/b1/s1"'
has "groups hold seeds" "$T/flat" '"seeds":[0,1]'
has "learning curves are in the results" "$T/flat" '"training":[{"name":"None","seed":0,"epochs":[{"epoch":1'
is "what was trained further is not compressed" \
    "$(grep -A6 '"name": "CONTINUED"' "$T/r/results.json" | grep -c '"technique": "None"')" 3
has "the manifest holds the text" "$T/r/manifest.json" 'finetune: 1, batch: 32}\n  - continue'
has "the page shows means" "$T/r/report.html" "Mean and standard deviation over seeds"
has "the table in Markdown does" "$T/r/table.md" "Mean and standard deviation over seeds:"
is "the table of seeds has a row per method" "$(wc -l <"$T/r/table-seeds.csv" | tr -d ' ')" 6

# Going on: what is done is not done again, what depends on a change is.
cp "$T/r/results.json" "$T/first.json"
sed 's/  - gup-r: {exclude: Conv}//' "$T/e.yaml" >"$T/sound.yaml"
nz run "$T/sound.yaml" --out "$T/r" --threads 1 --resume
status_is "without it all is well" 0
is "six models are found, the comparison and its report are new" \
    "$(grep -c 'is done already' "$T/err")/$(grep 'steps done' "$T/out")" "7/2 steps done, 7 found done"
sum=$(sha256sum <"$T/r/results.json")
rm -r "$T/r/plots" "$T/r/table.csv"
nz run "$T/sound.yaml" --out "$T/r" --threads 1 --resume
has "a second time all is found, and the report is drawn again" "$T/out" "1 steps done, 8 found done"
good "files of the report that had gone are there" test -s "$T/r/table.csv" -a -s "$T/r/plots/learning-network.svg"
is "and the results stay as they are" "$(sha256sum <"$T/r/results.json")" "$sum"
nz run "$T/sound.yaml" --out "$T/r" --threads 1 --resume --dry-run --set methods.0.gup-l1.batch=16
is "a change touches what depends on it" "$(grep -c ' done ' "$T/out")/$(grep -c ' to do ' "$T/out")" "3/6"
rm "$T/r/models/CONTINUED-s1.onnx"
nz run "$T/sound.yaml" --out "$T/r" --threads 1 --resume --dry-run
is "a model that has gone is made again" "$(grep ' to do ' "$T/out" | head -n 1 | cut -c 1-18)" "CONTINUED (seed 1)"

# The folder is one experiment's.
nz run "$T/sound.yaml" --out "$T/r" --set name=other
status_is "another experiment's folder is refused" 2
has "by name" "$T/err" "holds the experiment 'trial', not 'other'"
mkdir "$T/full" && touch "$T/full/file"
nz run "$T/sound.yaml" --out "$T/full" --resume
status_is "so is a folder with something else" 2
is "which stays as it was" "$(ls "$T/full")" file

if command -v flock >/dev/null; then
    flock "$T/r/.lock" "$NETZIP" run "$T/sound.yaml" --out "$T/r" --resume >"$T/out" 2>"$T/err" </dev/null && status=0 || status=$?
    has "two runs are not at work in one folder" "$T/err" "$T/r: another run is at work in this folder"
fi

# Seeds of one method's own, and a checkpoint that fits in part.
length=85
{
    # shellcheck disable=SC2059
    printf "$(printf '\\%03o\\000\\000\\000\\000\\000\\000\\000' $length)"
    printf '%-*s' $length '{"conv1.weight":{"dtype":"F16","shape":[16,3,3,3],"data_offsets":[0,864]}}'
    head -c 864 /dev/zero
} >"$T/part.safetensors"
cat >"$T/own.yaml" <<T
data: {train: "synthetic:shapes,split=train,count=64", test: "synthetic:shapes,split=test,count=40"}
model: {arch: resnet8, checkpoint: $T/part.safetensors}
train: {epochs: 1, batch: 32}
methods:
  - gup-r: {seed: [4, 5]}
compare: {metrics: [top1], budget: 0.01}
T
nz run "$T/own.yaml" --out "$T/own" --threads 1
status_is "a method's own seeds are compared" 0
good "under names of their own" test -s "$T/own/models/GUP_R-s4.onnx" -a -s "$T/own/models/GUP_R-s5.onnx"
has "what the checkpoint lacks is told in the results" "$T/own/results.json" "part.safetensors: 46 parameters were not taken over"
nz run "$T/own.yaml" --out "$T/own" --threads 1
has "what is thrown away is told" "$T/err" "5 finished steps are begun anew; --resume keeps them"
nz run "$T/own.yaml" --out "$T/untrained" --set train=
status_is "without training it is refused" 3
has "with what is missing" "$T/err" "46 parameters of resnet8 are not in it"

# Stopped in the middle of training, gone on with, and the same as without the stop.
cat >"$T/stop.yaml" <<'T'
data: {train: "synthetic:shapes,split=train,count=640", test: "synthetic:shapes,split=test,count=40"}
model: resnet8
train: {epochs: 6, batch: 32}
compare: {metrics: [top1], budget: 0.01}
T
nz run "$T/stop.yaml" --out "$T/whole" --threads 1
status_is "a run without a stop" 0
# Shells start background work with interrupts ignored; env takes that back.
env --default-signal=INT "$NETZIP" run "$T/stop.yaml" --out "$T/stopped" --threads 1 >"$T/out" 2>"$T/err" </dev/null &
pid=$!
while [ ! -s "$T/stopped/models/None.history.csv" ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -INT $pid
status=0
wait $pid || status=$?
if [ -e "$T/stopped/report.html" ]; then
    skip "the stop came too late" "the run had ended"
else
    status_is "a stop is no success" 4
    has "it is told how to go on" "$T/err" "the same command with --resume goes on"
    good "a checkpoint is there" sh -c "ls '$T'/stopped/models/*.checkpoint.npz"
    nz run "$T/stop.yaml" --out "$T/stopped" --threads 1 --resume
    status_is "it goes on to the end" 0
    has "from where it stood" "$T/stopped/models/None.step.json" '"resumed": true'
    same "to the same network, bit for bit" "$T/stopped/models/None.onnx" "$T/whole/models/None.onnx"
fi

# Configuration files of the first NetZIP.
cat >"$T/first.yml" <<'T'
SEED_NUMBER              : 0
USE_CUDA                 : False
DATASET_NAME             : "CIFAR10"
NUM_CLASSES              : 10
MODEL_CHOICE             : "resnet"
MODEL_VARIANT            : "resnet18"
COMPRESSION_TECHNIQUES_LIST  : ["PTQ", "QAT", "GUP_R", GUP_L1]
EVALUATION_METRICS_LIST : ["TOP1accuracy", "Latency", "MAC",  "CHATS", "Size", "Parameters_count", "Sparsity"]
OUTPUT_PLOTS            : True
T
nz run "$T/first.yml" --dry-run
status_is "a file of the first NetZIP is read" 0
is "its techniques become steps" "$(grep -cE '^(None|PTQ|QAT|GUP_R|GUP_L1) ' "$T/out")" 5
nz run "$T/first.yml" --data synthetic:shapes,count=256 --set model.arch=resnet8 --set 'methods=[ptq]' \
    --set train.epochs=1 --set compare.budget=0.01 --set 'compare.metrics=[top1]' --out "$T/v1"
status_is "and can be run with other data" 0

# Detectors: anchors fitted to the data, several seeds, pruning with fine-tuning, boxes of every model.
cat >"$T/boxes.yaml" <<'T'
name: boxes
seeds: [0, 1]
data:
  train: synthetic:shapes-det,split=train,count=24,size=64
  test: synthetic:shapes-det,split=test,count=8,size=64
model: {arch: yolov5-tiny, anchors: fit}
train: {epochs: 1, batch: 8, seed: 0}
methods:
  - gup-l1: {finetune: 1, batch: 8}
  - continue: {epochs: 1, batch: 8}
compare: {detect: {conf: 0.01}, pictures: 2, budget: 0.02, metrics: [map50, map50_95, disk_bytes, latency_ms]}
T
nz data make synthetic:shapes-det,count=3,size=64,split=train "$T/scenes"
sed 's/"image_id": 0,/"image_id": 77,/' "$T/scenes/train.json" >"$T/scenes/odd.json"
nz run "$T/boxes.yaml" --dry-run --set "data.train=coco:$T/scenes/odd.json"
has "annotations of unknown images are told of" "$T/err" "note: $T/scenes/odd.json: "
nz run "$T/boxes.yaml" --out "$T/boxes" --threads 1
status_is "an experiment of detection runs" 0
has "its anchors are fitted" "$T/err" "note: anchors: "
has "means over seeds are those of mAP" "$T/out" "mean ± standard deviation  seeds  map50"
has "boxes are told as asked for" "$T/boxes/results.json" "conf 0.01, NMS IoU 0.6"
has "groups hold mAP" "$T/boxes/results.json" '"map50_95"'
good "as many images as asked for are kept" test "$(ls "$T"/boxes/samples/*.png | wc -l)" -eq 2
cp "$T/boxes/models/GUP_L1-s1.onnx" "$T/before.onnx"
rm "$T/boxes/models/GUP_L1-s1.onnx"
nz run "$T/boxes.yaml" --out "$T/boxes" --threads 1 --resume
status_is "it is gone on with" 0
is "what was there is not done again" "$(grep -c "steps\{0,1\} done, 5 found done" "$T/out")" 1
same "and what was lost comes out the same" "$T/boxes/models/GUP_L1-s1.onnx" "$T/before.onnx"
nz run "$T/boxes.yaml" --out "$T/boxes" --threads 1 --resume --dry-run --set compare.detect.conf=0.02
is "with other boxes it is compared again" "$(grep -c ' to do ' "$T/out")" 2
