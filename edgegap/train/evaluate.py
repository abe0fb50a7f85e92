"""What a torch network says about images, and how often it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgegap.check.images import ImageSet

if TYPE_CHECKING:
    import torch

_BATCH = 256


@dataclass(frozen=True)
class Accuracy:
    """Of a network on labelled images.

    Args:
        loss: mean cross-entropy, nats.
        top1_pct: images that are right, percent.
    """

    loss: float
    top1_pct: float


def values(images: ImageSet, stored: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network gets for some of the images as they are stored: float32 [n, C, H, W]."""
    if images.table is None:
        return np.asarray(stored, np.float32)
    return np.stack([table[stored[..., c]] for c, table in enumerate(images.table)], axis=1)


def predict(network: torch.nn.Module, images: ImageSet) -> NDArray[np.float32]:
    """The scores float32 [n, classes] of all images.

    Args:
        network: put into evaluation mode.
        images: of the size that it takes.
    """
    import torch  # noqa: PLC0415  # slow to import

    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        return np.concatenate(
            [
                network(torch.from_numpy(images.values(start + _BATCH, start)).to(device)).cpu().numpy()
                for start in range(0, len(images), _BATCH)
            ]
        )


def evaluate(network: torch.nn.Module, images: ImageSet) -> Accuracy:
    """How good the network is on labelled images."""
    import torch  # noqa: PLC0415  # slow to import

    scores = torch.from_numpy(predict(network, images))
    labels = torch.from_numpy(images.labels)
    loss = torch.nn.functional.cross_entropy(scores, labels)
    return Accuracy(float(loss), 100 * float((scores.argmax(1) == labels).float().mean()))
