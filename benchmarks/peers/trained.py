"""The trained network, for the scripts that start from PyTorch: they run in a peer's environment, without edgegap."""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def network(data: str, factory: str, weights: str) -> torch.nn.Module:
    """The network in evaluation mode.

    Args:
        data: the folder with networks.py.
        factory: its function there.
        weights: a state dict.
    """
    sys.path.insert(0, str(Path(data)))
    module: torch.nn.Module = getattr(__import__("networks"), factory)()
    module.load_state_dict(torch.load(weights, weights_only=True))
    return module.eval()
