"""Train `tiny_nin` on digits:train, say how many of digits:test it gets right, save a plain state dict.

python examples/digits/train.py [digits.pt]
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from network import tiny_nin
from torch import Tensor
from torch.nn.functional import cross_entropy

from edgegap.data import batches, load_preprocessing, open_data

EPOCHS = 20
BATCH = 64


def digits(part: str) -> tuple[Tensor, Tensor]:
    """Images float32 [N, 1, 8, 8] in 0..1 and labels int64 [N] of `train` or `test`."""
    unit = load_preprocessing("unit")
    (batch,) = batches(open_data(f"digits:{part}"), unit, size=2000)
    return torch.from_numpy(unit.apply(batch.images)), torch.from_numpy(batch.labels)


def main() -> None:
    """Train, measure, save."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "digits.pt")
    torch.manual_seed(0)
    images, labels = digits("train")
    network = tiny_nin()
    optimizer = torch.optim.AdamW(network.parameters())
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(BATCH):
            loss = cross_entropy(network(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

    network.eval()
    images, labels = digits("test")
    with torch.inference_mode():
        correct = network(images).argmax(1).eq(labels).sum().item()
    output.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), output)
    print(f"{correct} of {len(labels)} test digits right ({correct / len(labels):.1%}); weights in {output}")


if __name__ == "__main__":
    main()
