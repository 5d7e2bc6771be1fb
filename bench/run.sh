#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measures netzip beside ONNX Runtime and PyTorch, run in turns in the same call: on a machine whose speed drifts, times
# say little and ratios hold. A ratio below 1 means that netzip is faster.
# usage: bench/run.sh [--rounds N] [--runs N] [--peers FOLDER] [--train | --detections]   (training steps, or evaluating detections, alone)
#        bench/run.sh defend ...: whether measurements can be defended (bench/defend.sh)
set -eu
cd "$(dirname "$0")/.."
if [ "${1-}" = defend ]; then
    shift
    exec bench/defend.sh "$@"
fi

train_only='' detections_only=''
rounds=5 runs=40 peers=${NETZIP_DATA:-$HOME/.cache/netzip-data}/peers
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --runs) runs=$2; shift 2 ;;
    --peers) peers=$2; shift 2 ;;
    --train) train_only=1; shift ;;
    --detections) detections_only=1; shift ;;
    *) sed -n '5s/^# //p' "$0" >&2; exit 2 ;;
    esac
done
work=$peers/models shared=${NETZIP_SHARED:-../shared/data} data=${NETZIP_DATA:-$HOME/.cache/netzip-data}
netzip=build/netzip native=build/bench_native
mkdir -p "$work"
note() { printf 'bench: %s\n' "$*" >&2; }

# ---- peers ----
ort=$peers/node_modules/onnxruntime-node
if [ ! -d "$ort" ] && command -v npm >/dev/null 2>&1; then
    note "installing onnxruntime-node 1.30.0 into $peers"
    (cd "$peers" && npm install --silent --no-fund --no-audit --ignore-scripts onnxruntime-node@1.30.0) >&2 || true
fi
[ -d "$ort" ] || { note "ONNX Runtime is unavailable: npm could not install onnxruntime-node"; ort=; }
python=/usr/bin/python3
$python -c 'import torch, torchvision' 2>/dev/null || { note "PyTorch is unavailable: apt-get install python3-torch python3-torchvision python3-onnx"; python=; }

# What bench_child says of a command: wall seconds and peak memory.
seconds() { sed -n 's/.*"seconds": *\([0-9.]*\).*/\1/p'; }
bytes() { sed -n 's/.*"bytes": *\([0-9]*\).*/\1/p'; }
cost() { printf '%s s, %s MB at most' "$(printf %s "$1" | seconds)" "$(printf %s "$1" | bytes | awk '{ printf "%.1f", $1 / 1e6 }')"; }

# ---- evaluating detections: 5,000 images, 80 classes, 85,000 boxes, annotations of 23 MB ----
detections() {
    found=$peers/detections
    [ -f "$found/found.json" ] || build/make_coco "$found"
    printf '\n%s\n' "evaluating 85,000 detections on 5,000 images, one thread"
    for replicates in 0 400 1000; do
        printf 'netzip, %s resamples for the intervals: %s\n' $replicates "$(cost "$(build/bench_child \
            $netzip evaluate --ground-truth "$found/truth.json" --detections "$found/found.json" --replicates $replicates)")"
    done
    if /usr/bin/python3 -c 'import pycocotools' 2>/dev/null; then
        printf 'the reference evaluator: %s\n' "$(cost "$(build/bench_child /usr/bin/python3 bench/coco_peer.py "$found")")"
    else
        note "the reference evaluator is unavailable: python3 has no pycocotools"
    fi
}

if [ -n "$detections_only" ]; then detections; exit; fi

