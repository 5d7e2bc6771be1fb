# SPDX-License-Identifier: Apache-2.0
"""PyTorch as a peer, and the source of the ResNet-18 that everybody runs.

usage: torch_peer.py export FILE            ResNet-18 with random weights (seed 0) as ONNX, opset 13, batch symbolic
       torch_peer.py latency THREADS RUNS   prints one JSON line: ResNet-18 at 224x224, frozen TorchScript, batch 1
       torch_peer.py train ARCH SIDE BATCH LAYOUT THREADS RUNS
                                            a training step on a batch that stays the same: resnet18 or resnet20-cifar,
                                            10 classes, SGD with momentum; LAYOUT default, channels-last or bf16
                                            (channels-last under autocast)
       torch_peer.py import                 imports PyTorch and torchvision and ends
"""
import json
import resource
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


class Block(torch.nn.Module):
    """Of ResNet for CIFAR: two convolutions, and a shortcut without parameters (option A of the paper)."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.stride, self.more = stride, out - channels
        self.conv1 = torch.nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(out)
        self.conv2 = torch.nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(out)

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return torch.relu(x + y)


def resnet20():
    layers, channels = [torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(16), torch.nn.ReLU()], 16
    for out in (16, 32, 64):
        for i in range(3):
            layers.append(Block(channels, out, 2 if i == 0 and out > 16 else 1))
            channels = out
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10))


def train(arch, side, batch, layout, threads, runs):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    torch.set_num_threads(threads)
    order = torch.contiguous_format if layout == "default" else torch.channels_last
    model = resnet20() if arch == "resnet20-cifar" else torchvision.models.resnet18(num_classes=10)
    model = model.to(memory_format=order).train()
    x, y, ms = torch.rand(batch, 3, side, side).to(memory_format=order), torch.randint(0, 10, (batch,)), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-5)
    loss = torch.nn.CrossEntropyLoss()
    for i in range(runs + 4):
        a = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=layout == "bf16"):
            out = model(x)
        loss(out.float(), y).backward()
        optimizer.step()
        ms.append((time.perf_counter() - a) * 1e3)
    ms = sorted(ms[4:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"arch": arch, "layout": layout, "threads": threads, "median_ms": ms[len(ms) // 2],
                      "min_ms": ms[0], "bytes": (peak - before) * 1024}))


if sys.argv[1] == "export":
    export(sys.argv[2])
elif sys.argv[1] == "latency":
    latency(int(sys.argv[2]), int(sys.argv[3]))
elif sys.argv[1] == "train":
    train(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6]), int(sys.argv[7]))
