#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip import as scripts see it: what it prints, what it writes, and that a broken file is one line and exit status 3.
. "$(dirname "$0")/lib.sh"

# safetensors FILE HEADER BYTES: a header and that many bytes of zeros.
safetensors() {
    length=${#2}
    {
        # shellcheck disable=SC2059
        printf "$(printf '\\%03o\\%03o\\000\\000\\000\\000\\000\\000' $((length % 256)) $((length / 256)))"
        printf '%s' "$2"
        head -c "$3" /dev/zero
    } >"$1"
}
safetensors "$T/head.safetensors" '{"net.fc.weight":{"dtype":"F16","shape":[7,64],"data_offsets":[0,896]},"net.fc.bias":{"dtype":"F16","shape":[7],"data_offsets":[896,910]},"net.bn1.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[910,918]},"epoch":{"dtype":"U8","shape":[],"data_offsets":[918,919]},"net.conv1.weight":{"dtype":"F16","shape":[16,3,3,3],"data_offsets":[919,1783]}}' 1783

nz import "$T/head.safetensors"
status_is "without --arch the tensors are shown" 0
has "with their types and shapes" "$T/out" "net.fc.weight                float16  7x64"
has "their number" "$T/out" "5 tensors, 889 elements"
has "their format" "$T/out" "safetensors"
has "and the network that fits best" "$T/out" "fits best: resnet8 with 7 classes: 3 tensors fit"
nz import "$T/head.safetensors" --list --json
is "--list --json prints one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
tr -d ' \n' <"$T/out" >"$T/flat"
has "with every tensor" "$T/flat" '{"name":"net.fc.bias","type":"float16","shape":[7]}'
has "and the best fit" "$T/flat" '"fits_best":"resnet8"'

nz import "$T/head.safetensors" --arch resnet8 --out "$T/model.onnx" --preprocess preset=cifar10
status_is "a part of the weights is imported" 0
has "what was loaded is told" "$T/out" "loaded     3 tensors into resnet8 with 7 classes, as many as the checkpoint has"
has "so is a prefix" "$T/out" "prefix     'net.' in front of their names"
has "counters are passed over" "$T/out" "passed     1 counters"
has "what is missing is named" "$T/out" "  bn1.running_mean"
has "what is left over is named" "$T/out" "  epoch"
nz inspect "$T/model.onnx" --metrics params --json
status_is "the model is whole" 0
nz import "$T/head.safetensors" --arch resnet8 --classes 3 --out "$T/model.onnx" --json
status_is "another number of classes" 0
is "--json prints one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
tr -d ' \n' <"$T/out" >"$T/flat"
has "a head of another size is told" "$T/flat" '"reshaped":["fc.weight:7x64inthecheckpoint,3x64inthenetwork","fc.bias:7in'
nz import "$T/head.safetensors" --arch resnet8 --fold --size 64x48 --out "$T/folded.onnx"
status_is "--fold and --size" 0
nz inspect "$T/folded.onnx" --per-layer
lacks "no batch normalisation is left" "$T/out" "BatchNormalization"

safetensors "$T/other.safetensors" '{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}' 12
printf 'kept' >"$T/kept.onnx"
nz import "$T/other.safetensors" --arch resnet8 --out "$T/kept.onnx"
status_is "weights of which none fits are an input error" 3
is "of one line" "$(wc -l <"$T/err")" 1
has "that names file, tensor and network" "$T/err" "other.safetensors: none of its 1 tensors (the first: w, 3) fits a parameter of resnet8"
is "what stood at the place of the result stays" "$(cat "$T/kept.onnx")" "kept"
nz import "$T/other.safetensors"
has "that no network fits is told" "$T/out" "fits none of the known architectures"

nz import
status_is "a checkpoint is needed" 2
nz import "$T/head.safetensors" --out "$T/x.onnx"
status_is "--out alone is wrong usage" 2
has "which names what lacks" "$T/err" "--arch NAME is needed"
nz import "$T/head.safetensors" --arch resnet8
status_is "a place for the result is needed" 2
nz import "$T/head.safetensors" --arch resnet88 --out "$T/x.onnx"
status_is "an unknown network is wrong usage" 2
has "the near one is suggested" "$T/err" "did you mean"
nz import "$T/head.safetensors" --arch resnet8 --size 12 --out "$T/x.onnx"
status_is "a size of one number is wrong usage" 2
nz import "$T/head.safetensors" --arch resnet8 --preprocess batch=3 --out "$T/x.onnx"
status_is "a key that is none of preprocessing is wrong usage" 2
nz import "$T/none.pt" --arch resnet8 --out "$T/x.onnx"
status_is "a missing file is an input error" 3

# A pickle that would run a command where Python reads it: nothing runs here.
printf '\200\002\212\012\154\374\234\106\371\040\152\250\120\031.\200\002M\351\003.\200\002}.\200\002}X\001\000\000\000acos\nsystem\nX\025\000\000\000touch %s\205Rs.\200\002].' "owned-by-pickle" >"$T/evil.pt"
nz import "$T/evil.pt"
status_is "a checkpoint of calls alone is an input error" 3
has "because it holds no tensor" "$T/err" "evil.pt: a checkpoint without a single tensor"
is "and nothing was executed" "$(find . -maxdepth 1 -name 'owned*')" ""
head -c 30 "$T/evil.pt" >"$T/cut.pt"
nz import "$T/cut.pt"
status_is "a file that is cut off is an input error" 3
is "told in one line" "$(wc -l <"$T/err")" 1
has "with the place" "$T/err" "cut.pt: broken pickle at byte"

weights=${NETZIP_SHARED:-../shared/data}/models/resnet20-12fca82f.th
images=${NETZIP_DATA:-$HOME/.cache/netzip-data}/cifar10-jpeg
if [ ! -r "$weights" ] || [ ! -d "$images" ]; then
    skip "published weights predict as their ONNX file does" "$weights or $images is absent"
    exit 0
fi
preprocess=mean=0.485:0.456:0.406,std=0.229:0.224:0.225
nz import "$weights" --arch resnet20-cifar --preprocess "$preprocess" --out "$T/r20.onnx"
status_is "published weights are imported" 0
has "all of them" "$T/out" "loaded     97 tensors"
lacks "none is missing" "$T/out" "missing"
nz compare "onnx=${weights%/*}/resnet20_cifar10.onnx" "import=$T/r20.onnx" --threads 1 \
    --data "cifar10:$images,split=test,limit=300,$preprocess" --metrics agreement --out "$T/compared"
status_is "beside the ONNX file" 0
tr -d ' \n' <"$T/compared/results.json" >"$T/flat"
is "they agree on every image" "$(grep -o '"agreement":{"value":100.0,' "$T/flat" | wc -l)" 2