# ---- a training step, in turns ----
training() {
    steps=$((runs / 4 + 2))
    trained() { build/bench_train "$1" --side "$2" --batch "$3" --classes 10 --threads "$4" --runs $steps ${5:+--bf16} | median_of; }
    torched() { $python bench/torch_peer.py train "$1" "$2" "$3" "$5" "$4" $steps | median_of; }
    used() { sed -n 's/.*"bytes": *\([0-9]*\).*/\1/p' | awk '{ printf "%.0f MB", $1 / 1e6 }'; }
    printf '\n%s\n' "a training step (forward, backward, SGD with momentum), $rounds rounds of $steps steps"
    printf '%-26s %7s  %-18s %10s %10s %8s   %s\n' 'model, batch' threads peer 'netzip ms' 'peer ms' ratio 'least to largest'
    for threads in 1 2; do
        for model in 'resnet18 32 32' 'resnet20-cifar 32 128'; do
            # shellcheck disable=SC2086
            set -- $model
            [ -z "$python" ] || row "$1 ($2x$2), $3" $threads "PyTorch" trained "$@" $threads -- torched "$@" $threads default
            [ -z "$python" ] || row "$1 ($2x$2), $3" $threads "PyTorch chan. last" trained "$@" $threads -- torched "$@" $threads channels-last
            row "$1-bf16 ($2x$2), $3" $threads "netzip FP32" trained "$@" $threads bf16 -- trained "$@" $threads
        done
    done
    for model in 'resnet18 32 32' 'resnet20-cifar 32 128'; do
        # shellcheck disable=SC2086
        set -- $model
        printf 'memory of training %s, 2 threads: netzip %s' "$1, batch $3" \
            "$(build/bench_train "$1" --side "$2" --batch "$3" --classes 10 --threads 2 --runs 3 | used)"
        [ -z "$python" ] || printf ', PyTorch beyond its import %s, channels last %s' \
            "$($python bench/torch_peer.py train "$1" "$2" "$3" default 2 3 | used)" "$($python bench/torch_peer.py train "$1" "$2" "$3" channels-last 2 3 | used)"
        printf '\n'
    done
}

# ---- models ----
fp32=$work/resnet18.onnx
[ -f "$fp32" ] || [ -z "$python" ] || [ -n "$train_only" ] || $python bench/torch_peer.py export "$fp32" >&2
quantise() { # MODEL DATA OUT
    [ -n "$train_only" ] || [ ! -f "$1" ] || [ "$3" -nt "$1" ] && [ "$3" -nt $netzip ] || $netzip compress "$1" --method ptq --data "$2" --out "$3" >/dev/null
}
image_data() { # PREPROCESSING: real images where they are, shapes of the same size elsewhere
    if [ -d "$shared/imagenet500" ]; then echo "list:$shared/imagenet500/labels.csv,limit=32,$1"; else echo "synthetic:shapes,size=256,limit=32,$1"; fi
}
[ ! -f "$fp32" ] || quantise "$fp32" "$(image_data crop=224)" "$work/resnet18-int8.onnx"
squeeze=$shared/models/squeezenet1.0_deepcompressed.onnx resnet20=$shared/models/resnet20_cifar10.onnx
[ ! -f "$squeeze" ] || quantise "$squeeze" "$(image_data crop=227,color=bgr,scale=1,mean=104:117:123)" "$work/squeezenet-int8.onnx"
cifar=mean=0.485:0.456:0.406,std=0.229:0.224:0.225
[ ! -f "$resnet20" ] || [ ! -d "$data/cifar10-jpeg" ] || quantise "$resnet20" "cifar10:$data/cifar10-jpeg,split=train,limit=512,$cifar" "$work/resnet20-int8.onnx"

yolox=$shared/models/yolox_nano.onnx yolov5n=$shared/models/yolov5n_640.onnx
scenes() { # PREPROCESSING: real images where they are, made scenes elsewhere
    if [ -d "$shared/coco-val128" ]; then echo "yolo:$shared/coco-val128,limit=64,$1"; else echo "synthetic:shapes-det,size=320,limit=64,$1"; fi
}
[ ! -f "$yolox" ] || quantise "$yolox" "$(scenes preset=yolox)" "$work/yolox-int8.onnx"
[ ! -f "$yolov5n" ] || quantise "$yolov5n" "$(scenes preset=yolov5)" "$work/yolov5n-int8.onnx"

# ---- latency, in turns ----
median_of() { sed -n 's/.*"median_ms": *\([0-9.eE+-]*\).*/\1/p'; }
# Threads that wait longer than about a fifth of a millisecond sleep, so that other work on the machine costs them less.
GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-2000}
export GOMP_SPINCOUNT
ours() { $native "$1" --threads "$2" --runs "$runs" ${3:+--compute "$3"} | median_of; }
theirs() { node bench/ort.mjs "$peers" "$1" "$2" "$runs" | median_of; }

