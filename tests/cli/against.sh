#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What uses results afterwards: --against an earlier run, --fail-if on it, and the log of a meter that was read meanwhile.
. "$(dirname "$0")/lib.sh"

nz train --arch resnet8 --data synthetic:shapes,count=16 --epochs 0.1 --batch 8 --threads 1 --out "$T/a.onnx"
nz train --arch resnet8 --data synthetic:shapes,count=16 --epochs 0.1 --batch 8 --threads 1 --seed 1 --out "$T/b.onnx"
status_is "two small models" 0
data=synthetic:shapes,count=40

# ---- an earlier run that is none costs nothing ----
nz compare "$T/a.onnx" --against "$T/nothing.json"
status_is "an earlier run that is not there is an input error" 3
has "its path is named" "$T/err" "nothing.json: cannot be opened"
echo '{"schema": "netzip.results/9", "models": []}' >"$T/other.json"
nz compare "$T/a.onnx" --against "$T/other.json"
status_is "one of another schema too" 3
has "both schemas are named" "$T/err" "its schema is 'netzip.results/9', where netzip.results/1 is wanted"
is "in one line" "$(wc -l <"$T/err")" 1
head -c 100 "$T/other.json" | head -c 20 >"$T/cut.json"
nz compare "$T/a.onnx" --against "$T/cut.json"
status_is "and one that is cut off" 3
nz compare "$T/a.onnx" --fail-if 'top1.against < 1'
status_is "a condition about no earlier run is wrong usage" 2
has "what mends it is said" "$T/err" "which --against names"

# ---- two runs ----
nz compare A="$T/a.onnx" B="$T/b.onnx" --data $data --metrics top1,disk_bytes,params --out "$T/old"
status_is "an earlier run" 0
nz compare A="$T/a.onnx" C="$T/b.onnx" --data $data --metrics top1,disk_bytes,params --against "$T/old"
status_is "a later one" 0
has "it says against what" "$T/out" "Against $T/old (20"
has "a model that is the same is so in every figure" "$T/out" "  A/native/t1/b1: indistinguishable"
has "one has come" "$T/out" "  C/native/t1/b1: new"
has "one has gone" "$T/out" "  B/native/t1/b1: gone"
nz compare A="$T/a.onnx" B="$T/b.onnx" --data $data --metrics top1,disk_bytes,params --against "$T/old/results.json" \
    --fail-if 'top1.against < 1 || disk_bytes.against < 1 || top1.against.high < 0.5' --out "$T/new"
status_is "nothing got worse" 0
has "the document holds it" "$T/new/results.json" '"against": {'

# A size and an accuracy that were better in the earlier run.
awk '/"disk_bytes": \{/ { inside = 1 } inside && /"value":/ { sub(/[0-9]+/, "1000"); inside = 0 } { print }' \
    "$T/old/results.json" >"$T/better.json"
nz compare A="$T/a.onnx" B="$T/b.onnx" --data $data --metrics top1,disk_bytes,params --against "$T/better.json" \
    --fail-if 'disk_bytes.against < 1'
status_is "a condition on what got worse gives 1" 1
has "it says which model and by how much" "$T/err" "--fail-if: B/native/t1/b1: disk_bytes.against is 0.0"
has "the terminal says worse" "$T/out" "worse   disk_bytes 1.000 kB -> "
nz compare A="$T/a.onnx" --data $data --metrics top1,disk_bytes,params --against "$T/better.json" --fail-if 'disk_bytes.against < 1'
status_is "a model that is alone is held against it too" 1

# ---- a meter ----
nz compare A="$T/a.onnx" B="$T/b.onnx" --metrics latency_ms,energy_j --block 0.2 --budget 1.3 --width 50 --out "$T/run"
status_is "a run with blocks of 0.2 s" 0
# A meter that is 100 s ahead reads 5 W while A computes, 4 W while B does, and 2 W else, every 10 ms.
awk '/"[AB]\/native/ { watts = /"A/ ? 5 : 4 }
    /"unix_s":/ { gsub(/[^0-9.]/, "", $2); from[++count] = $2 + 0; power[count] = watts }
    last ~ /"unix_s":/ && /"seconds":/ { gsub(/[^0-9.]/, "", $2); to[count] = from[count] + $2 }
    { last = $0 }
    END {
        first = from[1]; end = to[1]
        for (i = 1; i <= count; i++) { if (from[i] < first) first = from[i]; if (to[i] > end) end = to[i] }
        print "time,watts"
        for (t = first - 2; t < end + 2; t += 0.01) {
            w = 2
            for (i = 1; i <= count; i++) if (t >= from[i] && t < to[i]) w = power[i]
            printf "%.4f,%d\n", t + 100, w
        }
    }' "$T/run/times.json" >"$T/log.csv"
nz energy "$T/log.csv" --results "$T/run"
status_is "a log that does not meet the run is wrong usage" 2
has "what mends it is said" "$T/err" "--shift auto finds it"
lacks "and nothing was written" "$T/run/results.json" '"meter": {'
nz energy "$T/log.csv" --results "$T/run" --shift auto
status_is "the shift is found" 0
has "it is told" "$T/out" "the meter's clock is "
good "A has its 5 W" grep -qE '^A/native/t1/b1 .* 5\.00[0-9]+ W' "$T/out"
good "B has its 4 W" grep -qE '^B/native/t1/b1 .* (4\.00[0-9]+|3\.99[0-9]+) W' "$T/out"
has "the source is named" "$T/run/results.json" '"by": "log.csv, a sample every 0.01 s, '
good "energies are measured now" sh -c "grep -A8 '\"energy_j\": {' '$T/run/results.json' | grep -q '\"source\": \"measured\"'"
has "the report has them" "$T/run/table.csv" "energy_j"
is "what is to be known of the clock is noted once" "$(grep -o 'meter: the meter.s clock is' "$T/run/results.json" | wc -l)" 1
nz energy "$T/log.csv" --results "$T/run" --shift 100 --json
status_is "a shift that is stated, as JSON" 0
is "standard output is one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
has "the shift is in it" "$T/out" '"shift_s": 100.0'
nz energy "$T/log.csv" --results "$T/run" --start 3
status_is "a window is not for --results" 2
nz energy "$T/log.csv" --shift 3
status_is "a shift is for --results alone" 2
nz energy "$T/log.csv" --results "$T/nothing"
status_is "results that are not there are an input error" 3
nz compare A="$T/a.onnx" --power "meter:$T/nothing.csv"
status_is "a meter whose log is not there is an input error" 3
awk 'NR % 40 == 1' "$T/log.csv" >"$T/slow.csv"
nz energy "$T/slow.csv" --results "$T/run" --shift 100
status_is "a meter that is too slow for the blocks is refused" 2
has "with the blocks it needs" "$T/err" "measure again with netzip compare --block 4"
nz compare A="$T/a.onnx" --power "meter:$T/slow.csv" --block 0.5
status_is "before the run too" 2
nz compare A="$T/a.onnx" --power "meter:$T/log.csv" --meter-shift soon
status_is "a shift that is none is refused before the run" 2
nz compare A="$T/a.onnx" --meter-shift 3
status_is "and one without a meter" 2
nz compare A="$T/a.onnx" --power "meter:$T/log.csv" --metrics energy_j --block 0.1 --budget 0.3 --width 50
status_is "a log that ends before the run costs the joules alone" 0
has "and says why" "$T/out" "the meter's log was not used: "
