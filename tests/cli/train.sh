#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip train as scripts see it: lists, errors, what it writes, and that a run that was ended in any way goes on.
. "$(dirname "$0")/lib.sh"
export OMP_WAIT_POLICY=PASSIVE

nz train --list
status_is "--list ends well" 0
for name in resnet8 resnet18 resnet20-cifar vgg11-bn mobilenetv2 squeezenet1.1; do
    good "--list has $name" grep -q "^$name  " "$T/out"
done
nz train --list --json
status_is "--list --json ends well" 0
tr -d ' \n' <"$T/out" >"$T/flat"
has "it counts parameters and MACs" "$T/flat" \
    '"name":"resnet20-cifar","input":[3,32,32],"classes":10,"params":269722,"macs":40551040'
nz train --help
has "--help has every key of the table" "$T/out" "--label-smoothing X"
has "with its default" "$T/out" "detectors 16 (default 0)"

nz train --data synthetic:shapes --out "$T/x.onnx"
status_is "a network is needed" 2
nz train --arch resnet8 --model x.onnx --data synthetic:shapes --out "$T/x.onnx"
status_is "but not two" 2
nz train --arch resnet8 --out "$T/x.onnx"
status_is "data are needed" 2
nz train --arch resnet8 --data synthetic:shapes
status_is "a place for the model is needed" 2
nz train --arch resnet9 --data synthetic:shapes --out "$T/x.onnx"
status_is "an unknown architecture is wrong usage" 2
has "and the near one suggested" "$T/err" "did you mean 'resnet8'"
nz train --arch resnet8 --data synthetic:shapes --out "$T/x.onnx" --epochs none
status_is "a number that is none is wrong usage" 2
nz train --arch resnet8 --data synthetic:shapes --out "$T/x.onnx" --schedule stop
has "a choice names what there is" "$T/err" "constant|step|cosine|onecycle"
nz train --arch resnet8 --data synthetic:shapes --out "$T/none/x.onnx"
status_is "a folder that is missing is told before training" 3
nz train --arch resnet8 --data synthetic:shapes,count=20 --out "$T/x.onnx"
has "so are samples that make no batch" "$T/err" "fewer than one batch"
is "an error is one line" "$(wc -l <"$T/err")" 1
nz train --arch resnet8 --data synthetic:shapes,count=640,size=16 --classes 7 --out "$T/x.onnx"
has "and labels that the network has no output for" "$T/err" "the model knows 7 classes"
good "nothing is written then" test ! -e "$T/x.onnx"

# A detector.
nz train --arch yolov5-tiny --data synthetic:shapes-det,count=24,size=64 --test synthetic:shapes-det,count=6,size=64,split=test \
    --anchors fit --epochs 2 --batch 8 --threads 1 --out "$T/boxes.onnx"
status_is "a detector is trained" 0
has "an epoch tells the parts of its loss" "$T/err" ", class 0."
has "and mAP" "$T/err" "test mAP50 "
has "so does the end" "$T/out" "mAP50-95 "
has "anchors are fitted when asked for" "$T/err" "anchors fitted to the data: "
is "the history has its columns filled" "$(tail -n 1 "$T/boxes.history.csv" | tr ',' '\n' | grep -c .)" 10
nz train --model "$T/boxes.onnx" --data synthetic:shapes-det,count=8,size=64,split=train --epochs 1 --batch 8 --threads 1 \
    --out "$T/boxes2.onnx" --json
status_is "and trained on" 0
tr -d ' \n' <"$T/out" >"$T/flat"
has "its options were chosen for a detector" "$T/flat" "optimizer=adamw"
has "top-1 is none of its results" "$T/flat" '"test_top1":null'
has "the parts of the loss are" "$T/flat" '"box_loss":0.'
nz train --arch resnet8 --anchors fit --data synthetic:shapes,count=320,size=16 --out "$T/x.onnx"
has "a classifier has no anchors" "$T/err" "resnet8 is no detector"

# A run of ten epochs, twice.
set -- train --arch resnet8 --data synthetic:shapes,count=320,size=16,split=train --batch 32 --epochs 10 --threads 1 --lr 0.05
nz "$@" --out "$T/whole.onnx" --json
status_is "training ends well" 0
is "--json prints one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
tr -d ' \n' <"$T/out" >"$T/flat"
has "with the options in full" "$T/flat" '"options":"epochs=10,batch=32,lr=0.05,schedule=onecycle,'
has "a line for each epoch tells how it went" "$T/err" "training epoch 10/10: loss "
is "the history has a row for each" "$(wc -l <"$T/whole.history.csv")" 11
is "and names its columns" "$(head -n 1 "$T/whole.history.csv")" \
    "epoch,lr,train_loss,train_top1_pct,test_loss,test_top1_pct,seconds,images_per_s,test_map50_pct,test_map50_95_pct,box_loss,object_loss,class_loss"