# Reads "ours theirs" lines; prints the medians and the median, least and largest of the ratios.
summarise() {
    awk '{ a[NR] = $1; b[NR] = $2; r[NR] = $1 / $2 }
        function middle(v, n,   i, j, t, w) { for (i = 1; i <= n; i++) w[i] = v[i]
            for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (w[j] < w[i]) { t = w[i]; w[i] = w[j]; w[j] = t }
            low = w[1]; high = w[n]; return n % 2 ? w[(n + 1) / 2] : (w[n / 2] + w[n / 2 + 1]) / 2 }
        END { m = middle(a, NR); n = middle(b, NR); q = middle(r, NR)
            printf "%10.3f %10.3f %8.3f   %.3f to %.3f\n", m, n, q, low, high }'
}
row() { # NAME THREADS PEER COMMAND-OURS... -- COMMAND-THEIRS...
    name=$1 threads=$2 peer=$3
    shift 3
    mine= other=
    while [ "$1" != -- ]; do mine="$mine '$1'"; shift; done
    shift
    while [ $# -gt 0 ]; do other="$other '$1'"; shift; done
    pairs=
    for _ in $(seq "$rounds"); do pairs="$pairs$(eval "$mine") $(eval "$other")
"; done
    printf '%-26s %7s  %-18s %s\n' "$name" "$threads" "$peer" "$(printf %s "$pairs" | summarise)"
}

if [ -n "$train_only" ]; then training; exit; fi
printf '%s\n' "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, batch 1, $rounds rounds of $runs runs"
printf '%-26s %7s  %-18s %10s %10s %8s   %s\n' model threads peer 'netzip ms' 'peer ms' ratio 'least to largest'
torch_latency() { $python bench/torch_peer.py latency "$1" "$runs" | median_of; }
for threads in 1 2; do
    for model in resnet18:"$fp32" resnet20:"$resnet20" squeezenet:"$squeeze" yolox:"$yolox" yolov5n:"$yolov5n" \
        resnet18-int8:"$work/resnet18-int8.onnx" resnet20-int8:"$work/resnet20-int8.onnx" squeezenet-int8:"$work/squeezenet-int8.onnx" \
        yolox-int8:"$work/yolox-int8.onnx" yolov5n-int8:"$work/yolov5n-int8.onnx"; do
        name=${model%%:*} path=${model#*:}
        if [ ! -f "$path" ]; then note "$name: $path is absent"; continue; fi
        [ -z "$ort" ] || row "$name" $threads "ONNX Runtime" ours "$path" $threads -- theirs "$path" $threads
    done
    [ ! -f "$fp32" ] || row resnet18-bf16 $threads "netzip FP32" ours "$fp32" $threads bf16 -- ours "$fp32" $threads
    [ -z "$python" ] || [ ! -f "$fp32" ] || row resnet18 $threads "PyTorch" ours "$fp32" $threads -- torch_latency $threads
    convolutions() { $native "$1" --threads "$2" --runs "$runs" --convs | sed -n 's/.*"convolutions_ms": *\([0-9.eE+-]*\).*/\1/p'; }
    for model in resnet18:"$fp32" resnet20:"$resnet20" squeezenet:"$squeeze" resnet18-int8:"$work/resnet18-int8.onnx"; do
        name=${model%%:*} path=${model#*:}
        [ ! -f "$path" ] || row "$name" $threads "its convolutions" ours "$path" $threads -- convolutions "$path" $threads
    done
done

training

# ---- start-up and inspect, beside importing PyTorch ----
if [ -f "$fp32" ]; then
    size=$(awk -v b="$(wc -c <"$fp32")" 'BEGIN { printf "%.1f", b / 1e6 }')
    build/bench_child $netzip inspect "$fp32" >/dev/null # the file is read from the page cache in what follows
    printf '\nstart-up and inspect of ResNet-18 (a file of %s MB): %s\n' "$size" "$(cost "$(build/bench_child $netzip inspect "$fp32")")"
    [ -z "$python" ] || printf 'importing PyTorch and torchvision: %s\n' "$(cost "$(build/bench_child $python bench/torch_peer.py import)")"
fi

# ---- images a second of a whole accuracy run ----
if [ -f "$resnet20" ] && [ -d "$data/cifar10-jpeg" ]; then
    start=$(date +%s%N)
    $netzip compare "$resnet20" --data "cifar10:$data/cifar10-jpeg,split=test,$cifar" --metrics top1 >/dev/null
    end=$(date +%s%N)
    awk -v ns=$((end - start)) 'BEGIN { printf "accuracy of ResNet-20 on the 10,000 test images of CIFAR-10: %.2f s, %.0f images/s\n", ns / 1e9, 1e13 / ns }'
fi

detections
