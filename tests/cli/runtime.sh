#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runtimes beside our own: libraries that are missing, broken or not the one that is meant; ONNX Runtime itself where it is.
. "$(dirname "$0")/lib.sh"
unset NETZIP_ONNXRUNTIME
export HOME="$T" XDG_DATA_HOME="$T/data"

nz runtime list
status_is "runtime list ends well" 0
has "our own engine is listed" "$T/out" "netzip's own engine"
nz runtime list --json
has "every runtime says whether it is usable" "$T/out" '"usable": true'
nz runtime install nothing
status_is "an unknown runtime cannot be installed" 2
nz runtime forget
status_is "runtime knows list and install" 2

# NAME LIBRARY MODE EXPECTED
refused() {
    NETZIP_ONNXRUNTIME=$2 NETZIP_FAKE_ORT=$3 nz runtime list
    has "$1" "$T/out" "$4"
    is "$1: one line" "$(grep -c onnxruntime "$T/out")" 1
}
echo "no library" >"$T/text.so"
mkdir "$T/empty"
cp "$NETZIP_FAKE_ORT_LIBRARY" "$T/old.so"
refused "a library that is not there" "$T/nowhere.so" "" "where there is no libonnxruntime"
refused "a folder without the library" "$T/empty" "" "where there is no libonnxruntime"
refused "a text file" "$T/text.so" "" "cannot be loaded"
refused "a library of something else" "$NETZIP_FAKE_NVML" "" "does not export OrtGetApiBase"
refused "an old release" "$NETZIP_FAKE_ORT_LIBRARY" old "is ONNX Runtime 1.12.1: 1.16 or later is needed"
refused "no version" "$NETZIP_FAKE_ORT_LIBRARY" mute "tells no version"
refused "a table that answers wrongly" "$NETZIP_FAKE_ORT_LIBRARY" lies "does not answer like it"

model=$T/net.onnx
nz train --arch resnet8 --data synthetic:shapes,limit=64 --batch 32 --epochs 1 --out "$model"
status_is "a small network" 0
NETZIP_ONNXRUNTIME=$T/text.so nz compare "$model" --data synthetic:shapes,limit=32 --runtime native,onnxruntime \
    --budget 0.2 --out "$T/broken" --metrics top1,latency_ms
status_is "a runtime that is not there fails its variants" 1
has "the others are measured" "$T/broken/results.json" '"id": "net/native/t1/b1"'
has "with the reason" "$T/broken/results.json" "cannot be loaded"
nz compare "$model" --runtime onnxruntim
status_is "an unknown runtime is the command line's fault" 2
has "the known ones are named" "$T/err" "native, onnxruntime"

library=${NETZIP_DATA:-}/peers/node_modules/onnxruntime-node/bin/napi-v6/linux/x64
if [ "$(uname -m)" != x86_64 ] || [ ! -d "$library" ]; then
    skip "models in ONNX Runtime" "its library is not in NETZIP_DATA/peers"
    exit 0
fi
export NETZIP_ONNXRUNTIME=$library
nz compare "$model" --data synthetic:shapes,limit=200 --runtime native,onnxruntime --budget 0.3 --out "$T/both" \
    --metrics top1,latency_ms,activation_peak_bytes --threads 1,2
status_is "both runtimes side by side" 0
is "both give the same accuracy" \
    "$(grep -A1 '"top1": {' "$T/both/results.json" | grep value | sort -u | wc -l)" 1
has "what ONNX Runtime does not tell is unavailable" "$T/both/results.json" "does not tell what it holds in memory"
has "its kernels' times bear our layers' names" "$T/both/results.json" '"kernel": "CPU:'
nz compare "$model" --runtime onnxruntime:level=none:spin=0 --budget 0.2 --metrics latency_ms
status_is "its options stand behind its name" 0
nz compare "$model" --runtime onnxruntime:level=most --budget 0.2 --metrics latency_ms
status_is "an unknown level fails the model" 1
has "and says what there is" "$T/err" "none|basic|extended|all"
nz compare "$model" --runtime onnxruntime:provider=Nonsense --budget 0.2 --metrics latency_ms
status_is "an execution provider that is not there fails the model" 1
has "by its name" "$T/err" "execution provider Nonsense"
