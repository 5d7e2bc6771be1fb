# SPDX-License-Identifier: Apache-2.0
"""Evaluates FOLDER/found.json against FOLDER/truth.json by the reference evaluator."""
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

truth = COCO(sys.argv[1] + "/truth.json")
run = COCOeval(truth, truth.loadRes(sys.argv[1] + "/found.json"), "bbox")
run.evaluate()
run.accumulate()
run.summarize()
