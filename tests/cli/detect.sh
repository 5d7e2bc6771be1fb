#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip detect: a detector over made scenes, as a data set and as plain images.
. "$(dirname "$0")/lib.sh"

nz train --arch yolov5-tiny --data synthetic:shapes-det,count=16,size=64 --epochs 30 --batch 8 --evaluate-every 0 --threads 1 --out "$T/m.onnx"
status_is "a detector is made" 0
nz data make synthetic:shapes-det,count=16,size=64 "$T/scenes"

nz detect "$T/m.onnx" --data "coco:$T/scenes/train.json" --out "$T/found" --threads 1 --draw 2
status_is "it runs over a data set" 0
has "its head is named" "$T/out" "yolov5 (1x252x15), conf 0.001, NMS IoU 0.6, at most 300 boxes"
has "images are counted" "$T/out" "16 images (0 could not be read)"
has "classes have their names" "$T/out" "star"
has "objects bring the mean average precision" "$T/out" "COCO:   mAP50 "
has "by both evaluators" "$T/out" "YOLOv5: mAP50 "
has "times are told apart" "$T/out" "from outputs to boxes"
has "detections are in COCO's form" "$T/found/detections.json" '"category_id":'
is "as many images are drawn as asked for" "$(cd "$T/found/drawn" && echo *)" "000000000000.png 000000000001.png"
good "pictures are PNG" sh -c "head -c 4 '$T/found/drawn/000000000000.png' | grep -q PNG"
cp "$T/found/detections.json" "$T/first"
: >"$T/found/drawn/mine.png"
: >"$T/found/drawn/000000000001-mine.png"
nz detect "$T/m.onnx" --data "coco:$T/scenes/train.json" --out "$T/found" --threads 1 --draw 1
is "pictures of an earlier run are gone, and nothing else" "$(cd "$T/found/drawn" && echo *)" "000000000000.png 000000000001-mine.png mine.png"

nz detect "$T/m.onnx" --data "coco:$T/scenes/train.json" --out "$T/found" --threads 2 --json
status_is "--json succeeds" 0
is "nothing is said on standard error" "$(cat "$T/err")" ""
tr -d ' \n' <"$T/out" >"$T/flat"
has "options are there as they can be given again" "$T/flat" '"options":"head=yolov5,conf=0.001,max=300,labels=all,nms=class,anchors='
has "the twelve statistics are" "$T/flat" '"coco":{"AP":'
has "time is split" "$T/flat" '"ms_per_image":{"waiting":'
same "the same boxes are found again" "$T/found/detections.json" "$T/first"

# The same images by their names: ids are positions, classes the model's own.
nz detect "$T/m.onnx" "$T"/scenes/images/test/*.png --out "$T/plain" --limit 3 --detect max=2,conf=0
status_is "plain images do" 0
has "at most two boxes each" "$T/out" "3 images (0 could not be read), 6 boxes"
has "images are listed with their ids' order" "$T/plain/images.csv" "images/test/000002.png"
lacks "nothing is scored without ground truth" "$T/out" "mAP50"
echo rubbish >"$T/bad,\"name\".png"
nz detect "$T/m.onnx" "$T/bad,\"name\".png" "$T/scenes/images/test/000001.png" --out "$T/plain" --draw 5
status_is "a broken image ends nothing" 0
has "it is named" "$T/err" 'bad,"name".png: neither JPEG nor PNG'
is "drawings are those of the others" "$(cd "$T/plain/drawn" && echo *)" "000000000001.png"
nz detect "$T/m.onnx" "$T/bad,\"name\".png" --out "$T/plain"
status_is "nothing but broken images is an input error" 3

nz detect --list
has "heads are listed" "$T/out" "yolov8"
has "and the keys of --detect" "$T/out" "boxes kept of one image, over all classes (default 300)"
nz detect "$T/m.onnx" --out "$T/x"
status_is "images are needed" 2
nz detect "$T/m.onnx" "$T/scenes/images/test/000001.png"
is "a folder is" "$(cat "$T/err")" "netzip: detect: --out DIR is needed (netzip detect --help)"
nz detect "$T/m.onnx" "$T/none.png" --out "$T/x"
status_is "an image that is not there is an input error" 3
nz detect "$T/m.onnx" "$T/none.png" --out "$T/x" --detect cnf=1
is "a mistyped key is named" "$(cat "$T/err")" "netzip: detect: unknown key 'cnf'; did you mean 'conf'?"
nz detect "$T/m.onnx" --data "coco:$T/scenes/test.json" --detect head=yolox --out "$T/x"
status_is "a head that the outputs are not is an input error" 3
has "shapes are given" "$T/err" "1x252x15"
nz detect "$T/m.onnx" --data "coco:$T/scenes/test.json" --out "$T/x" --draw-conf 2
status_is "a score is at most 1" 2

nz detect "$T/m.onnx" --data "coco:$T/scenes/test.json,preset=yolox" --preprocess limit=2 --out "$T/x"
status_is "--preprocess is about preprocessing alone" 2
has "it names the keys there are" "$T/err" "unknown key 'limit' (there is preset, resize,"
nz detect "$T/m.onnx" --data "coco:$T/scenes/train.json,scale=0" --preprocess scale=1/255 --out "$T/again"
status_is "--preprocess is taken in place of the data's" 0
same "with the same boxes" "$T/again/detections.json" "$T/first"

# What was found can be evaluated by itself, to the same figures.
nz evaluate --ground-truth "$T/scenes/train.json" --detections "$T/first" --json
status_is "the detections are read by evaluate" 0
stats() { tr -d ' \n' <"$1" | sed 's/.*"coco":{\([^}]*\)}.*/\1/' | grep -o '"A[PR][a-z0-9]*":-*[0-9][0-9.e-]*' | sort -u; }
evaluated() { tr -d ' \n' <"$1" | grep -o '"A[PR][a-z0-9]*":-*[0-9][0-9.e-]*' | sort -u; }
lacks "something is found" "$T/flat" '"AP50":0.0,'
is "both print the same twelve statistics" "$(stats "$T/flat")" "$(evaluated "$T/out")"

# An image whose labels are broken is left out, like one that is broken itself.
echo "3 0.5 0.5 0.1" >"$T/scenes/labels/test/000002.txt"
echo rubbish >"$T/scenes/images/test/000004.png"
nz detect "$T/m.onnx" --data "yolo:$T/scenes,split=test" --out "$T/found"
status_is "broken labels end nothing" 0
has "both are counted" "$T/out" "14 images (2 could not be read)"