good "the curve is drawn as SVG" grep -q "Learning curve of whole" "$T/whole.curve.svg"
is "and as PNG" "$(head -c 4 "$T/whole.curve.png" | tail -c 3)" PNG
good "no checkpoint is left" test ! -e "$T/whole.checkpoint.npz"
nz inspect "$T/whole.onnx" --json --metrics params
status_is "the model is read" 0
nz "$@" --out "$T/again.onnx"
same "the same run gives the same bytes" "$T/whole.onnx" "$T/again.onnx"

# Ended by force in the middle of an epoch: a checkpoint after each step is there to go on from.
"$NETZIP" "$@" --out "$T/killed.onnx" --checkpoint-minutes 1e-9 >"$T/out" 2>"$T/err" &
pid=$!
while [ ! -s "$T/killed.checkpoint.npz" ] && kill -0 $pid 2>"$T/good"; do sleep 0.01; done
kill -9 $pid
wait $pid 2>"$T/good"
good "a killed run leaves no model" test ! -e "$T/killed.onnx"
nz "$@" --out "$T/killed.onnx" --resume --lr 0.06
status_is "other settings are refused" 2
has "by name" "$T/err" "lr is '0.05' there and '0.06' here"
nz "$@" --out "$T/killed.onnx" --resume
status_is "it goes on" 0
has "and says so" "$T/err" "goes on from $T/killed.checkpoint.npz"
same "to the same bytes" "$T/whole.onnx" "$T/killed.onnx"
good "then the checkpoint is gone" test ! -e "$T/killed.checkpoint.npz"

nz "$@" --out "$T/killed.onnx" --resume --json
status_is "a finished run that is resumed is done" 0
has "and says so" "$T/err" "is finished"
is "in one object too" "$(tr -d ' \n' <"$T/out")" "{\"path\":\"$T/killed.onnx\",\"finished\":true}"
same "its model stays" "$T/whole.onnx" "$T/killed.onnx"
nz "$@" --out "$T/killed.onnx" --resume --lr 0.06
status_is "one with other settings is not taken for it" 2
has "which are named" "$T/err" "lr is '0.05' there and '0.06' here"

# Interrupted by the user. Shells start background work with interrupts ignored; env takes that back.
env --default-signal=INT "$NETZIP" "$@" --epochs 100000 --schedule constant --out "$T/stopped.onnx" >"$T/out" 2>"$T/err" &
pid=$!
while [ ! -s "$T/stopped.history.csv" ] && kill -0 $pid 2>"$T/good"; do sleep 0.01; done
kill -INT $pid
status=0
wait $pid || status=$?
status_is "an interrupted run ends with a status of its own" 4
has "it says where it stands and how to go on" "$T/err" "goes on from $T/stopped.checkpoint.npz"
good "and has a checkpoint" test -s "$T/stopped.checkpoint.npz"
nz "$@" --out "$T/stopped.onnx"
has "a run that begins anew says what it replaces" "$T/err" "is of an earlier run that was not finished"

# From a model on, on data of its own.
nz train --model "$T/whole.onnx" --data synthetic:shapes,count=64,size=16,seed=3 --batch 16 --epochs 1 --lr 0.01 --threads 1 \
    --optimizer adamw --schedule cosine --augment none --test synthetic:shapes,count=40,size=16,split=val --out "$T/tuned.onnx"
status_is "a model is trained on" 0
has "tested on what was asked for" "$T/out" "split val, 40 samples"
nz train --model "$T/whole.onnx" --data synthetic:shapes,count=64,size=16 --lr 900 --schedule constant --batch 16 --threads 1 \
    --out "$T/lost.onnx"
status_is "a loss that is no number is an error" 3
has "that says where it appeared" "$T/err" "appears first in"
good "no model is written then" test ! -e "$T/lost.onnx"
nz data make synthetic:shapes,count=40,size=16,split=train "$T/images"
nz train --arch resnet8 --data imagefolder:"$T/images",resize=16x16 --batch 8 --epochs 1 --threads 1 --out "$T/plain.onnx"
status_is "without test samples there is training" 0
has "and a note" "$T/err" "accuracy is not tested (--test DATA)"
has "which says why" "$T/err" "no test or val samples here"
nz train --arch resnet8 --data imagefolder:"$T/images",resize=16x16 --batch 8 --epochs 1 --threads 1 --augment none \
    --out "$T/plain.onnx"
has "samples as they are are not called augmented" "$T/out" "(while training)"
nz train --arch resnet8 --data imagefolder:"$T/images" --batch 8 --out "$T/plain.onnx"
has "images of any size need one" "$T/err" "give resize="
