# SPDX-License-Identifier: Apache-2.0
"""PyTorch as a peer, and the source of the ResNet-18 that everybody runs.

usage: torch_peer.py export FILE            ResNet-18 with random weights (seed 0) as ONNX, opset 13, batch symbolic
       torch_peer.py latency THREADS RUNS   prints one JSON line: ResNet-18 at 224x224, frozen TorchScript, batch 1
       torch_peer.py import                 imports PyTorch and torchvision and ends
"""
import json
import sys
import time

import torch
import torchvision

torch.manual_seed(0)


def resnet18():
    return torchvision.models.resnet18().eval()


def export(path):
    torch.onnx.export(resnet18(), torch.rand(1, 3, 224, 224), path, opset_version=13, input_names=["input"],
                      output_names=["output"], dynamic_axes={"input": {0: "N"}, "output": {0: "N"}})


def latency(threads, runs):
    torch.set_num_threads(threads)
    x, ms = torch.rand(1, 3, 224, 224), []
    with torch.no_grad():
        model = torch.jit.optimize_for_inference(torch.jit.script(resnet18()))
        for i in range(runs + 10):
            a = time.perf_counter()
            model(x)
            ms.append((time.perf_counter() - a) * 1e3)
    ms = sorted(ms[10:])
    print(json.dumps({"median_ms": ms[len(ms) // 2], "min_ms": ms[0], "runs": len(ms)}))


if sys.argv[1] == "export":
    export(sys.argv[2])
elif sys.argv[1] == "latency":
    latency(int(sys.argv[2]), int(sys.argv[3]))
