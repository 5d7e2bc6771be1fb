#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Power sources as scripts see them; a stand-in for NVIDIA's library is found where the loader looks for the real one.
. "$(dirname "$0")/lib.sh"

net=${NETZIP_SHARED:-../shared/data}/models/mnist-8.onnx
fake=${NETZIP_FAKE_NVML:-/nonexistent}

nz doctor --quick
for source in rapl perf hwmon battery pi5 nvml; do
    good "doctor says how $source stands" grep -qE "^ +$source: [^ ]" "$T/out"
done
good "no source is without a reason or a finding" sh -c "! grep -qE '^ +(rapl|perf|hwmon|battery|pi5|nvml): *$' '$T/out'"
nz compare "$net" --power nuclear
status_is "an unknown source is wrong usage" 2
has "it is named" "$T/err" "nuclear"

if [ ! -r "$fake" ] || [ ! -r "$net" ]; then
    skip "power of GPUs" "$fake or $net is absent"
    exit 0
fi
mkdir "$T/lib" && ln -s "$fake" "$T/lib/libnvidia-ml.so.1"
export LD_LIBRARY_PATH="$T/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
nz doctor --quick
has "two GPUs are found" "$T/out" "nvml: 2 GPUs, first: Fake GPU A (energy counters)"
nz compare "$net" --power nvml --metrics energy_j,power_w --budget 1 --json
status_is "a comparison reads them" 0
has "the source is named" "$T/out" '"power_source": "nvml"'
good "joules are measured" sh -c "grep -A8 '\"energy_j\": {' '$T/out' | grep -q '\"source\": \"measured\"'"
NETZIP_FAKE_NVML_MODE=broken
export NETZIP_FAKE_NVML_MODE
nz compare "$net" --power nvml --metrics energy_j,disk_bytes --budget 0.2 --json
has "a driver that does not start is told" "$T/out" "no NVIDIA driver is loaded"
lacks "and no energy is made up" "$T/out" '"power_source": "nvml"'
