"""Networks that end in global average pooling, their heads, and the checkpoints that `edgegap train` writes."""

from __future__ import annotations

from edgegap.models.catalogue import ARCHITECTURES, ZOO, Architecture, Arguments, build_network
from edgegap.models.checkpoint import Checkpoint, read_checkpoint
from edgegap.models.heads import FCHead, GAPHead, GAPLinearHead
from edgegap.models.surgery import with_gap_head

__all__ = [
    "ARCHITECTURES",
    "ZOO",
    "Architecture",
    "Arguments",
    "Checkpoint",
    "FCHead",
    "GAPHead",
    "GAPLinearHead",
    "build_network",
    "read_checkpoint",
    "with_gap_head",
]
