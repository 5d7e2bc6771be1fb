#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip compare and doctor as scripts see them: exit statuses, what goes where, the files.
. "$(dirname "$0")/lib.sh"

nz doctor --quick
status_is "doctor ends well" 0
for word in clock noise cpu instructions arithmetic bandwidth memory power counters gpu runtime libraries; do
    has "doctor has a line on $word" "$T/out" "$word"
done
nz doctor --json --quick
status_is "doctor --json ends well" 0
has "doctor --json names its schema" "$T/out" '"schema": "netzip.doctor/1"'
has "doctor --json names the library that most times come from" "$T/out" '"onednn": "'
is "doctor --json is one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
is "doctor --json is silent otherwise" "$(cat "$T/err")" ""
code=0
"$NETZIP" doctor --quick >/dev/full 2>"$T/err" || code=$?
is "a report that cannot be written is no success" "$code" 4
good "doctor needs no standard input" sh -c '"$1" doctor --quick >"$2" <&-' sh "$NETZIP" "$T/out"
has "and tells as much" "$T/out" "runtime"

nz doctor --target 'ssh://-oProxyCommand=x'
status_is "doctor refuses a machine whose name could be an option" 2

nz compare
status_is "compare without a model is wrong usage" 2
nz compare nothing.onnx --budgte 3
status_is "an unknown option is wrong usage" 2
has "it suggests the near one" "$T/err" "did you mean --budget?"
nz compare nothing.onnx --metrics latncy_ms
status_is "an unknown metric is wrong usage" 2
has "it suggests the near metric" "$T/err" "did you mean 'latency_ms'?"
mkdir -p "$T/kept/.work" && : >"$T/kept/.work/part.json"
nz compare nothing.onnx --data imagefolder:/nonexistent --out "$T/kept"
status_is "missing data is a wrong input" 3
good "it does not cost the parts of an interrupted run" test -e "$T/kept/.work/part.json"
nz compare nothing.onnx --data imagefolder:/nonexistent --out "$T/new"
good "and makes no folder" test ! -e "$T/new"
nz compare nothing.onnx --lambda 1,2
status_is "--lambda takes four numbers" 2
nz worker
status_is "worker by hand is wrong usage" 2
nz compare nothing.onnx --pin 0,99999
status_is "--pin takes CPUs" 2
nz compare nothing.onnx --pin 1023
status_is "a CPU that is not there is wrong usage" 2
has "those that are there are named" "$T/err" "CPU 1023 of '1023' is not there to run on (there are "
nz compare nothing.onnx --priority 20
status_is "--priority takes a nice value" 2
has "and says which" "$T/err" "-20 (first) to 19 (last)"
nz compare nothing.onnx --cooldown 55F
status_is "--cooldown takes seconds or degrees" 2
has "and says so" "$T/err" "neither seconds (0 to 3600) nor degrees such as 55C"
nz compare nothing.onnx --width 0
status_is "--width is above 0" 2
nz --help
lacks "worker is not in the help" "$T/out" "worker"

nz compare /nonexistent.onnx --metrics disk_bytes
status_is "a model that is missing has failed" 1
has "the table shows it" "$T/out" "nonexistent"
has "and the notes say why" "$T/out" "failed: /nonexistent.onnx"

nz compare nothing.onnx --detect conf=0.1,speed=1
status_is "an unknown option of the heads is wrong usage" 2
has "it names the option and the key" "$T/err" "speed"
nz compare X=nothing.onnx --data synthetic:shapes-det --preprocess Y=preset=yolox
status_is "preprocessing for no model is wrong usage" 2
has "it names those there are" "$T/err" "none of the models (there is X)"
nz compare nothing.onnx --pictures many
status_is "--pictures takes a number" 2

