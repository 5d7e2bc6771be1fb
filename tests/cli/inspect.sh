#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip inspect: what a model's file says.
. "$(dirname "$0")/lib.sh"
M=${NETZIP_SHARED:-../shared/data}/models

printf 'not a model' >"$T/broken.onnx"
nz inspect "$T/broken.onnx"
status_is "a broken file is an input error" 3
is "it gets one line" "$(wc -l <"$T/err")" 1
is "nothing is printed" "$(cat "$T/out")" ""
nz inspect "$T/none.onnx"
status_is "a missing file is an input error" 3
has "it is named" "$T/err" "none.onnx"
nz inspect "$T/broken.onnx" --input x=1xfour
status_is "a shape that is none is a usage error" 2

if [ ! -r "$M/mnist-8.onnx" ]; then
    skip "inspecting real models" "$M is absent"
    exit 0
fi
nz inspect "$M/mnist-8.onnx"
status_is "a model is inspected" 0
good "MACs are scaled for people" grep -qE 'macs +786\.6 k MAC +derived' "$T/out"
good "initialisers are not inputs" test "$(grep -c '^input ' "$T/out")" = 1
nz inspect "$M/mnist-8.onnx" --json
status_is "--json succeeds" 0
tr -d ' \n' <"$T/out" >"$T/flat"
has "counts are exact" "$T/flat" '"macs":{"value":786560,"unit":"MAC","category":"speed","better":"lower","source":"derived"}'
has "parameters too" "$T/flat" '"params":{"value":5994,'
has "inputs have name, type and shape" "$T/flat" '"inputs":[{"name":"Input3","type":"float","shape":[1,1,28,28]}]'
has "the counting convention is named" "$T/flat" '"counting":"netzip"'
has "the file's hash" "$T/flat" "\"sha256\":\"$(sha256sum "$M/mnist-8.onnx" | cut -c 1-64)\""
lacks "entropy is left out unless asked for" "$T/out" "entropy_bytes"
lacks "layers too" "$T/out" '"layers"'
is "nothing is said on standard error" "$(cat "$T/err")" ""
nz inspect "$M/mnist-8.onnx" --json --metrics entropy_bytes,Latency
has "entropy comes when asked for" "$T/out" '"entropy_bytes"'
has "what would have to be measured says so" "$T/out" "inspect only reads the file; netzip compare measures it"
nz inspect "$M/mnist-8.onnx" --per-layer
has "layers are listed with their kernel" "$T/out" "Convolution28"
good "every layer has a kernel" sh -c "! grep -qE '^[A-Z].* -\$' '$T/out'"
nz inspect "$M/resnet20_cifar10.onnx" --json
tr -d ' \n' <"$T/out" >"$T/flat"
has "a symbolic extent keeps its name" "$T/flat" '"shape":["N",3,32,32]'
nz inspect "$M/mnist-8.onnx" --metrics macz
status_is "an unknown metric is a usage error" 2
has "the nearest one is named" "$T/err" "did you mean 'macs'"
nz inspect "$M/mnist-8.onnx" --input Input3=2x1x28x28
status_is "a shape that does not fit is an input error" 3
has "both shapes are named" "$T/err" "1x1x28x28"
nz inspect "$M/mnist-8.onnx" --input nobody=1x1x28x28
good "an input that is not there is named" grep -q nobody "$T/err"
