#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whether measurements can be defended: the same two models compared again and again, beside a program that loads a core, and
# what measuring costs. `./run bench defend`; on a machine that does nothing else the figures are those of netzip alone.
# usage: bench/defend.sh [--count N] [--budget SECONDS] [--width PCT] [--only coverage|load|overhead]
set -eu
cd "$(dirname "$0")/.."

count=40 budget=3 width=1 only=
while [ $# -gt 0 ]; do
    case $1 in
    --count) count=$2; shift 2 ;;
    --budget) budget=$2; shift 2 ;;
    --width) width=$2; shift 2 ;;
    --only) only=$2; shift 2 ;;
    *) sed -n '5s/^# //p' "$0" >&2; exit 2 ;;
    esac
done
build=${NETZIP_BUILD:-build} shared=${NETZIP_SHARED:-../shared/data}
netzip=$build/netzip defend=$build/bench_defend child=$build/bench_child work=$build/defend
mkdir -p "$work"
burner=
trap '[ -z "$burner" ] || kill "$burner" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

# ---- models: a real network and its 8-bit version where it is there, two of random weights elsewhere ----
first=$shared/models/resnet20_cifar10.onnx second=$work/resnet20-int8.onnx
if [ -r "$first" ]; then
    [ -f "$second" ] || "$netzip" compress "$first" --method ptq --data synthetic:shapes,limit=128 --out "$second" >/dev/null
else
    first=$work/resnet20.onnx second=$work/resnet32.onnx
    "$defend" net "$first"
    "$defend" net "$second" wide
fi
compared() { # FOLDER OPTIONS...: the two models, as one line of figures (bench_defend show)
    folder=$1
    shift
    "$netzip" compare "A=$first" "B=$second" --metrics latency_ms,latency_ms_mean --budget "$budget" --width "$width" --out "$folder" "$@" >/dev/null 2>&1
    "$defend" show "$folder"
}
printf '%s, %s CPUs; %s and %s; budget %s s, wanted width %s%%\n' "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
    "$(basename "$first")" "$(basename "$second")" "$budget" "$width"

# ---- how often the interval holds ----
coverage() {
    folders=
    for i in $(seq "$count"); do
        compared "$work/$i" >"$work/$i.line"
        folders="$folders $work/$i"
    done
    printf '\nthe same two models %s times: latency of A / latency of B, its 95%% interval, the width of it\n' "$count"
    # shellcheck disable=SC2086
    "$defend" cover $folders
}

# ---- beside a program that loads a core ----
load() {
    beside 'one core'
    ! command -v taskset >/dev/null || beside 'the core that the models are pinned to' taskset -c 0
}
beside() { # WHAT [HOW-THE-OTHER-PROGRAM-IS-STARTED...]
    what=$1
    shift
    pin=
    [ $# = 0 ] || pin='--pin 0'
    # shellcheck disable=SC2086
    alone=$(compared "$work/alone" $pin)
    "$@" "$defend" burn &
    burner=$!
    # shellcheck disable=SC2086
    loaded=$(compared "$work/loaded" $pin)
    kill "$burner"
    burner=
    printf '\nalone, and beside a program that loads %s\n' "$what"
    printf '%s\n%s\n' "$alone" "$loaded" | awk '
        { r[NR] = $3; low[NR] = $4; high[NR] = $5; a[NR] = $6; b[NR] = $7; busy[NR] = $8; others[NR] = $9; marks[NR] = $13 }
        function moved(x, y) { return 100 * (y / x - 1) }
        END {
            split("alone,loaded", name, ",")
            for (i = 1; i <= 2; i++)
                printf "%-7s ratio %.4f (%.4f to %.4f); plain means A %.4f ms, B %.4f ms, their ratio %.4f; CPUs %.0f%% busy, others %.0f%%; marks: %s\n",
                    name[i], r[i], low[i], high[i], a[i], b[i], a[i] / b[i], busy[i], others[i], marks[i]
            printf "moved by the load: ratio %+.2f%%, plain mean of A %+.1f%%, of B %+.1f%%, ratio of plain means %+.2f%%, ", moved(r[1], r[2]),
                moved(a[1], a[2]), moved(b[1], b[2]), moved(a[1] / b[1], a[2] / b[2])
            printf "B alone against A loaded %+.1f%%\n", moved(a[1] / b[1], a[2] / b[1])
        }'
}

# ---- what measuring costs ----
overhead() {
    "$defend" empty "$work/empty.onnx"
    "$netzip" compare "$work/empty.onnx" "B=$work/empty.onnx" --metrics latency_ms,latency_ms_mean,ram_bytes --budget "$budget" --out "$work/nothing" >/dev/null 2>&1
    nothing=$("$defend" show "$work/nothing") real=$("$netzip" compare "A=$first" "B=$first" --metrics latency_ms,latency_ms_mean \
        --budget "$budget" --out "$work/real" >/dev/null 2>&1 && "$defend" show "$work/real")
    memory=$("$defend" watch "$netzip" compare "$work/empty.onnx" "B=$work/empty.onnx" --metrics latency_ms --budget "$budget" --json)
    process=$("$child" "$netzip" --version | sed -n 's/.*"bytes": *\([0-9]*\).*/\1/p')
    printf '\nwhat measuring costs\n'
    printf '%s\n%s\n%s\n%s\n' "$nothing" "$real" "$memory" "$process" | awk '
        NR == 1 { ns = $1 * 1e6; clock = $10; loop = $11; worker = $14 }
        NR == 2 { real = $1 * 1e6; real_clock = $10; real_loop = $11 }
        NR == 3 { parent = $1; station = $2 }
        NR == 4 {
            printf "a model that does nothing: %.0f ns an inference, %.3f%% of %.0f ns that the real one takes\n", ns, 100 * ns / real, real
            printf "share of the clock in what it times: %.4f%% (real: %.4f%%); between values: %.4f%% of a block (real: %.4f%%)\n", clock, real_clock, loop, real_loop
            printf "memory beyond a process that does nothing (%.1f MB): worker %.1f MB, parent %.1f MB, station %.1f MB\n", $1 / 1e6, worker / 1e6,
                (parent - $1) / 1e6, (station - $1) / 1e6
        }'
}

for part in coverage load overhead; do
    [ -n "$only" ] && [ "$only" != "$part" ] || "$part"
done
