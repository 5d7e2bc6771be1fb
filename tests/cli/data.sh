#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip data: what it prints, what it writes, and how it fails.
. "$(dirname "$0")/lib.sh"

nz data --help
status_is "--help succeeds" 0
has "--help shows the usage" "$T/out" "usage: netzip data (info DATA | make synthetic:NAME[,key=value...] DIR)"
nz data --list --json
status_is "--list --json succeeds" 0
is "it prints one object" "$(head -c 1 "$T/out")$(tail -c 2 "$T/out")" "{}"
has "with the keys" "$T/out" '"name": "letterbox"'
nz data --list
status_is "--list succeeds" 0
for word in idx cifar10 cifar100 imagefolder list npz coco yolo voc synthetic limit offset images letterbox preset yolov5 flip \
    resized zoom shift hue saturation brightness; do
    has "--list tells about $word" "$T/out" "  $word "
done

nz data make synthetic:shapes,count=20,seed=2 "$T/set" --json
status_is "make succeeds" 0
is "make says what it wrote" "$(cat "$T/out")" '{"written": 40, "kept": 0}'
nz data make synthetic:shapes,count=20,seed=2 "$T/set"
is "a second call keeps what is there" "$(cat "$T/out")" "0 images written, 40 were there: $T/set"
is "the table names image and label" "$(sed -n 1,2p "$T/set/train.csv" | tr '\n' ' ')" "image,label train/arrow/000000.png,0 "
is "no half-written file is left" "$(find "$T/set" -name '*tmp*')" ""
nz data make synthetic:shapes,count=30 "$T/set"
status_is "another set in the same folder is refused" 2
nz data make synthetic:squares "$T/other"
status_is "an unknown set is refused" 2
good "and nothing is written for it" test ! -e "$T/other"

nz data info "imagefolder:$T/set,crop=32"
status_is "info succeeds" 0
has "info counts the samples" "$T/out" "samples        20"
has "info names the classes" "$T/out" "hourglass"
has "info tells the shape" "$T/out" "shape          3x32x32"
nz data info "list:$T/set/test.csv,preset=cifar10,crop=32" --json --check --threads 2
status_is "info --check of a whole set succeeds" 0
has "the preprocessing is spelled out" "$T/out" '"preprocess": "crop=32,color=rgb,scale=1/255,mean=0.4914:0.4822:0.4465,std=0.247:0.2435:0.2616"'
has "nothing is broken" "$T/out" '"broken": 0'
cp "$T/out" "$T/first"
nz data info "list:$T/set/test.csv,preset=cifar10,crop=32" --json --check --threads 1
same "the threads do not matter" "$T/out" "$T/first"

echo rubbish >"$T/set/test/cross/000013.png"
nz data info "imagefolder:$T/set,crop=32" --check
status_is "a broken image gives status 1" 1
has "it is counted" "$T/out" "broken         1"
has "and named" "$T/out" "test/cross/000013.png: neither JPEG nor PNG"

nz data make synthetic:shapes-det,count=6,size=64 "$T/scenes"
status_is "scenes are made" 0
is "what was made is said" "$(cat "$T/out")" "12 images written, 0 were there: $T/scenes"
nz data info "coco:$T/scenes/train.json" --json
cp "$T/out" "$T/first"
nz data info "yolo:$T/scenes,split=train" --json
is "COCO and YOLO hold the same objects" "$(grep '"count"\|"images_with"' "$T/out")" \
    "$(grep '"count"\|"images_with"' "$T/first")"
nz data info "synthetic:shapes-det,count=6,size=64,split=train"
has "the set itself too" "$T/out" "objects        $(sed -n 's/.*"count": \([0-9]*\),/\1/p' "$T/first")"
has "objects are counted by area" "$T/out" "0 large (below 32x32 pixels, below 96x96, above)"
echo "3 0.5 0.5 0.1" >"$T/scenes/labels/test/000002.txt"
nz data info "yolo:$T/scenes,letterbox=64" --check
status_is "a broken label file gives status 1" 1
has "its line is named" "$T/out" "labels/test/000002.txt:1: 4 numbers; should be class, centre x and y, width, height"
sed 's/"image_id": 0,/"image_id": 77,/' "$T/scenes/test.json" >"$T/scenes/odd.json"
nz data info "coco:$T/scenes/odd.json"
has "annotations of unknown images are warned about" "$T/err" "annotations are of images or categories that the file does not list"
status_is "and end nothing" 0
nz train --arch yolov5-tiny --data "coco:$T/scenes/odd.json" --epochs 1 --batch 4 --threads 1 --out "$T/m.onnx"
has "train warns of them" "$T/err" "warning: $T/scenes/odd.json: "
nz compress "$T/m.onnx" --method ptq --data "coco:$T/scenes/odd.json" --threads 1 --out "$T/q.onnx"
has "so does compress" "$T/err" "warning: $T/scenes/odd.json: "
nz detect "$T/m.onnx" --data "coco:$T/scenes/odd.json" --threads 1 --out "$T/found"
has "so does detect" "$T/err" "warning: $T/scenes/odd.json: "
cp "$T/found/detections.json" "$T/found.json" && nz evaluate --data "coco:$T/scenes/odd.json" --detections "$T/found.json"
has "so does evaluate" "$T/err" "warning: $T/scenes/odd.json: "

nz data info "cifar10:$T"
status_is "a folder without the data is an input error" 3
is "in one line" "$(cat "$T/err")" "netzip: $T: neither data_batch_1.bin nor test_batch.bin is here"
nz data info "cifar10:$T,limt=3"
status_is "a wrong key is a usage error" 2
has "the right one is suggested" "$T/err" "did you mean 'limit'?"
nz data info
status_is "info without a set is a usage error" 2
nz data fetch mnist "$T/mnist"
status_is "an action that does not exist is a usage error" 2
nz data
status_is "so is none" 2
