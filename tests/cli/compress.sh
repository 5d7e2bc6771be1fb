#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip compress as scripts see it: exit statuses, what goes where, and that nothing is written where it fails.
. "$(dirname "$0")/lib.sh"

nz compress --list
status_is "--list ends well" 0
for method in ptq qat gup-l1 gup-r fp16 bf16; do good "--list has $method" grep -q "^$method  " "$T/out"; done
nz compress --list --json
status_is "--list --json ends well" 0
is "it prints one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
tr -d ' \n' <"$T/out" >"$T/flat"
has "a key has its default" "$T/flat" '{"key":"sparsity","default":"0.5","help":'
has "a key without a default has none" "$T/flat" '{"key":"exclude","default":"","help":"layers'
has "a method that trains takes the keys of training" "$T/flat" '{"key":"momentum","default":"0.9","help":'

nz compress --method fp16 --out "$T/x.onnx"
status_is "a model is needed" 2
nz compress none.onnx --out "$T/x.onnx"
status_is "a method is needed" 2
nz compress none.onnx --method fp16
status_is "a place for the result is needed" 2
nz compress none.onnx --method gup-l2 --out "$T/x.onnx"
status_is "an unknown method is wrong usage, whatever the model" 2
has "it suggests the near one" "$T/err" "did you mean 'gup-l1'?"
nz compress none.onnx --method gup-l1,sparsty=0.5 --out "$T/x.onnx"
status_is "an unknown key is wrong usage" 2
nz compress none.onnx --method ptq --out "$T/x.onnx"
status_is "a method that needs samples says so" 2
has "by the option" "$T/err" "--data DATA is needed"
nz compress none.onnx --method gup-l1,finetune=1 --out "$T/x.onnx"
status_is "a method needs samples once it trains" 2
nz compress none.onnx --method gup-l1,lr=-1 --out "$T/x.onnx"
status_is "a key of training is checked" 2
nz compress none.onnx --method gup-l1 --test synthetic:shapes --out "$T/x.onnx"
status_is "--test is refused where nothing trains" 2
nz compress none.onnx --method ptq --data synthetic:shapes --resume --out "$T/x.onnx"
status_is "--resume likewise" 2
nz compress none.onnx --method fp16 --out "$T/x.onnx"
status_is "a missing model is an input error" 3
is "an error is one line" "$(wc -l <"$T/err")" 1
printf 'not a model' >"$T/broken.onnx"
printf 'kept' >"$T/x.onnx"
nz compress "$T/broken.onnx" --method fp16 --out "$T/x.onnx"
status_is "a broken model is an input error" 3
is "what stood at the place of the result stays" "$(cat "$T/x.onnx")" "kept"

# A network that is trained here, compressed by training it further.
nz train --arch resnet8 --data synthetic:shapes,limit=64 --epochs 1 --batch 32 --threads 1 --out "$T/net.onnx"
status_is "a network is trained" 0
nz compress "$T/net.onnx" --method gup-l1,sparsity=0.75,linear=1,finetune=2,batch=32,ramp=cubic --data synthetic:shapes,limit=64 \
    --test synthetic:shapes,split=test,limit=32 --threads 1 --out "$T/tuned.onnx" --json
status_is "pruning with fine-tuning ends well" 0
tr -d ' \n' <"$T/out" >"$T/flat"
has "the history is in the document" "$T/flat" '"epochs":[{"epoch":1.0,"lr":'
has "the method is told in full" "$T/flat" '"method":"gup-l1,sparsity=0.75,linear=1,finetune=2,ramp=cubic,'
has "each epoch is told" "$T/err" "fine-tuning epoch 2/2: loss"
is "the history lies beside the model" "$(wc -l <"$T/tuned.history.csv")" 3
good "the checkpoint is gone" test ! -e "$T/tuned.checkpoint.npz"
cp "$T/tuned.onnx" "$T/before.onnx"
nz compress "$T/net.onnx" --method gup-l1,sparsity=0.75,linear=1,finetune=2,batch=32,ramp=cubic --data synthetic:shapes,limit=64 \
    --threads 1 --out "$T/tuned.onnx" --resume
status_is "training that is finished is not begun anew" 0
has "which is said" "$T/err" "is finished"
same "its model stays" "$T/before.onnx" "$T/tuned.onnx"
nz compress "$T/net.onnx" --method gup-l1,sparsity=0.5,finetune=2,batch=32 --data synthetic:shapes,limit=64 --threads 1 \
    --out "$T/tuned.onnx" --resume
status_is "another method's result is not taken for it" 2
has "what differs is named" "$T/err" "sparsity is '0.75' there and '0.5' here"
nz inspect "$T/tuned.onnx" --metrics sparsity --json
tr -d ' \n' <"$T/out" >"$T/flat"
has "three quarters are zero" "$T/flat" '"value":75'
nz compress "$T/net.onnx" --method qat,wbits=4,epochs=1,batch=32,samples=32 --data synthetic:shapes,limit=64 --threads 1 \
    --out "$T/int4.onnx"
status_is "quantisation-aware training ends well" 0
has "it says what became of the layers" "$T/out" "run in integers (int4 per-channel weights, uint8 activations)"
nz inspect "$T/int4.onnx" --json
has "the result says what was done to it" "$T/out" '"technique": "QAT"'

net=${NETZIP_SHARED:-../shared/data}/models/mnist-8.onnx
if [ ! -r "$net" ]; then
    skip "compressing a real model" "$net is absent"
    exit 0
fi
nz compress "$net" --method gup-l1,sparsity=0.25 --out "$T/pruned.onnx" --json
status_is "pruning ends well" 0
is "--json prints one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
is "and nothing else" "$(cat "$T/err")" ""
has "with the method in full" "$T/out" '"method": "gup-l1,sparsity=0.25,linear=0"'
nz inspect "$T/pruned.onnx" --metrics sparsity --json
tr -d ' \n' <"$T/out" >"$T/flat"
has "the result says what was done to it" "$T/flat" '"technique":"GUP_L1"'
nz compress "$net" --method fp16,exclude=Convv --out "$T/half.onnx"
status_is "a pattern that fits nothing is no error" 0
has "but is told" "$T/err" "exclude: no node's name or operator fits 'Convv'"
nz compress "$net" --method fp16 --out "$T/none/half.onnx"
status_is "a folder that is missing is an input error" 3

nz data make synthetic:shapes,limit=20 "$T/shapes"
broken=$(find "$T/shapes/train" -name '*.png' | sort | head -n 1)
printf 'not a picture' >"$broken"
nz compress "$net" --method ptq,samples=20,sqnr=2 --out "$T/int8.onnx" \
    --data "imagefolder:$T/shapes,resize=28x28,color=gray,scale=1" --json
status_is "a broken image ends nothing" 0
has "it is counted" "$T/out" '"broken_samples": 1'
has "and named" "$T/err" "$(basename "$broken")"
