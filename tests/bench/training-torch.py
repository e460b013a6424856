# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images a second that PyTorch trains: forge-cnn, channels last, Adam.

usage: training-torch.py THREADS BATCH SECONDS

The pictures are drawn before the clock starts and stay where they are: no
decoding, no augmentation. Both ways there are to run it are tried, eager and
traced, and the faster one is printed.
"""
import sys
import time

import torch
from torch import nn


def forge_cnn():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(64, 10))


def images_per_second(step, batch, seconds):
    for _ in range(10):
        step()
    start, n = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        step()
        n += batch
    return n / (time.monotonic() - start)


def make_step(model, batch):
    images = torch.rand(batch, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (batch,))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = nn.CrossEntropyLoss()

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss_of(model(images), labels).backward()
        optimiser.step()
    return step


def main():
    threads, batch, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    best = 0
    for traced in (False, True):
        model = forge_cnn().to(memory_format=torch.channels_last)
        if traced:
            example = torch.rand(batch, 3, 32, 32)
            example = example.to(memory_format=torch.channels_last)
            model = torch.jit.trace(model, example, check_trace=False)
        model.train()
        best = max(best, images_per_second(make_step(model, batch), batch, seconds))
    print(f"{best:.1f}")


main()