models=${NETZIP_SHARED:-../shared/data}/models
detector=$models/yolov5n_640.onnx
coco=${NETZIP_SHARED:-../shared/data}/coco-val128
street="coco:$coco/instances.json,images=$coco/images,limit=3,letterbox=640:centre:114:round"
if [ -r "$detector" ] && [ -r "$coco/instances.json" ]; then
    nz compare "$detector" Few="$detector" --data "$street" --metrics map50,map50_95,box_agreement --out "$T/street" \
        --pictures 2 --fail-if 'map50.drop > 0 || box_agreement < 100'
    status_is "the same detector twice is no loss" 0
    has "the ratio is that of mAP" "$T/out" "performance (map50_95)"
    has "the difference is told in points" "$T/out" "mAP50 +0.00 points"
    has "and the matches" "$T/out" "100.0% of the boxes are the same"
    is "two pictures are there for the report" "$(find "$T/street/samples" -name '*.png' | wc -l)" 2
    good "the boxes are a file of their own" test -s "$T/street/detections/Few.json"
    nz compare "$detector" --data "$street" --metrics map50_yolov5 --performance map50_yolov5 --detect max=1 --json
    status_is "heads take options" 0
    has "which stand in the results" "$T/out" 'max=1'
    has "three boxes are found at most" "$T/out" '"boxes": 3'
    has "the ratio is that of the other evaluator" "$T/out" '"of": "map50_yolov5"'
    plain="coco:$coco/instances.json,images=$coco/images,limit=2"
    nz compare "$detector" --data "$plain" --metrics map50
    status_is "a detector without its letterbox ends nothing" 0
    has "what is wrong is said" "$T/out" "the image is 640x426 (width x height) after preprocessing; 640x640 is wanted"
    has "and what mends it" "$T/out" "letterbox="
    if [ -r "$models/yolox_nano.onnx" ]; then
        nz compare V5="$detector" X="$models/yolox_nano.onnx" --data "$plain" --metrics map50 --json \
            --preprocess V5=preset=yolov5 --preprocess X=preset=yolox --fail-if 'map50 < 20'
        status_is "models with letterboxes of their own stand side by side" 0
        has "one has its preprocessing" "$T/out" '"preprocess": "letterbox=640:centre:114:round,color=rgb,scale=1/255"'
        has "the other its own" "$T/out" '"preprocess": "letterbox=416:topleft:114:floor,color=bgr,scale=1"'
        is "on the same two images" "$(grep -c '"images": 2,' "$T/out")" 2
    fi
else
    skip "a comparison of a real detector" "$detector or $coco is absent"
fi

net=$models/mnist-8.onnx
digits=idx:${NETZIP_SHARED:-../shared/data}/mnist,scale=1,limit=200
if [ ! -r "$net" ]; then
    skip "a comparison of a real model" "$net is absent"
    exit 0
fi
head -c 5000 "$net" >"$T/cut.onnx"

nz compare "$net" Copy="$net" --data "$digits" --budget 0.1 --out "$T/report" --fail-if 'top1.drop > 0.5 || macs.ratio < 1'
status_is "two good models end well" 0
has "the table has the name" "$T/out" "Copy"
has "the summary compares" "$T/out" "Against the baseline:"
has "the missing sensor or the energy shows" "$T/out" "energy"
is "a note that holds for both is said once" "$(sed -n '/^Notes:/,$s/^  [^:]*: //p' "$T/out" | sort | uniq -d)" ""
for file in results.json manifest.json; do good "$file is written" test -s "$T/report/$file"; done
good "no parts are left" test ! -e "$T/report/.work"
good "no temporary file is left" sh -c "! ls '$T/report' | grep tmp-"

free=$models/resnet20_cifar10.onnx # its batch is symbolic
nz compare "$free" Copy="$free" --metrics latency_ms,throughput --threads 1,2 --batch 1,8 --budget 0.05 --width 50 \
    --pin 0 --priority 19 --cooldown 0.001 --out "$T/sweep"
if [ ! -r "$free" ]; then
    skip "a sweep of threads and batches" "$free is absent"
elif grep -q 'is not there to run on' "$T/err"; then
    skip "a sweep on CPU 0" "this process may not run there"
else
    status_is "threads, batches, CPUs, priority and rest in one call" 0
    is "it has a row for each" "$(grep -c '"id": "[^"]*/native/t[12]/b[18]"' "$T/sweep/results.json")" 8
    is "the models ran on CPU 0" "$(grep -c '"cpus": "0"' "$T/sweep/times.json")" 12
    is "as the last in line" "$(grep -c '"nice": 19' "$T/sweep/times.json")" 12
    is "all of batch 1 in one race, the others in a second" "$(grep -o '"race": "[^"]*"' "$T/sweep/times.json" | sort -u | wc -l)" 2
    has "the width that was wanted is told" "$T/sweep/results.json" '"wanted_pct": 50'
fi

nz compare "$net" "$T/cut.onnx" --data "$digits" --budget 0.1 --json
status_is "a broken model among good ones gives 1" 1
is "standard output is one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
has "the good one has its accuracy" "$T/out" '"status": "ok"'
has "the broken one has its error" "$T/out" '"status": "failed"'
has "which names the file" "$T/out" 'cut.onnx: '

nz compare "$net" Copy="$net" --data "$digits" --metrics top1 --fail-if 'top1 > 1 && macs.delta == 0'
status_is "a condition that holds gives 1" 1
has "it names the model and the value" "$T/err" "Copy/native/t1/b1: top1 is "

steady() { # what no clock and no neighbour decides
    grep -vE '"(started|seconds|mhz|load1|busy_before_pct|[a-z]*_ns|spread_pct|worst_pct)":' "$T/out"
}
nz compare "$net" --data "$digits" --metrics top1 --json
steady >"$T/first"
nz compare "$net" --data "$digits" --metrics top1 --json
steady >"$T/second"
same "a comparison of accuracy alone gives the same bytes twice" "$T/first" "$T/second"
has "the accuracy is that of these 200 digits" "$T/first" '"n": 200'
