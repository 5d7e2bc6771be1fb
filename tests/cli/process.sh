#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What compare says about a model's processor and memory: counters per inference, the split of memory, the layers' sum.
. "$(dirname "$0")/lib.sh"
export OMP_WAIT_POLICY=PASSIVE

# number MODEL-NUMBER KEY FIELD: the field of the first object called KEY in the n-th model; empty where it is null.
number() {
    awk -v n="$1" -v key="\"$2\": {" -v field="\"$3\":" '
        /^      "id": / { at++ }
        at == n && index($0, key) { inside = 1 }
        at == n && inside && index($0, field) { sub(/.*: /, ""); sub(/,$/, ""); if ($0 != "null") print; exit }
        inside && /^ *}/ { inside = 0 }' "$T/results"
}
calc() { awk "BEGIN { exit !($1) }"; }

nz train --arch resnet8 --data synthetic:shapes,count=16 --epochs 0.1 --batch 8 --threads 1 --out "$T/a.onnx"
status_is "a small model is made" 0
nz compress "$T/a.onnx" --method ptq --data synthetic:shapes,count=16 --out "$T/b.onnx"
status_is "and one in 8 bits" 0

nz compare A="$T/a.onnx" B="$T/b.onnx" --budget 0.2 --json --metrics \
    latency_ms,instructions,cycles,instructions_per_cycle,cache_misses,branch_misses,context_switches,page_faults,ram_bytes,ram_peak_pss_bytes,ram_weights_bytes,ram_activations_bytes,ram_rest_bytes
status_is "they are compared" 0
cp "$T/out" "$T/results"

for id in instructions cycles instructions_per_cycle cache_misses branch_misses; do
    if [ -n "$(number 1 $id value)" ]; then
        good "$id is a number" calc "$(number 1 $id value) > 0"
    else
        good "$id is missing for a reason that names the machine, the setting or the container" \
            sh -c "printf %s '$(number 1 $id reason)' | grep -qE 'shows no such counter|perf_event_paranoid|seccomp|not permitted|held the CPU|no perf_event_open'"
    fi
done
for id in context_switches page_faults; do
    value=$(number 1 $id value)
    good "$id is counted everywhere" calc "${value:--1} >= 0"
done
good "it says how many inferences were counted" calc "$(number 1 context_switches n) >= 5"

for model in 1 2; do
    peak=$(number $model ram_peak_pss_bytes value) weights=$(number $model ram_weights_bytes value)
    activations=$(number $model ram_activations_bytes value) rest=$(number $model ram_rest_bytes value)
    if [ -z "$peak" ]; then
        skip "memory of model $model" "this kernel does not tell the proportional set size"
        continue
    fi
    good "the parts of model $model's memory add up" calc "$weights + $activations + $rest == $peak"
    good "each of them is there" calc "$weights > 0 && $activations > 0 && $rest > 0"
done
# 78,000 parameters: their floats at least, and not more than a few copies of them (Winograd's are four times as large).
if [ -n "$(number 1 ram_weights_bytes value)" ]; then
    good "weights take what they should" calc "$(number 1 ram_weights_bytes value) > 290000 && $(number 1 ram_weights_bytes value) < 6 * 312000"
    good "in 8 bits they take less" calc "$(number 2 ram_weights_bytes value) < $(number 1 ram_weights_bytes value)"
fi

sum=$(number 1 layers_total sum_ms) whole=$(number 1 layers_total latency_ms) pct=$(number 1 layers_total pct)
good "the layers' times add up to a sum" calc "$sum > 0"
good "the whole that it is held against is the latency" calc "$whole == $(number 1 latency_ms value)"
good "and the share is that of the two" calc "$pct > 99.99 * $sum / $whole && $pct < 100.01 * $sum / $whole"
good "the clock's own time is told" calc "$(number 1 layers_total clock_overhead_ns) > 0"
if calc "$pct > 90 && $pct < 110"; then
    lacks "a sum near the whole needs no note" "$T/results" "the times of the layers add up to $(printf %.0f "$pct")%"
else
    has "a sum far from the whole is told in a note" "$T/results" "the times of the layers add up to"
fi
has "major page faults and swap are told" "$T/results" '"page_faults_major":'
